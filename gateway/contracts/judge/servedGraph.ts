import { type DocumentNode, type GraphQLSchema, parse } from 'graphql';
import type { PlannedGraph } from '../graph/planConsumers.ts';
import { factsOf, type GraphFacts } from '../graph/subgraphFacts.ts';
import type { Serving } from '../serving.ts';

/** A graph as its gateways serve it. */
export interface ServedGraph extends PlannedGraph {
  /** The supergraph. */
  readonly document: DocumentNode;
  readonly apiSchema: GraphQLSchema;
  readonly facts: GraphFacts;
  readonly serving: Serving;
}

export function servedGraph(planned: PlannedGraph, serving: Serving): ServedGraph {
  const { graph } = planned;
  return {
    ...planned,
    document: parse(graph.sdl, { noLocation: true }),
    apiSchema: graph.supergraph.apiSchema,
    facts: factsOf(graph),
    serving,
  };
}
