import type { GatewayConfig } from '../../config/schema.ts';
import type { SubgraphPolicy } from '../../config/subgraphPolicyOf.ts';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { memoizePolicies } from '../../subgraphs/subgraphEndpoints.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { systemTimers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheObserver.ts';
import type { CacheStore } from '../store/cacheStore.ts';
import type { FetchCacheOptions } from './fetchCache.ts';

/** So many mistakes of subgraphs are told; more differ only in what the subgraph puts into them. */
const maxWarnings = 1_000;

/** What the configuration says about fetches that may be answered from the cache. */
export function createFetchCacheOptions({
  config,
  store,
  observer,
  log,
  now,
}: {
  readonly config: GatewayConfig;
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  readonly log: Logger;
  readonly now: () => number;
}): FetchCacheOptions {
  const policyOf = memoizePolicies(config);
  const ignoredHeaders = new Set(config.cache.ignoreHeaders);
  const warned = new Set<string>();
  return {
    store,
    observer,
    nullMaxAgeMs: config.cache.nullMaxAge,
    tagLimits: config.cache.answerTags,
    maxEntrySize: config.cache.maxEntrySize,
    ignoredHeaders,
    headerNames: memoizeHeaderNames(config, policyOf, ignoredHeaders),
    refreshTimeoutMs: (subgraph) => policyOf(subgraph).timeouts.deadline,
    refreshBackoffMs: config.cache.refreshPause,
    onInvalidMetadata: (subgraph, reason) => {
      const mistake = `${subgraph} ${reason}`;
      if (warned.has(mistake) || warned.size >= maxWarnings) return;
      warned.add(mistake);
      log.warn(
        { subgraph, reason },
        'A subgraph says how long to keep an answer in a way that makes no sense',
      );
    },
    onFault: (err) => log.error({ err }, 'An answer could not be kept'),
    now,
    timers: systemTimers,
  };
}

/** Names of the client's headers that values may depend on, each list made once: equal lists are identical. */
function memoizeHeaderNames(
  config: GatewayConfig,
  policyOf: (subgraph: string) => SubgraphPolicy,
  ignored: ReadonlySet<string>,
): (subgraph: string, scope: CacheScope) => readonly string[] {
  const lists = new Map<string, readonly string[]>();
  const identityHeader = config.security.identity?.header ?? 'authorization';
  return (subgraph, scope) => {
    const key = `${scope} ${subgraph}`;
    let names = lists.get(key);
    if (names === undefined) {
      const forwarded = policyOf(subgraph).headers.forward.map((name) => name.toLowerCase());
      names =
        scope === 'PRIVATE' ? [...forwarded, identityHeader] : forwarded.filter((name) => !ignored.has(name));
      lists.set(key, names);
    }
    return names;
  };
}
