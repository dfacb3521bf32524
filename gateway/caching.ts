import type { CacheObserver } from './cache/cacheObserver.ts';
import type { CacheScope } from './cache/rules/cacheRule.ts';
import type { CacheRules } from './cache/rules/cacheRules.ts';
import type { CacheStore } from './cache/store/cacheStore.ts';
import { MemoryStore } from './cache/store/memoryStore.ts';
import { StoreProblems } from './cache/store/storeProblems.ts';
import { TieredStore } from './cache/store/tieredStore.ts';
import { CachedFetches } from './cached-fetches/cachedFetches.ts';
import { CachePlans } from './cached-fetches/cachePlans.ts';
import { FetchCache } from './cached-fetches/fetchCache.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import { usesRedis } from './redis/redisOptions.ts';
import { memoizePolicies } from './subgraphEndpoints.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import { mayHaveRules, readSupergraphRules } from './supergraphRules.ts';
import type { Logger } from './telemetry/logger.ts';
import { systemTimers } from './time/timers.ts';

export interface CachingOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly observer: CacheObserver;
  /** Asks the subgraphs. */
  readonly fetches: FetchSender;
}

/** What the parts of the cache make together: the store, the rules of each supergraph, and the fetches that are
 *  answered from the one by the other. */
export class Caching {
  readonly store: CacheStore;
  readonly problems: StoreProblems;
  readonly #options: CachingOptions;
  readonly #cache: FetchCache;
  readonly #ofSupergraph = new WeakMap<Supergraph, FetchSender>();

  constructor(options: CachingOptions) {
    this.#options = options;
    const { config, log, observer } = options;
    this.problems = new StoreProblems({ log, now: Date.now });
    this.store = createStore(config, this.problems);
    const policyOf = memoizePolicies(config);
    const warned = new Set<string>();
    const ignored = new Set(config.cache.ignoreHeaders);
    this.#cache = new FetchCache({
      store: this.store,
      observer,
      nullMaxAgeMs: config.cache.nullMaxAge,
      tagLimits: config.cache.answerTags,
      maxEntrySize: config.cache.maxEntrySize,
      ignoredHeaders: ignored,
      headerNames: memoizeHeaderNames(config, ignored),
      refreshDeadlineMs: (subgraph) => policyOf(subgraph).timeouts.deadline,
      refreshPauseMs: config.cache.refreshPause,
      onMistake: (subgraph, reason) => {
        const mistake = `${subgraph} ${reason}`;
        if (warned.has(mistake) || warned.size >= mostWarnings) return;
        warned.add(mistake);
        log.warn(
          { subgraph, reason },
          'A subgraph says how long to keep an answer in a way that makes no sense',
        );
      },
      onFault: (err) => log.error({ err }, 'An answer could not be kept'),
      now: Date.now,
      timers: systemTimers,
    });
  }

  /** The rules of a supergraph that is being loaded; `undefined` where nothing may be kept. Errors:
   *  `SupergraphRefusedError`. */
  readRules(sdl: string, isFirst: boolean): CacheRules | undefined {
    const { config, log } = this.#options;
    const { enabled, rules: configured } = config.cache;
    if (!enabled || !mayHaveRules(sdl, configured)) return undefined;
    return readSupergraphRules({
      sdl,
      configured,
      isFirst,
      onUnknown: (unknown) =>
        log.warn({ unknown }, 'The configuration has cache rules for what the supergraph does not have'),
    });
  }

  /** Connects a supergraph with its rules, before its first operation. */
  use(supergraph: Supergraph, rules: CacheRules): void {
    const plans = new CachePlans(rules);
    this.#ofSupergraph.set(
      supergraph,
      new CachedFetches({ next: this.#options.fetches, plans, cache: this.#cache }),
    );
  }

  fetchesOf(supergraph: Supergraph): FetchSender {
    return this.#ofSupergraph.get(supergraph) ?? this.#options.fetches;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

/** So many mistakes of subgraphs are told; more differ only in what the subgraph puts into them. */
const mostWarnings = 1_000;

/** Names of forwarded headers that values may depend on, each list made once: equal lists are identical. */
function memoizeHeaderNames(
  config: GatewayConfig,
  ignored: ReadonlySet<string>,
): (subgraph: string, scope: CacheScope) => readonly string[] {
  const policyOf = memoizePolicies(config);
  const lists = new Map<string, readonly string[]>();
  const { header } = config.cache.identity ?? {};
  return (subgraph, scope) => {
    const key = `${scope} ${subgraph}`;
    let names = lists.get(key);
    if (names === undefined) {
      const forwarded = policyOf(subgraph).headers.forward.map((name) => name.toLowerCase());
      names =
        scope === 'PRIVATE'
          ? [...forwarded, ...(header === undefined ? ['authorization'] : [header])]
          : forwarded.filter((name) => !ignored.has(name));
      lists.set(key, names);
    }
    return names;
  };
}

function createStore(config: GatewayConfig, problems: StoreProblems): CacheStore {
  const { maxSize } = config.cache.memory;
  return config.cache.enabled && usesRedis(config.redis)
    ? new TieredStore({ config: config.redis, maxSize, problems, now: Date.now })
    : new MemoryStore({ maxSize, now: Date.now });
}
