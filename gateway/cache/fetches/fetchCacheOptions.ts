import type { GatewayConfig } from '../../config/schema.ts';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { createHeaderRules } from '../../subgraphs/headerRules.ts';
import { memoizePolicies } from '../../subgraphs/subgraphEndpoints.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Timers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheMetrics.ts';
import type { CacheStore } from '../store/cacheStore.ts';
import type { FetchCacheOptions } from './fetchCache.ts';

/** The options of the fetch cache, from the configuration. */
export function createFetchCacheOptions({
  config,
  identityHeaders,
  store,
  observer,
  log,
  timers,
  now,
}: {
  readonly config: GatewayConfig;
  readonly identityHeaders: readonly string[];
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  readonly log: Logger;
  readonly timers: Timers;
  readonly now: () => number;
}): FetchCacheOptions {
  const policyOf = memoizePolicies(config);
  const ignoredHeaders = new Set(config.cache.ignoreHeaders);
  const ignoresNoStore = new Set(config.cache.ignoreSubgraphNoStore);
  return {
    store,
    observer,
    nullMaxAgeMs: config.cache.nullMaxAge,
    tagLimits: config.cache.responseTags,
    maxEntrySize: config.cache.maxEntrySize,
    ignoredHeaders,
    headerNames: memoizeHeaderNames(config, identityHeaders, ignoredHeaders),
    refreshTimeoutMs: (subgraph) => policyOf(subgraph).timeouts.deadline,
    ignoresNoStore: (subgraph) => ignoresNoStore.has(subgraph),
    onFault: (err, subgraph) =>
      log.error({ err, subgraph }, 'A fetch failed in the cache because of an internal error'),
    now,
    timers,
  };
}

const noHeaders: ReadonlySet<string> = new Set();

/** Returns the same array for the same subgraph and scope, so that lists can be compared by identity. */
function memoizeHeaderNames(
  config: GatewayConfig,
  identityHeaders: readonly string[],
  ignored: ReadonlySet<string>,
): (subgraph: string, scope: CacheScope) => readonly string[] {
  const listsByScope: Readonly<Record<CacheScope, Map<string, readonly string[]>>> = {
    PUBLIC: new Map(),
    PRIVATE: new Map(),
  };
  const rulesOf = createHeaderRules(config);
  return (subgraph, scope) => {
    const lists = listsByScope[scope];
    let names = lists.get(subgraph);
    if (names === undefined) {
      const isPrivate = scope === 'PRIVATE';
      const sources = rulesOf(subgraph).sourceHeaders(isPrivate ? noHeaders : ignored);
      names = isPrivate ? [...sources, ...identityHeaders] : sources;
      lists.set(subgraph, names);
    }
    return names;
  };
}
