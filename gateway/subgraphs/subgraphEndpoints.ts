import { formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { type SubgraphPolicy, subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Certificates } from '../tls/certificates.ts';
import { signingOf } from './requestSignature.ts';
import type { SubgraphEndpoint } from './subgraphPools.ts';

/** Returns the policy of a subgraph. Each one is merged once. */
export function memoizePolicies(config: GatewayConfig): (subgraph: string) => SubgraphPolicy {
  const policies = new Map<string, SubgraphPolicy>();
  return (subgraph) => {
    let policy = policies.get(subgraph);
    if (policy === undefined) {
      policy = subgraphPolicyOf(config, subgraph);
      policies.set(subgraph, policy);
    }
    return policy;
  };
}

/** Returns the endpoint of a subgraph: its URL and how to call it. A removed subgraph keeps its last endpoint, for
 *  operations that still run on an older supergraph. */
export function createSubgraphEndpoints(
  config: GatewayConfig,
  supergraphs: { onChange(listener: (supergraph: Supergraph) => void): () => void },
  certificates: Pick<Certificates, 'ofSubgraph' | 'onChange'>,
  log: Pick<Logger, 'warn'>,
): (subgraph: string) => SubgraphEndpoint {
  const endpoints = new Map<string, SubgraphEndpoint>();
  const withUnusedCertificates = new Set<string>();
  supergraphs.onChange((supergraph) => {
    for (const { name, url } of supergraph.subgraphs.values()) {
      const policy = subgraphPolicyOf(config, name);
      if (hasUnusedCertificates(config, name, url) && !withUnusedCertificates.has(name)) {
        withUnusedCertificates.add(name);
        const option = formatConfigPath(['subgraphs', name, 'tls']);
        const message =
          'A subgraph is called without TLS, although it has certificates: use https:// in its URL';
        log.warn({ option }, message);
      }
      endpoints.set(name, {
        subgraph: name,
        url,
        attemptTimeoutMs: policy.timeouts.attempt,
        maxResponseBytes: policy.maxResponseSize,
        connections: policy.connections,
        concurrency: policy.concurrency,
        http2: policy.http2 === 'auto',
        retry: policy.retry.enabled ? policy.retry : undefined,
        breaker: policy.breaker.enabled ? policy.breaker : undefined,
        hedge: policy.hedge.enabled ? policy.hedge : undefined,
        isAdaptive: policy.concurrency.adaptive,
        urls: policy.urls.length > 1 ? policy.urls : undefined,
        maxConnectionAgeMs: policy.maxConnectionAge,
        pingIntervalMs: pingIntervalOf(policy),
        tls: certificates.ofSubgraph(name),
        respond: respondedNamesOf(policy),
        signing: signingOf(policy),
      });
    }
  });
  certificates.onChange(() => {
    for (const [name, endpoint] of endpoints)
      endpoints.set(name, { ...endpoint, tls: certificates.ofSubgraph(name) });
  });
  return (subgraph) => {
    const endpoint = endpoints.get(subgraph);
    if (endpoint === undefined) throw new Error(`No supergraph has a subgraph "${subgraph}".`);
    return endpoint;
  };
}

/** Certificates of `all` may be for other subgraphs. */
function hasUnusedCertificates({ subgraphs }: GatewayConfig, name: string, url: string): boolean {
  const { tls = {}, urls = [] } = subgraphs[name] ?? {};
  const isPlain = (urls.length > 0 ? urls : [url]).some((address) => /^http:/i.test(address));
  return isPlain && Object.values(tls).some(Boolean);
}

const minPingIntervalMs = 1_000;
const maxPingIntervalMs = 60_000;

/** A call that times out closes its connection over HTTP/1.1, but only its stream over HTTP/2: without pings, a connection
 *  that was lost without notice would get further calls, and each would time out. A slow response does not delay the answer
 *  to a ping, but a blocked event loop of the subgraph does. So the interval is no shorter than a call may take. */
function pingIntervalOf({ timeouts: { attempt } }: SubgraphPolicy): number {
  return Math.min(Math.max(attempt, minPingIntervalMs), maxPingIntervalMs);
}

/** `cache-control` is read of every response, and merged with what the cache rules say. */
function respondedNamesOf({ headers }: SubgraphPolicy): readonly string[] | undefined {
  const names = headers.respond.map(({ name }) => name).filter((name) => name !== 'cache-control');
  return names.length === 0 ? undefined : names;
}
