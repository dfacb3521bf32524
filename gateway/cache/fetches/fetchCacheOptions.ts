import type { GatewayConfig } from '../../config/schema.ts';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { createHeaderRules } from '../../subgraphs/headerRules.ts';
import { memoizePolicies } from '../../subgraphs/subgraphEndpoints.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { systemTimers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheMetrics.ts';
import type { CacheStore } from '../store/cacheStore.ts';
import type { FetchCacheOptions } from './fetchCache.ts';

/** Bounds the memory for reported reasons, which may contain text of the subgraph. */
const maxReportedReasons = 1_000;

/** The options of the fetch cache, from the configuration. */
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
  const ignoresNoStore = new Set(config.cache.ignoreSubgraphNoStore);
  const report = (
    level: 'info' | 'warn',
    subgraph: string,
    fields: readonly string[],
    reason: string,
  ): void => {
    const unreported = fields.filter((field) => !warned.has(`${subgraph} ${field} ${reason}`));
    if (unreported.length === 0 || warned.size >= maxReportedReasons) return;
    for (const field of unreported) warned.add(`${subgraph} ${field} ${reason}`);
    log[level](
      { subgraph, fields: unreported, reason },
      'Values with a cache rule are not stored (docs/caching.md, "Nothing is cached?")',
    );
  };
  return {
    store,
    observer,
    nullMaxAgeMs: config.cache.nullMaxAge,
    tagLimits: config.cache.answerTags,
    maxEntrySize: config.cache.maxEntrySize,
    ignoredHeaders,
    headerNames: memoizeHeaderNames(config, ignoredHeaders),
    refreshTimeoutMs: (subgraph) => policyOf(subgraph).timeouts.deadline,
    refreshBackoffMs: config.cache.refreshPause,
    onInvalidMetadata: (subgraph, reason) => {
      const warning = `${subgraph} ${reason}`;
      if (warned.has(warning) || warned.size >= maxReportedReasons) return;
      warned.add(warning);
      log.warn({ subgraph, reason }, 'A subgraph sent invalid cache metadata; its answer was not stored');
    },
    ignoresNoStore: (subgraph) => ignoresNoStore.has(subgraph),
    onNotStored: (subgraph, fields, reason) => report('warn', subgraph, fields, reason),
    onUncacheable: (subgraph, fields, reason) => report('info', subgraph, fields, reason),
    onFault: (err) => log.error({ err }, 'An answer could not be stored in the cache'),
    now,
    timers: systemTimers,
  };
}

const noHeaders: ReadonlySet<string> = new Set();

/** Returns the same array for the same subgraph and scope, so that lists can be compared by identity. */
function memoizeHeaderNames(
  config: GatewayConfig,
  ignored: ReadonlySet<string>,
): (subgraph: string, scope: CacheScope) => readonly string[] {
  const lists = new Map<string, readonly string[]>();
  const identityHeaders = identityHeadersOf(config.security);
  const rulesOf = createHeaderRules(config);
  return (subgraph, scope) => {
    const key = `${scope} ${subgraph}`;
    let names = lists.get(key);
    if (names === undefined) {
      const isPrivate = scope === 'PRIVATE';
      const behind = rulesOf(subgraph).clientHeadersBehind(isPrivate ? noHeaders : ignored);
      names = isPrivate ? [...behind, ...identityHeaders] : behind;
      lists.set(key, names);
    }
    return names;
  };
}

/** Client headers that decide whose private values a request may read. */
function identityHeadersOf({ identity, jwt }: GatewayConfig['security']): readonly string[] {
  if (identity?.header !== undefined) return [identity.header];
  if (jwt === undefined) return ['authorization'];
  return jwt.cookie === '' ? [jwt.header] : [jwt.header, 'cookie'];
}
