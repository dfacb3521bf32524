import type { GatewayConfig } from './schema.ts';

/** The headers for fetching the schema of a subgraph (`supergraph.subgraphs[].headers`). They are sent only to the origin
 *  that they are configured for: commands may name another address for the same subgraph. */
export function schemaHeadersOf(
  { supergraph }: Pick<GatewayConfig, 'supergraph'>,
  { name, url }: { readonly name: string; readonly url: string },
): Readonly<Record<string, string>> | undefined {
  if (!('subgraphs' in supergraph)) return undefined;
  const configured = supergraph.subgraphs.find((subgraph) => subgraph.name === name);
  if (configured === undefined || new URL(configured.url).origin !== new URL(url).origin) return undefined;
  return configured.headers;
}
