import type { GraphQLSchema } from 'graphql';
import type { DeferNode, FetchNode, PlanNode, QueryPlan, SubscriptionNode } from '../planning/queryPlan.ts';
import { completeDependencies } from './completeDependencies.ts';
import type { FetchShapeRegistry } from './fetchShape.ts';
import { createTargetCollector, type FlattenPath, parseFlattenPath } from './flattenPath.ts';
import { omitTypenames, type ReducedFetch } from './omitTypenames.ts';
import type { DeliveryGroup, FetchPart, FetchStep, Program } from './program.ts';
import { RepresentationReader } from './representationReader.ts';
import { ContextReader } from './rewrites.ts';
import type { TypeConditions } from './typeConditions.ts';

export interface CompileProgramOptions {
  readonly plan: QueryPlan;
  /** How many delivery groups there are, the primary data included. */
  readonly groupCount: number;
  readonly shapes: FetchShapeRegistry;
  readonly conditions: TypeConditions;
  /** The API schema. */
  readonly schema: GraphQLSchema;
}

/** Compiles a plan by its own structure: the later nodes of a sequence wait for the earlier ones, a deferred block for
 *  the fetches that it depends on. */
export function compileProgram(options: CompileProgramOptions): Program {
  const { plan, schema } = options;
  const located: (Pick<FetchStep, 'path' | 'dependsOn' | 'group'> & { readonly fetch: FetchNode })[] = [];
  const stepsOfGroup = Array.from({ length: options.groupCount }, (): number[] => []);
  const stepsById = new Map<string, number[]>();

  const node = plan.node;
  if (node !== undefined) compile(node.kind === 'Subscription' ? toSequenceNode(node) : node, [], [], 0);
  const groups = stepsOfGroup.map(
    (indices, group): DeliveryGroup => ({
      steps: indices,
      dataSteps: dataStepsOf(indices, group),
    }),
  );
  const reduced = omitTypenames(located, schema);
  const steps = located.map(
    ({ path, dependsOn, group }, index): FetchStep => ({
      index,
      ...compileFetchNode(reduced[index] as ReducedFetch, options),
      path,
      collectTargets: createTargetCollector(path),
      dependsOn,
      group,
    }),
  );
  return { steps: completeDependencies(steps, options.conditions), groups };

  /** Returns the steps of the group itself. A group without any gets its data from the steps that it depends on. */
  function dataStepsOf(indices: readonly number[], group: number): readonly number[] {
    const own = indices.filter((index) => located[index]?.group === group);
    return own.length > 0 ? own : indices;
  }

  /** Adds the steps of a node; returns those that the next node has to wait for. */
  function compile(
    current: PlanNode,
    path: FlattenPath,
    after: readonly number[],
    group: number,
  ): readonly number[] {
    switch (current.kind) {
      case 'Sequence':
        return current.nodes.reduce((before, child) => compile(child, path, before, group), after);
      case 'Parallel': {
        const ends = current.nodes.map((child) => compile(child, path, after, group));
        return [...new Set(ends.flat())];
      }
      case 'Flatten':
        return compile(current.node, [...path, ...parseFlattenPath(current.path)], after, group);
      case 'Fetch':
        return [addStep(current, path, after, group)];
      case 'Defer':
        return compileDefer(current, path, after, group);
    }
  }

  function compileDefer(
    current: DeferNode,
    path: FlattenPath,
    after: readonly number[],
    group: number,
  ): readonly number[] {
    const primary = current.primary.node;
    const ends = primary === undefined ? after : compile(primary, path, after, group);
    for (const block of current.deferred) {
      const own = block.label === undefined ? group : Number(block.label);
      const depends = block.depends.flatMap(({ id }) => stepsById.get(id) ?? []);
      stepsOfGroup[own]?.push(...depends);
      if (block.node !== undefined) compile(block.node, path, depends.length === 0 ? after : depends, own);
    }
    return ends;
  }

  function addStep(fetch: FetchNode, path: FlattenPath, after: readonly number[], group: number): number {
    const index = located.length;
    located.push({ fetch, path, dependsOn: after, group });
    stepsOfGroup[group]?.push(index);
    // Several steps if one fetch of the planner was divided.
    if (fetch.id !== undefined) stepsById.set(fetch.id, [...(stepsById.get(fetch.id) ?? []), index]);
    return index;
  }
}

/** Compiles the parts of a step that depend on the fetch node alone. */
function compileFetchNode(
  { fetch, objectType }: ReducedFetch,
  { shapes, conditions }: Pick<CompileProgramOptions, 'shapes' | 'conditions'>,
): FetchPart {
  const shape = shapes.intern(fetch);
  return {
    shape,
    requires: fetch.requires ?? [],
    representationReader: shape.isEntityFetch
      ? new RepresentationReader(fetch.requires ?? [], fetch.inputRewrites ?? [], conditions, objectType)
      : undefined,
    contextReader:
      fetch.contextRewrites === undefined || fetch.contextRewrites.length === 0
        ? undefined
        : new ContextReader(fetch.contextRewrites),
    parts: fetch.parts?.map((part) => compileFetchNode({ fetch: part, objectType }, { shapes, conditions })),
  };
}

/** The event is the result of the first step; all other steps wait for it. */
function toSequenceNode({ primary, rest }: SubscriptionNode): PlanNode {
  return rest === undefined ? primary : { kind: 'Sequence', nodes: [primary, rest] };
}
