import type { GatewayConfig } from '../../gateway/config/schema.ts';
import { configuredUrlsOf } from '../../gateway/config/subgraphPolicyOf.ts';
import type { SubgraphAddress } from '../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { ContractStore } from '../contractStore.ts';
import { placeholderUrl } from '../store/schemaFile.ts';

interface AddressSources {
  readonly store: Pick<ContractStore, 'schemas'>;
  readonly config?: GatewayConfig | undefined;
  /** Addresses from the command line, by subgraph name. */
  readonly overrides: ReadonlyMap<string, string>;
  /** Addresses from a running gateway, by subgraph name. */
  readonly gateway: ReadonlyMap<string, string>;
}

/** Addresses for fetching the SDL of subgraphs. Highest priority first: overrides, the configuration's schema
 *  addresses, its addresses for operations, the running gateway, the contract. Subgraphs without an address are
 *  omitted. */
export function resolveSubgraphAddresses({
  store,
  config,
  overrides,
  gateway,
}: AddressSources): readonly SubgraphAddress[] {
  const addresses = new Map<string, string>();
  for (const { name, url } of store.schemas.values())
    if (url !== placeholderUrl(name)) addresses.set(name, url);
  for (const [name, url] of gateway) addresses.set(name, url);
  if (config !== undefined) {
    for (const [name, url] of configuredUrlsOf(config)) addresses.set(name, url);
    if ('subgraphs' in config.supergraph) {
      for (const { name, url } of config.supergraph.subgraphs) addresses.set(name, url);
    }
  }
  for (const [name, url] of overrides) addresses.set(name, url);
  return Array.from(addresses, ([name, url]) => ({ name, url }));
}
