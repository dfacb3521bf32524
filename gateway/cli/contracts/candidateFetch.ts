import { findConfigFile, loadConfig } from '../../config/loadConfig.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import { readSchemaAccess, schemaSections } from '../../subgraphs/schemaAccess.ts';
import {
  type AccessOfAddress,
  fetchSubgraphSdl,
  type SubgraphAddress,
} from '../../supergraph/sources/fetchSubgraphSdl.ts';

/** Returns a function that fetches the SDL of a running candidate with the headers of `supergraph.subgraphs`. The
 *  configuration is read at the first call: candidates in files do not need it. */
export function createCandidateFetch(configFile?: string): (address: SubgraphAddress) => Promise<string> {
  const file = findConfigFile(configFile);
  let config: GatewayConfig | undefined;
  let accessOf: AccessOfAddress | undefined;
  return async (address) => {
    config ??=
      file === undefined ? undefined : loadConfig({ file, sections: schemaSections, env: process.env });
    accessOf ??= config && (await readSchemaAccess(config));
    return fetchSubgraphSdl(address, new AbortController().signal, accessOf?.(address));
  };
}
