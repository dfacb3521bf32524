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
  /** Sends fetches to the subgraphs. */
  readonly next: FetchSender;
  readonly requestContext: RequestContext;
  /** Calls with at least one cacheable item. */
  readonly calls: readonly ItemizedCall[];
  /** Calls that are sent without a cache lookup, in one request with cache misses if that delays nothing. */
  readonly uncacheableCalls: readonly FetchCall[];
  onDone(): void;
}

/** The keys to read from the store, with the items that they belong to. */
interface Lookup {
  readonly keys: readonly string[];
  readonly calls: readonly { readonly call: CachedCall; readonly items: readonly LookupItem[] }[];
}

interface LookupItem {
  readonly index: number;
  readonly item: CacheableItem;
  /** Whether the item's private key follows its first one in `Lookup.keys`. */
  readonly hasPrivateKey: boolean;
}

/** The calls of one operation to one subgraph that became ready at the same moment. Cached items are answered from the
 *  store, and the subgraph is called once for all others. */
export class CachedRequest {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #requestContext: RequestContext;
  readonly #calls: readonly CachedCall[];
  readonly #onCallDone: () => void;
  #uncacheableCalls: readonly FetchCall[];
  #startedMisses: CacheMisses | undefined;
  #stopTask: (() => void) | undefined;
  #isCancelled = false;

  constructor({ cache, next, requestContext, calls, uncacheableCalls, onDone }: CachedRequestOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#requestContext = requestContext;
    const onCallDone = createCountdownLatch(calls.length + uncacheableCalls.length, onDone);
    this.#onCallDone = onCallDone;
    this.#calls = calls.map((call) => new CachedCall(cache, call, onCallDone));
    this.#uncacheableCalls =
      uncacheableCalls.length === 0
        ? uncacheableCalls
        : uncacheableCalls.map((call) => this.#trackCompletion(call));
  }

  /** `read`: the entries of all items, if they were read already (`plainLookupOf`). */
  start(read?: CacheResults | Promise<CacheResults>): () => void {
    this.#runInSlices(this.#buildLookup(read !== undefined), (lookup) => {
      const entries = read ?? this.#cache.store.getMany(lookup.keys);
      if (!(entries instanceof Promise)) {
        this.#handleEntries(lookup, entries, 0);
        return;
      }
      const startedAt = performance.now();
      // Uncacheable calls must not wait for the store.
      this.#sendUncacheable();
      void entries.then((found) => {
        if (!this.#isCancelled) this.#handleEntries(lookup, found, performance.now() - startedAt);
      });
    });
    return () => this.#cancel();
  }

  /** `isRead`: the entries are there, one for each item. Whether an item has a private key may have changed since, because a
   *  subgraph has marked a value as private meanwhile. */
  *#buildLookup(isRead: boolean): SlicedTask<Lookup> {
    const keys: string[] = [];
    const calls: Lookup['calls'][number][] = [];
    let visited = 0;
    for (const call of this.#calls) {
      const items: LookupItem[] = [];
      for (const [index, item] of call.itemizedCall.items.entries()) {
        if (item === undefined) continue;
        if (++visited % itemsPerSlice === 0) yield;
        const privateKey = isRead ? undefined : item.privateKey;
        keys.push(item.key);
        if (privateKey !== undefined) keys.push(privateKey);
        items.push({ index, item, hasPrivateKey: privateKey !== undefined });
      }
      calls.push({ call, items });
    }
    return { keys, calls };
  }

  #handleEntries(lookup: Lookup, entries: CacheResults, durationMs: number): void {
    this.#runInSlices(this.#resolveFromEntries(lookup, entries, durationMs), (misses) => {
      if (misses.length > 0 || this.#uncacheableCalls.length > 0) this.#fetchMisses(misses);
      for (const call of this.#calls) call.settleWithinBudget();
    });
  }

  /** Resolves items from their entries, and starts refreshes of stale ones. Returns the items that are not resolved. */
  *#resolveFromEntries(
    lookup: Lookup,
    entries: CacheResults,
    durationMs: number,
  ): SlicedTask<readonly ItemRef[]> {
    const { options } = this.#cache;
    const now = options.now();
    let nextEntry = 0;
    let visited = 0;
    const unresolved: ItemRef[] = [];
    for (const { call, items } of lookup.calls) {
      const countsByType = new Map<string, LookupCounts>();
      const stale: number[] = [];
      for (const { index, item, hasPrivateKey } of items) {
        if (++visited % itemsPerSlice === 0) yield;
        const entry = entries[nextEntry++];
        const privateEntry = hasPrivateKey ? entries[nextEntry++] : undefined;
        const effectiveEntry = selectEntry(item.plan.rule, entry, privateEntry, now);
        const counts = countsOf(countsByType, item.type);
        if (effectiveEntry !== undefined && isFresh(effectiveEntry, now)) {
          counts.hits += 1;
          item.plan.usage.onLookup('hits', 1);
          call.resolve(index, { kind: 'entry', effectiveEntry, reason: undefined });
        } else if (effectiveEntry !== undefined && now < effectiveEntry.revalidateUntil) {
          stale.push(index);
          counts.stale += 1;
          item.plan.usage.onLookup('stale', 1);
          call.resolve(index, { kind: 'entry', effectiveEntry, reason: 'revalidating' });
        } else {
          counts.misses += 1;
          item.plan.usage.onLookup('misses', 1);
          if (effectiveEntry !== undefined && now < effectiveEntry.fallbackUntil)
            call.fallbacks[index] = effectiveEntry;
        }
      }
      const { subgraph } = call.call.shape;
      let waitedMs = durationMs;
      for (const [type, counts] of countsByType) {
        call.call.span?.onLookup(counts.hits, counts.stale, counts.misses);
        options.observer.onLookup({ subgraph, type, ...counts, durationMs: waitedMs });
        waitedMs = 0;
      }
      if (stale.length > 0) refreshStaleItems(this.#cache, this.#next, call.itemizedCall, stale);
      for (const index of call.unresolvedIndexes()) unresolved.push({ call, index });
    }
    return unresolved;
  }

  #fetchMisses(misses: readonly ItemRef[]): void {
    this.#misses.start(misses, this.#takeUncacheable());
  }

  #sendUncacheable(): void {
    const calls = this.#takeUncacheable();
    if (calls.length > 0) this.#misses.sendUncacheable(calls);
  }

  #takeUncacheable(): readonly FetchCall[] {
    const calls = this.#uncacheableCalls;
    this.#uncacheableCalls = [];
    return calls;
  }

  get #misses(): CacheMisses {
    this.#startedMisses ??= new CacheMisses({
      cache: this.#cache,
      next: this.#next,
      requestContext: this.#requestContext,
      calls: this.#calls,
    });
    return this.#startedMisses;
  }

  /** An uncacheable call that counts towards the completion of the request, and that is not settled after a cancel. */
  #trackCompletion(call: FetchCall): FetchCall {
    return {
      ...call,
      settle: (result, onSettled) => {
        if (this.#isCancelled) {
          onSettled();
          return;
        }
        call.settle(result, () => {
          onSettled();
          this.#onCallDone();
        });
      },
    };
  }

  #runInSlices<Result>(task: SlicedTask<Result>, onResult: (result: Result) => void): void {
    this.#stopTask = runInSlices(task, onResult, (fault) => {
      const { subgraph } = (this.#calls[0] as CachedCall).call.shape;
      const error = this.#cache.toFetchError(fault, subgraph);
      for (const call of this.#calls) {
        for (const index of call.unresolvedIndexes()) call.resolve(index, { kind: 'failed', error });
        call.settleIfResolved();
      }
      this.#sendUncacheable();
    });
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#stopTask?.();
    for (const call of this.#calls) call.cancel();
    this.#startedMisses?.cancel();
  }
}

interface LookupCounts {
  hits: number;
  stale: number;
  misses: number;
}

function countsOf(countsByType: Map<string, LookupCounts>, type: string): LookupCounts {
  let counts = countsByType.get(type);
  if (counts === undefined) {
    counts = { hits: 0, stale: 0, misses: 0 };
    countsByType.set(type, counts);
  }
  return counts;
}

const itemsPerSlice = 100;
