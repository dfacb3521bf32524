import type { GatewayConfig } from '../../config/schema.ts';
import { createFileSource } from './fileSource.ts';
import { createIntrospectionSource } from './introspectionSource.ts';
import type { SupergraphSource } from './supergraphSource.ts';

/** The source of supergraphs that the configuration names: a file, or subgraphs to compose. */
export function createSource({ supergraph }: GatewayConfig): SupergraphSource {
  return 'file' in supergraph
    ? createFileSource(supergraph)
    : createIntrospectionSource({ subgraphs: supergraph.subgraphs, pollIntervalMs: supergraph.pollInterval });
}
