import type { GatewayConfig } from '../../gateway/config/schema.ts';
import { subgraphPolicyOf } from '../../gateway/config/subgraphPolicyOf.ts';
import type { SubgraphAddress } from '../../gateway/supergraph/sources/fetchSubgraphSdl.ts';
import type { ContractStore } from '../contractStore.ts';
import { placeholderUrl } from '../store/schemaFile.ts';

interface AddressSources {
  readonly store: Pick<ContractStore, 'schemas'>;
  readonly config?: GatewayConfig | undefined;
  /** By name: what was said for this once. */
  readonly overrides: ReadonlyMap<string, string>;
  /** By name: where a gateway that runs reaches them. */
  readonly gateway: ReadonlyMap<string, string>;
}

/** Where subgraphs are asked for their SDL. What was given counts most, then where the configuration asks for schemas,
 *  then where it sends operations, then what a gateway says, then the contract. One without any is left out. */
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
    for (const name of Object.keys(config.subgraphs)) {
      const url = name === 'all' ? undefined : subgraphPolicyOf(config, name).url;
      if (url !== undefined) addresses.set(name, url);
    }
    if ('subgraphs' in config.supergraph) {
      for (const { name, url } of config.supergraph.subgraphs) addresses.set(name, url);
    }
  }
  for (const [name, url] of overrides) addresses.set(name, url);
  return Array.from(addresses, ([name, url]) => ({ name, url }));
}
