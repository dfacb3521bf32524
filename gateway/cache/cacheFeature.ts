import { CachedFetches } from '../cached-fetches/cachedFetches.ts';
import { CachePlans } from '../cached-fetches/cachePlans.ts';
import { FetchCache } from '../cached-fetches/fetchCache.ts';
import { createFetchCacheOptions } from '../cached-fetches/fetchCacheOptions.ts';
import { InvalidatingFetches } from '../cached-fetches/invalidatingFetches.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { FetchSender } from '../execution/fetchSender.ts';
import { usesRedis } from '../redis/redisOptions.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemTimers } from '../time/timers.ts';
import type { CacheAdmin } from '../transport/http/cacheRoutes.ts';
import { createCacheAdministration } from './cacheAdministration.ts';
import type { CacheObserver } from './cacheObserver.ts';
import { EventInvalidations } from './invalidation/eventInvalidations.ts';
import { readInvalidation } from './invalidation/readInvalidation.ts';
import { mayHaveRules, readSupergraphRules, type SupergraphRules } from './rules/supergraphRules.ts';
import type { InvalidationResult } from './store/cacheStore.ts';
import { MemoryStore } from './store/memoryStore.ts';
import { StoreProblems } from './store/storeProblems.ts';
import { TieredStore } from './store/tieredStore.ts';
import { subgraphTag } from './tags/tagNames.ts';

export interface CacheFeatureOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly observer: CacheObserver;
  /** Asks the subgraphs. */
  readonly fetches: FetchSender;
  /** Milliseconds since 1970. */
  now(): number;
}

/** What the parts of the cache make together: the store, the rules of each supergraph, the fetches that are answered
 *  from the one by the other, and what invalidates. */
export class CacheFeature {
  readonly store: MemoryStore | TieredStore;
  readonly problems: StoreProblems;
  readonly #options: CacheFeatureOptions;
  readonly #cache: FetchCache;
  readonly #events: EventInvalidations | undefined;
  readonly #fetches = new WeakMap<Supergraph, FetchSender>();
  readonly #rules = new WeakMap<Supergraph, SupergraphRules>();
  readonly #firstRules = Promise.withResolvers<void>();
  #current: SupergraphRules | undefined;

  constructor(options: CacheFeatureOptions) {
    this.#options = options;
    const { config, log, observer, now } = options;
    this.problems = new StoreProblems({ log, now });
    this.store = createStore(config, this.problems, now);
    this.#cache = new FetchCache(createFetchCacheOptions({ config, store: this.store, observer, log, now }));
    this.#events = this.#createEvents();
  }

  /** The rules of a supergraph that is being loaded; `undefined` where nothing may be kept. Errors:
   *  `SupergraphRefusedError`. */
  readRules(sdl: string, isFirst: boolean): SupergraphRules | undefined {
    const { config, log } = this.#options;
    const { enabled, rules: configured, mutations } = config.cache;
    if (!enabled || !mayHaveRules(sdl, configured)) return undefined;
    return readSupergraphRules({
      sdl,
      configured,
      mutations,
      isFirst,
      onUnknown: (unknown) =>
        log.warn({ unknown }, 'The configuration of the cache names what the supergraph does not have'),
    });
  }

  /** Connects a supergraph with its rules, before its first operation. */
  prepare(supergraph: Supergraph, rules: SupergraphRules): void {
    const { config, observer, fetches, log } = this.#options;
    const cached = new CachedFetches({
      next: fetches,
      plans: new CachePlans(rules.rules),
      cache: this.#cache,
    });
    this.#rules.set(supergraph, rules);
    this.#fetches.set(
      supergraph,
      new InvalidatingFetches({
        next: cached,
        invalidations: rules.mutations,
        store: this.store,
        observer,
        waitMs: config.redis.timeouts.read,
        onSkipped: (field, reason) =>
          log.warn({ field, reason }, 'A mutation has not invalidated all it should'),
        onFault: (err) => log.error({ err }, 'A mutation has not invalidated what it should'),
        timers: systemTimers,
      }),
    );
  }

  /** From now on invalidations are in the words of this supergraph. */
  use(supergraph: Supergraph): void {
    this.#current = this.#rules.get(supergraph);
    if (this.#current !== undefined) this.#firstRules.resolve();
  }

  fetchesOf(supergraph: Supergraph): FetchSender {
    return this.#fetches.get(supergraph) ?? this.#options.fetches;
  }

  /** `undefined` where the cache is off. */
  get administration(): CacheAdmin | undefined {
    const { config, observer, now } = this.#options;
    if (!config.cache.enabled) return undefined;
    return createCacheAdministration({
      store: this.store,
      observer,
      rules: () => this.#current?.rules,
      now,
    });
  }

  close(): Promise<void> {
    this.#events?.close();
    return this.store.close();
  }

  #createEvents(): EventInvalidations | undefined {
    const { config } = this.#options;
    const { stream } = config.cache.events;
    if (!config.cache.enabled || stream === '') return undefined;
    return new EventInvalidations({
      config: config.redis,
      stream,
      problems: this.problems,
      read: async (body) => {
        await this.#firstRules.promise;
        const current = this.#current;
        if (current !== undefined) return readInvalidation(body, current.rules.graph);
        // The supergraph has lost its rules meanwhile: nothing is kept that could be old.
        return { kind: 'tags', tags: [] };
      },
      invalidate: (tags) => this.#invalidate(tags),
      onGap: async () => {
        await this.#firstRules.promise;
        return this.#invalidate([...(this.#current?.rules.graph.subgraphs ?? [])].map(subgraphTag));
      },
    });
  }

  async #invalidate(tags: readonly string[]): Promise<InvalidationResult> {
    const result = await this.store.deleteByTags(tags);
    this.#options.observer.onInvalidated({ by: 'event', deleted: result.deleted });
    return result;
  }
}

function createStore(
  config: GatewayConfig,
  problems: StoreProblems,
  now: () => number,
): MemoryStore | TieredStore {
  const { maxSize } = config.cache.memory;
  return config.cache.enabled && usesRedis(config.redis)
    ? new TieredStore({ config: config.redis, maxSize, problems, now })
    : new MemoryStore({ maxSize, now });
}
