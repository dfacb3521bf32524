import { LRUCache } from 'lru-cache';
import { type GatewayError, internalServerError, isStackOverflow } from '../../errors.ts';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { nestedTooDeepError } from '../../execution/invalidDataError.ts';
import { SingleFlight } from '../../sharing/singleFlight.ts';
import type { Timers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheMetrics.ts';
import type { ResponseTagLimits } from '../rules/storageDecision.ts';
import type { CacheStore } from '../store/cacheStore.ts';
import type { FetchFlights } from './fetchFlights.ts';

export interface FetchCacheOptions {
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  readonly nullMaxAgeMs: number;
  readonly tagLimits: ResponseTagLimits;
  /** In characters of a value's JSON text. */
  readonly maxEntrySize: number;
  /** Forwarded headers that change no public value. Names in lower case. */
  readonly ignoredHeaders: ReadonlySet<string>;
  /** Client headers that values of a subgraph may depend on. Names in lower case. */
  headerNames(subgraph: string, scope: CacheScope): readonly string[];
  /** The deadline of a refresh. */
  refreshTimeoutMs(subgraph: string): number;
  /** Whether `Cache-Control: no-store` of the subgraph does not count. */
  ignoresNoStore(subgraph: string): boolean;
  /** A fault of the gateway failed fetches of the subgraph, or a refresh. */
  onFault(fault: unknown, subgraph: string): void;
  /** Milliseconds since 1970. */
  now(): number;
  readonly timers: Timers;
}

/** The state that all cached fetches of a process share. */
export class FetchCache {
  readonly options: FetchCacheOptions;
  readonly singleFlight: FetchFlights = new SingleFlight();
  readonly refreshBackoff: RefreshBackoff;

  constructor(options: FetchCacheOptions) {
    this.options = options;
    this.refreshBackoff = new RefreshBackoff(options.timers);
  }

  get store(): CacheStore {
    return this.options.store;
  }

  /** Returns the error of the fetches that failed because something was thrown. Reports a fault of the gateway once: several
   *  requests may wait for the fetches, or none. */
  toFetchError(cause: unknown, subgraph: string): GatewayError {
    if (isStackOverflow(cause)) return nestedTooDeepError(subgraph);
    this.options.onFault(cause, subgraph);
    return internalServerError(cause, { subgraph });
  }
}

/** A key whose refresh failed is not refreshed again within this time. */
export const refreshBackoffMs = 1_000;

/** Keys that must not be refreshed yet, because their latest refresh failed. */
class RefreshBackoff {
  readonly #blockedUntil = new LRUCache<string, number>({ max: 10_000 });
  readonly #timers: Timers;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  backOff(key: string): void {
    this.#blockedUntil.set(key, this.#timers.now() + refreshBackoffMs);
  }

  isBackingOff(key: string): boolean {
    const until = this.#blockedUntil.get(key);
    if (until === undefined) return false;
    if (this.#timers.now() < until) return true;
    this.#blockedUntil.delete(key);
    return false;
  }
}
