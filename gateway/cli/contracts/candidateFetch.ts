import { findConfigFile, loadConfig } from '../../config/loadConfig.ts';
import { readSchemaAccess, schemaSections } from '../../subgraphs/schemaAccess.ts';
import { fetchSubgraphSdl, type SubgraphAddress } from '../../supergraph/sources/fetchSubgraphSdl.ts';

/** Returns a function that fetches the SDL of a running candidate with the headers of `supergraph.subgraphs`. The
 *  configuration is read for it alone: candidates in files do not need one, and neither do other subgraphs.
 *  The function @throws {ConfigError} */
export function createCandidateFetch(configFile?: string): (address: SubgraphAddress) => Promise<string> {
  const file = findConfigFile(configFile);
  return async (address) => {
    const subgraphs = new Set([address.name]);
    const accessOf = await readSchemaAccess(
      file === undefined
        ? undefined
        : loadConfig({ file, sections: schemaSections, subgraphs, env: process.env }),
    );
    return fetchSubgraphSdl(address, new AbortController().signal, accessOf(address));
  };
}
