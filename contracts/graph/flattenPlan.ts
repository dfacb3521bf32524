import {
  type DocumentNode,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  parse,
} from 'graphql';
import type { FetchNode, PlanNode, QueryPlan, RequiresSelection } from '../../gateway/planning/queryPlan.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';

/** A request to a subgraph. */
export interface PlannedRequest {
  readonly subgraph: string;
  readonly kind: FetchNode['operationKind'];
  /** The document that the subgraph receives, without the name of the operation. Equal requests share it. */
  readonly document: DocumentNode;
  /** The representations of an entity fetch by type; see `representationsOf`. */
  readonly representations: readonly Representation[] | undefined;
}

/** One request of a plan. */
export interface PlannedFetch extends PlannedRequest {
  /** Indexes of earlier fetches that have to be completed first. */
  readonly dependsOn: readonly number[];
}

/** The fields of an entity that are sent to fetch more of it. */
export interface Representation {
  /** `__typename` that the subgraph receives. */
  readonly typeName: string;
  readonly selections: readonly RequiresSelection[];
}

/** The fetches of a plan in an order in which they can run, with both branches of each condition and all deferred
 *  parts. `schema` is the supergraph's, including elements that clients do not see. `requests`: those of other plans for
 *  the same graph, to which those of this plan are added. Most operations of a store have requests in common. */
export function flattenPlan(
  { node }: QueryPlan,
  schema: GraphQLSchema,
  requests = new Map<string, PlannedRequest>(),
): readonly PlannedFetch[] {
  const fetches: PlannedFetch[] = [];
  const byId = new Map<string, number>();
  if (node?.kind === 'Subscription') {
    const first = add(node.primary, []);
    if (node.rest !== undefined) walk(node.rest, first);
  } else if (node !== undefined) {
    walk(node, []);
  }
  return fetches;

  /** Returns the last fetches of the node, which later nodes wait for. */
  function walk(current: PlanNode, after: readonly number[]): readonly number[] {
    switch (current.kind) {
      case 'Fetch':
        return add(current, after);
      case 'Flatten':
        return walk(current.node, after);
      case 'Sequence':
        return current.nodes.reduce((before, child) => walk(child, before), after);
      case 'Parallel':
        return unionOf(current.nodes.map((child) => walk(child, after)));
      case 'Defer': {
        const last = current.primary.node === undefined ? after : walk(current.primary.node, after);
        for (const { depends, node: deferred } of current.deferred) {
          if (deferred === undefined) continue;
          const needed = depends.flatMap(({ id }) => byId.get(id) ?? []);
          walk(deferred, needed.length === 0 ? after : needed);
        }
        return last;
      }
    }
  }

  function add(fetch: FetchNode, after: readonly number[]): readonly number[] {
    const index = fetches.length;
    if (fetch.id !== undefined) byId.set(fetch.id, index);
    fetches.push({ ...requestOf(fetch), dependsOn: after });
    return [index];
  }

  function requestOf(fetch: FetchNode): PlannedRequest {
    const { serviceName: subgraph, operationKind: kind, operation, requires, inputRewrites } = fetch;
    const text = operation.replace(/^(\w+) +\w+/, '$1');
    return getOrInsertComputed(requests, JSON.stringify([subgraph, text, requires, inputRewrites]), () => ({
      subgraph,
      kind,
      document: parse(text, { noLocation: true }),
      representations: requires && representationsOf(fetch, requires, schema),
    }));
  }
}

function unionOf(sets: readonly (readonly number[])[]): readonly number[] {
  return [...new Set(sets.flat())];
}

/** One representation per type. Selections that the planner requires of one type in several places are sent together. */
function representationsOf(
  { inputRewrites = [] }: FetchNode,
  requires: readonly RequiresSelection[],
  schema: GraphQLSchema,
): readonly Representation[] {
  const byType = new Map<string, RequiresSelection[]>();
  for (const selection of requires) {
    if (selection.kind !== 'InlineFragment' || selection.typeCondition === undefined) continue;
    const typeName = renamed(selection.typeCondition);
    byType.set(typeName, [...(byType.get(typeName) ?? []), ...selection.selections]);
  }
  return Array.from(byType, ([typeName, selections]) => ({ typeName, selections }));

  /** A subgraph with `@interfaceObject` receives the interface's name for every implementation. */
  function renamed(typeName: string): string {
    for (const rewrite of inputRewrites) {
      if (rewrite.kind !== 'ValueSetter' || typeof rewrite.setValueTo !== 'string') continue;
      const [condition, ...rest] = rewrite.path;
      if (holds(condition, typeName) && rest.length === 1 && rest[0] === '__typename')
        return rewrite.setValueTo;
    }
    return typeName;
  }

  function holds(condition: string | undefined, typeName: string): boolean {
    const name = condition?.replace(/^\.\.\. on /, '');
    if (name === undefined || name === typeName) return name === typeName;
    const [wider, type] = [schema.getType(name), schema.getType(typeName)];
    return (
      isAbstractType(wider) && (isObjectType(type) || isInterfaceType(type)) && schema.isSubType(wider, type)
    );
  }
}
