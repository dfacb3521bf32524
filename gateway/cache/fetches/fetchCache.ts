import type { CacheScope } from '../../execution/cachingContribution.ts';
import { SingleFlight } from '../../subgraphs/policies/singleFlight.ts';
import type { Timers } from '../../time/timers.ts';
import type { CacheObserver } from '../cacheObserver.ts';
import type { AnswerTagLimits } from '../rules/answerTags.ts';
import type { CacheStore } from '../store/cacheStore.ts';
import type { FetchFlights } from './fetchOutcome.ts';
import { RefreshBackoff } from './refreshBackoff.ts';

export interface FetchCacheOptions {
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  readonly nullMaxAgeMs: number;
  readonly tagLimits: AnswerTagLimits;
  /** Most characters of a value. */
  readonly maxEntrySize: number;
  /** Lower case names of forwarded headers that change no public value. */
  readonly ignoredHeaders: ReadonlySet<string>;
  /** Names of the client's headers that values of a subgraph may depend on, in lower case. */
  headerNames(subgraph: string, scope: CacheScope): readonly string[];
  /** Milliseconds that a refresh may take. */
  refreshTimeoutMs(subgraph: string): number;
  /** Milliseconds for which nobody asks again where a refresh has failed. */
  readonly refreshBackoffMs: number;
  /** A subgraph said something about caching that makes no sense. */
  onInvalidMetadata(subgraph: string, reason: string): void;
  /** A fault of the gateway's own; the values concerned are not kept. */
  onFault(fault: unknown): void;
  /** Milliseconds since 1970. */
  now(): number;
  readonly timers: Timers;
}

/** What all cached fetches of a process share. */
export class FetchCache {
  readonly options: FetchCacheOptions;
  readonly singleFlight: FetchFlights = new SingleFlight();
  readonly refreshBackoff: RefreshBackoff;

  constructor(options: FetchCacheOptions) {
    this.options = options;
    this.refreshBackoff = new RefreshBackoff(options.now);
  }

  get store(): CacheStore {
    return this.options.store;
  }
}
