import process from 'node:process';
import type { GatewayConfig } from '../config/schema.ts';
import { schemaHeadersOf } from '../config/schemaHeadersOf.ts';
import { subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import type { AccessOfAddress, SubgraphAddress } from '../supergraph/sources/fetchSubgraphSdl.ts';
import { Certificates } from '../tls/certificates.ts';
import { pairsToObject } from './forwardedHeaders.ts';
import { createHeaderRules } from './headerRules.ts';
import { signatureHeaderOf, signingOf } from './requestSignature.ts';

/** How the gateway fetches the schemas of subgraphs: with the headers that need no client, the certificate and the signature
 *  of operations, and with the headers of `supergraph.subgraphs`. `isTrusted`: whether an address may get them. */
export function createSchemaAccess(
  config: GatewayConfig,
  certificates: Pick<Certificates, 'ofSubgraph'>,
  isTrusted: (address: SubgraphAddress) => boolean = () => true,
): AccessOfAddress {
  const rulesOf = createHeaderRules(config);
  return (address) => {
    if (!isTrusted(address)) return { tls: certificates.ofSubgraph(address.name) };
    const signing = signingOf(subgraphPolicyOf(config, address.name));
    return {
      headers: {
        ...pairsToObject(rulesOf(address.name).constantHeaders.pairs),
        ...schemaHeadersOf(config, address),
      },
      tls: certificates.ofSubgraph(address.name),
      sign: signing && ((body) => signatureHeaderOf(signing, body)),
    };
  };
}

/** The sections of the configuration that fetching schemas depends on. */
export const schemaSections = ['supergraph', 'subgraphs'] as const;

/** The same for a command, which reads certificates once, and which may run behind a proxy (in CI, for example). Commands
 *  may name any address for a subgraph: headers go only to origins that the configuration has for it.
 *  @throws {ConfigError} for a file that cannot be used. */
export async function readSchemaAccess(config: GatewayConfig | undefined): Promise<AccessOfAddress> {
  const proxies = { proxyEnv: process.env };
  if (config === undefined) return () => proxies;
  const ignore = (): void => undefined;
  const log = { info: ignore, warn: ignore, error: ignore };
  const certificates = await Certificates.read({ subgraphs: config.subgraphs }, { log });
  await certificates.close();
  const accessOf = createSchemaAccess(config, certificates, ({ name, url }) => {
    const { url: own, urls } = subgraphPolicyOf(config, name);
    const { supergraph } = config;
    const composed =
      'subgraphs' in supergraph ? supergraph.subgraphs.filter((entry) => entry.name === name) : [];
    return [own, ...urls, ...composed.map((entry) => entry.url)].some(
      (known) => known !== undefined && new URL(known).origin === new URL(url).origin,
    );
  });
  return (address) => ({ ...accessOf(address), ...proxies });
}
