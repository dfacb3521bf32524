import { GatewayError } from '../../errors.ts';
import { createCountdownLatch } from '../../execution/countdownLatch.ts';
import type { FetchCall } from '../../execution/fetchCall.ts';
import type { FetchSender } from '../../execution/fetchSender.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { CacheResults } from '../store/cacheStore.ts';
import { CachedCall, type ItemRef } from './cachedCall.ts';
import { CacheMisses } from './cacheMisses.ts';
import { isFresh, selectEntry } from './effectiveEntry.ts';
import type { FetchCache } from './fetchCache.ts';
import type { CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { refreshStaleItems } from './refresh.ts';

interface CachedRequestOptions {
  readonly cache: FetchCache;
  /** Asks the subgraphs. */
  readonly next: FetchSender;
  readonly scope: RequestContext;
  /** Calls of which something may be kept. */
  readonly calls: readonly ItemizedCall[];
  /** Calls that go to the subgraph as they are, with the others where that costs no time. */
  readonly uncacheableCalls: readonly FetchCall[];
  done(): void;
}

/** What is asked of the store: keys, and whose they are. */
interface Lookup {
  readonly keys: readonly string[];
  readonly calls: readonly { readonly call: CachedCall; readonly units: readonly LookupItem[] }[];
}

interface LookupItem {
  readonly index: number;
  readonly item: CacheableItem;
  /** Its second key follows the first. */
  readonly hasPrivateKey: boolean;
}

/** Calls of one operation to one subgraph that were ready at the same moment: what is kept answers, the rest is
 *  asked for. */
export class CachedRequest {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #scope: RequestContext;
  readonly #calls: readonly CachedCall[];
  readonly #done: () => void;
  #uncacheableCalls: readonly FetchCall[];
  #startedMisses: CacheMisses | undefined;
  #stopWork: (() => void) | undefined;
  #isCancelled = false;

  constructor({ cache, next, scope, calls, uncacheableCalls, done }: CachedRequestOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#scope = scope;
    const doneOne = createCountdownLatch(calls.length + uncacheableCalls.length, done);
    this.#done = doneOne;
    this.#calls = calls.map((units) => new CachedCall(cache, units, doneOne));
    this.#uncacheableCalls =
      uncacheableCalls.length === 0
        ? uncacheableCalls
        : uncacheableCalls.map((call) => this.#trackCompletion(call));
  }

  start(): () => void {
    this.#run(this.#buildLookup(), (lookup) => {
      const answers = this.#cache.store.getMany(lookup.keys);
      if (!(answers instanceof Promise)) {
        this.#handleEntries(lookup, answers, 0);
        return;
      }
      const startedAt = performance.now();
      this.#sendUncacheable();
      void answers.then((entries) => {
        if (!this.#isCancelled) this.#handleEntries(lookup, entries, performance.now() - startedAt);
      });
    });
    return () => this.#cancel();
  }

  *#buildLookup(): SlicedTask<Lookup> {
    const keys: string[] = [];
    const calls: Lookup['calls'][number][] = [];
    let seen = 0;
    for (const call of this.#calls) {
      const units: LookupItem[] = [];
      for (const [place, unit] of call.itemizedCall.items.entries()) {
        if (unit === undefined) continue;
        if (++seen % itemsPerSlice === 0) yield;
        const { privateKey } = unit;
        keys.push(unit.key);
        if (privateKey !== undefined) keys.push(privateKey);
        units.push({ index: place, item: unit, hasPrivateKey: privateKey !== undefined });
      }
      calls.push({ call, units });
    }
    return { keys, calls };
  }

  #handleEntries(lookup: Lookup, entries: CacheResults, durationMs: number): void {
    this.#run(this.#resolveFromEntries(lookup, entries, durationMs), (missing) => {
      if (missing.length > 0 || this.#uncacheableCalls.length > 0) this.#fetchMisses(missing);
      for (const call of this.#calls) call.settleWithinBudget();
    });
  }

  /** Gives units what is kept of them, and has refreshed what is stale. Returns the others. */
  *#resolveFromEntries(
    lookup: Lookup,
    entries: CacheResults,
    durationMs: number,
  ): SlicedTask<readonly ItemRef[]> {
    const { options } = this.#cache;
    const now = options.now();
    let index = 0;
    let seen = 0;
    const missing: ItemRef[] = [];
    for (const { call, units } of lookup.calls) {
      let [hits, misses] = [0, 0];
      const stale: number[] = [];
      for (const { index: place, item, hasPrivateKey } of units) {
        if (++seen % itemsPerSlice === 0) yield;
        const found = entries[index++];
        const foundPrivate = hasPrivateKey ? entries[index++] : undefined;
        const reading = selectEntry(item.plan.rule, found, foundPrivate, now);
        if (reading !== undefined && isFresh(reading, now)) {
          hits += 1;
          call.resolve(place, { kind: 'entry', effectiveEntry: reading, reason: undefined });
        } else if (reading !== undefined && now < reading.revalidateUntil) {
          stale.push(place);
          call.resolve(place, { kind: 'entry', effectiveEntry: reading, reason: 'revalidating' });
        } else {
          misses += 1;
          if (reading !== undefined && now < reading.fallbackUntil) call.fallbacks[place] = reading;
        }
      }
      const type = units[0]?.item.type ?? '';
      const { subgraph } = call.call.shape;
      options.observer.onLookup({ subgraph, type, hits, stale: stale.length, misses, durationMs });
      if (stale.length > 0) refreshStaleItems(this.#cache, this.#next, call.itemizedCall, stale);
      for (const place of call.unresolvedIndexes()) missing.push({ call, index: place });
    }
    return missing;
  }

  #fetchMisses(missing: readonly ItemRef[]): void {
    const plain = this.#uncacheableCalls;
    this.#uncacheableCalls = [];
    this.#misses.start(missing, plain);
  }

  /** Without those that may be kept: these wait for the store. */
  #sendUncacheable(): void {
    const plain = this.#uncacheableCalls;
    this.#uncacheableCalls = [];
    if (plain.length > 0) this.#misses.sendUncacheable(plain);
  }

  get #misses(): CacheMisses {
    this.#startedMisses ??= new CacheMisses({
      cache: this.#cache,
      next: this.#next,
      scope: this.#scope,
      calls: this.#calls,
    });
    return this.#startedMisses;
  }

  /** A plain call that is counted, and not settled any more once the request was cancelled. */
  #trackCompletion(call: FetchCall): FetchCall {
    return {
      ...call,
      settle: (result, settled) => {
        if (this.#isCancelled) {
          settled();
          return;
        }
        call.settle(result, () => {
          settled();
          this.#done();
        });
      },
    };
  }

  #run<Result>(work: SlicedTask<Result>, done: (result: Result) => void): void {
    this.#stopWork = runInSlices(work, done, (fault) => {
      this.#cache.options.onFault(fault);
      const error = new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault });
      for (const call of this.#calls) {
        for (const place of call.unresolvedIndexes()) call.resolve(place, { kind: 'failed', error });
        call.settleIfResolved();
      }
      this.#sendUncacheable();
    });
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#stopWork?.();
    for (const call of this.#calls) call.cancel();
    this.#startedMisses?.cancel();
  }
}

/** Long lists pause after so many. */
const itemsPerSlice = 100;
