import type { GatewayConfig } from '../../config/schema.ts';
import { createFileSource } from './fileSource.ts';
import { createIntrospectionSource } from './introspectionSource.ts';
import type { SupergraphSource } from './supergraphSource.ts';

/** Creates the supergraph source of the configuration: a file, or running subgraphs to compose. */
export function createSource({ supergraph }: GatewayConfig): SupergraphSource {
  return 'file' in supergraph
    ? createFileSource(supergraph)
    : createIntrospectionSource({ subgraphs: supergraph.subgraphs, pollIntervalMs: supergraph.pollInterval });
}
