import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { GatewaySettings } from '../gatewaySettings.ts';
import type { PlannedGraph } from '../graph/planConsumerOperations.ts';
import { type SupergraphMetadata, supergraphMetadataOf } from '../graph/supergraphMetadata.ts';

/** A graph and how its gateways serve it. */
export interface ServedGraph extends PlannedGraph {
  /** The supergraph. */
  readonly document: DocumentNode;
  readonly apiSchema: GraphQLSchema;
  readonly metadata: SupergraphMetadata;
  readonly gatewaySettings: GatewaySettings;
}

export function createServedGraph(planned: PlannedGraph, serving: GatewaySettings): ServedGraph {
  const { graph } = planned;
  const metadata = supergraphMetadataOf(graph);
  return {
    ...planned,
    document: metadata.document,
    apiSchema: graph.supergraph.apiSchema,
    metadata,
    gatewaySettings: serving,
  };
}
