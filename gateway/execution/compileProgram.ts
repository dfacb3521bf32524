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
  const { node } = options.plan;
  const layout = new StepLayout(options.groupCount);
  if (node !== undefined) layout.add(node.kind === 'Subscription' ? toSequenceNode(node) : node, [], [], 0);
  const reduced = omitTypenames(layout.steps, options.schema);
  const steps = layout.steps.map(
    ({ path, dependsOn, group }, index): FetchStep => ({
      index,
      ...compileFetchNode(reduced[index] as ReducedFetch, options),
      path,
      collectTargets: createTargetCollector(path),
      dependsOn,
      group,
    }),
  );
  return { steps: completeDependencies(steps, options.conditions), groups: layout.deliveryGroups() };
}

/** The fetches of a plan as numbered steps: what each waits for, and which delivery groups it feeds. */
class StepLayout {
  readonly steps: (Pick<FetchStep, 'path' | 'dependsOn' | 'group'> & { readonly fetch: FetchNode })[] = [];
  readonly #stepsOfGroup: readonly number[][];
  readonly #stepsById = new Map<string, number[]>();

  constructor(groupCount: number) {
    this.#stepsOfGroup = Array.from({ length: groupCount }, (): number[] => []);
  }

  /** Adds the steps of a node; returns those that the next node has to wait for. */
  add(node: PlanNode, path: FlattenPath, after: readonly number[], group: number): readonly number[] {
    switch (node.kind) {
      case 'Sequence':
        return node.nodes.reduce((before, child) => this.add(child, path, before, group), after);
      case 'Parallel': {
        const ends = node.nodes.map((child) => this.add(child, path, after, group));
        return [...new Set(ends.flat())];
      }
      case 'Flatten':
        return this.add(node.node, [...path, ...parseFlattenPath(node.path)], after, group);
      case 'Fetch':
        return [this.#addStep(node, path, after, group)];
      case 'Defer':
        return this.#addDefer(node, path, after, group);
    }
  }

  deliveryGroups(): readonly DeliveryGroup[] {
    return this.#stepsOfGroup.map((indices, group) => {
      const own = indices.filter((index) => this.steps[index]?.group === group);
      // A group without steps of its own gets its data from the steps that it depends on.
      return { steps: indices, dataSteps: own.length > 0 ? own : indices };
    });
  }

  #addDefer(node: DeferNode, path: FlattenPath, after: readonly number[], group: number): readonly number[] {
    const primary = node.primary.node;
    const ends = primary === undefined ? after : this.add(primary, path, after, group);
    for (const block of node.deferred) {
      const own = block.label === undefined ? group : Number(block.label);
      const depends = block.depends.flatMap(({ id }) => this.#stepsById.get(id) ?? []);
      this.#stepsOfGroup[own]?.push(...depends);
      if (block.node !== undefined) this.add(block.node, path, depends.length === 0 ? after : depends, own);
    }
    return ends;
  }

  #addStep(fetch: FetchNode, path: FlattenPath, after: readonly number[], group: number): number {
    const index = this.steps.length;
    this.steps.push({ fetch, path, dependsOn: after, group });
    this.#stepsOfGroup[group]?.push(index);
    // Several steps if one fetch of the planner was divided.
    if (fetch.id !== undefined)
      this.#stepsById.set(fetch.id, [...(this.#stepsById.get(fetch.id) ?? []), index]);
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
