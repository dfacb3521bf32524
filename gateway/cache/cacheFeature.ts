import { formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { FetchSender } from '../execution/fetchSender.ts';
import type { Feature, FeatureContext, SupergraphFindings, SupergraphReading } from '../feature.ts';
import { isRedisConfigured } from '../redis/redisOptions.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { ProblemLog } from '../telemetry/problemLog.ts';
import { shutdownStepMs } from '../time/shutdownStepMs.ts';
import type { Timers } from '../time/timers.ts';
import type { Routes } from '../transport/http/routes.ts';
import { createCacheAdministration } from './cacheAdministration.ts';
import { CacheMetrics, type CacheObserver } from './cacheMetrics.ts';
import { addCacheRoutes } from './cacheRoutes.ts';
import { CachePlans } from './fetches/cachePlans.ts';
import { CachingFetchSender } from './fetches/cachingFetchSender.ts';
import { FetchCache } from './fetches/fetchCache.ts';
import { createFetchCacheOptions } from './fetches/fetchCacheOptions.ts';
import { InvalidatingFetchSender } from './fetches/invalidatingFetchSender.ts';
import { EventInvalidations } from './invalidation/eventInvalidations.ts';
import { findSubgraphProblem } from './invalidation/invalidationProblems.ts';
import { parseInvalidationRequest } from './invalidation/invalidationRequest.ts';
import {
  compileMutationInvalidations,
  type MutationInvalidations,
} from './invalidation/mutationInvalidations.ts';
import { type CacheRules, readCacheRules } from './rules/cacheRules.ts';
import { RuleUsages } from './ruleUsages.ts';
import type { InvalidationResult } from './store/cacheStore.ts';
import { MemoryStore } from './store/memoryStore.ts';
import type { StoreProblems } from './store/storeProblems.ts';
import { TieredStore } from './store/tieredStore.ts';
import { subgraphTag } from './tags/tagNames.ts';

/** The cache: a store, the cache rules of each supergraph, fetches that are answered from the store, and invalidation by
 *  mutations, events and operators. */
export class CacheFeature implements Feature {
  readonly #context: FeatureContext;
  readonly #observer: CacheObserver;
  readonly #store: MemoryStore | TieredStore;
  readonly #problems: StoreProblems;
  readonly #cache: FetchCache;
  readonly #usages: RuleUsages;
  readonly #events: EventInvalidations | undefined;
  readonly #rules = new WeakMap<Supergraph, SupergraphRules>();
  /** See `InvalidatingFetchSender`. */
  readonly #repetitions = new Set<() => void>();
  readonly #firstRules = Promise.withResolvers<CacheRules>();
  #current: SupergraphRules | undefined;
  #hasSupergraph = false;

  constructor(context: FeatureContext) {
    this.#context = context;
    const { config, identityHeaders, log, metrics, timers, now } = context;
    const problems: StoreProblems = new ProblemLog({ log, now, message: 'The cache store has a problem' });
    const store = createStore(config, { problems, timers, now });
    const observer = new CacheMetrics({
      registry: metrics.registry,
      problems: () => problems.counts,
      memory: () => ({ bytes: store.size, entries: store.entryCount }),
    });
    this.#problems = problems;
    this.#store = store;
    this.#observer = observer;
    this.#cache = new FetchCache(
      createFetchCacheOptions({ config, identityHeaders, store, observer, log, timers, now }),
    );
    this.#usages = new RuleUsages({ log, now });
    this.#events = this.#createEvents();
  }

  readSupergraph(reading: SupergraphReading): SupergraphFindings | undefined {
    const {
      enabled,
      rules: configured,
      mutations,
      ignoreSubgraphNoStore,
      events,
    } = this.#context.config.cache;
    // Decides without parsing the SDL, for supergraphs that have no rules. Invalidations need the graph also while none are in
    // use: the entries of an earlier supergraph are served again when that one is, or by another process.
    const isNeeded =
      reading.supergraph.sdl.includes('://tributary.dev/spec/') ||
      [configured, mutations].some((section) => Object.keys(section).length > 0) ||
      events.stream !== '' ||
      this.#current !== undefined;
    if (!enabled || !isNeeded) return undefined;
    const { rules, problems, unknown, warnings } = readCacheRules(reading.document, configured);
    const compiled = compileMutationInvalidations(mutations, rules.graph);
    return {
      problems,
      unknownNames: [
        ...unknown.map(({ key, reason }) => `${formatConfigPath(['cache', 'rules', key])}: ${reason}`),
        ...ignoreSubgraphNoStore.flatMap((name, index) => {
          const problem = findSubgraphProblem(name, rules.graph);
          return problem === undefined ? [] : [`cache.ignoreSubgraphNoStore[${index}]: ${problem}`];
        }),
        ...compiled.unknown,
      ],
      warnings,
      attach: (supergraph) => {
        this.#rules.set(supergraph, { rules, mutations: compiled.invalidations });
        return undefined;
      },
    };
  }

  onSupergraph(supergraph: Supergraph): void {
    this.#hasSupergraph = true;
    this.#current = this.#rules.get(supergraph);
    if (this.#current !== undefined) this.#firstRules.resolve(this.#current.rules);
  }

  decorateFetches(fetches: FetchSender, supergraph: Supergraph): FetchSender {
    const rules = this.#rules.get(supergraph);
    if (rules === undefined) return fetches;
    const { config, log, timers } = this.#context;
    return new InvalidatingFetchSender({
      next: new CachingFetchSender({
        next: fetches,
        plans: new CachePlans(rules.rules, this.#usages),
        cache: this.#cache,
      }),
      invalidations: rules.mutations,
      store: this.#store,
      observer: this.#observer,
      maxWaitMs: config.redis.timeouts.read,
      repeatAfterMs: this.#cache.options.refreshTimeoutMs,
      repetitions: this.#repetitions,
      onSkipped: (field, reason) =>
        log.warn(
          { field, reason },
          'A mutation did not invalidate everything: an argument has no usable value (cache.mutations)',
        ),
      onFault: (err) =>
        log.error({ err }, 'A mutation did not invalidate the cache because of an internal error'),
      timers,
    });
  }

  addAdminRoutes(routes: Routes): void {
    const { config, now } = this.#context;
    const cache = config.cache.enabled
      ? createCacheAdministration({
          store: this.#store,
          observer: this.#observer,
          rules: () => this.#current?.rules,
          hasSupergraph: () => this.#hasSupergraph,
          reportRules: (rules) => this.#usages.report(rules, this.#cache.options.headerNames),
          now,
        })
      : undefined;
    addCacheRoutes(routes, { cache, bodySize: config.limits.bodySize });
  }

  async close(withinMs: number): Promise<void> {
    this.#events?.close();
    // Other processes continue to serve the entries.
    for (const repeat of this.#repetitions) repeat();
    await this.#store.close(shutdownStepMs(withinMs, this.#context.config.listen.drainTimeout));
  }

  #createEvents(): EventInvalidations | undefined {
    const { config, timers } = this.#context;
    const { stream } = config.cache.events;
    if (!config.cache.enabled || stream === '') return undefined;
    return new EventInvalidations({
      config: config.redis,
      stream,
      problems: this.#problems,
      parse: async (body) => parseInvalidationRequest(body, (await this.#currentRules()).graph),
      invalidate: (tags) => this.#invalidate(tags),
      tagsOfEverything: async () => [...(await this.#currentRules()).graph.subgraphs].map(subgraphTag),
      timers,
    });
  }

  /** Waits for the first supergraph while there is none yet. With events, every supergraph has some. */
  async #currentRules(): Promise<CacheRules> {
    return this.#current?.rules ?? this.#firstRules.promise;
  }

  async #invalidate(tags: readonly string[]): Promise<InvalidationResult> {
    const result = await this.#store.deleteByTags(tags);
    this.#observer.onInvalidated({ by: 'event', deleted: result.deleted });
    return result;
  }
}

/** What the cache does with one supergraph. */
interface SupergraphRules {
  readonly rules: CacheRules;
  readonly mutations: MutationInvalidations;
}

function createStore(
  config: GatewayConfig,
  options: { readonly problems: StoreProblems; readonly timers: Timers; readonly now: () => number },
): MemoryStore | TieredStore {
  const { maxSize } = config.cache.memory;
  return config.cache.enabled && isRedisConfigured(config.redis)
    ? new TieredStore({ ...options, config: config.redis, maxSize })
    : new MemoryStore({ maxSize, now: options.now });
}
