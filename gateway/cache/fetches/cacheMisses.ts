import type { GatewayError } from '../../errors.ts';
import type { CompletedResult, FetchCall, FetchError, FetchResult } from '../../execution/fetchCall.ts';
import type { CancelFetch, FetchSender } from '../../execution/fetchSender.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import { deadlineExceededError } from '../../subgraphs/callErrors.ts';
import { higherPriority, RaisablePriority } from '../../subgraphs/policies/callPriority.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { CacheEntry, CacheResults, ReadVersion } from '../store/cacheStore.ts';
import type { CachedCall, ItemRef } from './cachedCall.ts';
import { isServable, selectEntry } from './effectiveEntry.ts';
import type { FetchCache } from './fetchCache.ts';
import { type FetchJoiner, type FlightOutcome, flightOutcomeOf } from './fetchFlights.ts';
import type { CacheableItem, ItemResult } from './itemizedCall.ts';
import { LeaderFetches } from './leaderFetches.ts';
import { createReadContext } from './readContext.ts';
import { storeFetchedItems } from './storeFetchedItems.ts';
import { Waiters } from './waiters.ts';

interface CacheMissesOptions {
  readonly cache: FetchCache;
  readonly next: FetchSender;
  readonly requestContext: RequestContext;
  /** Calls of one subgraph, at least one. */
  readonly calls: readonly CachedCall[];
}

/** Items to fetch next. */
interface FetchBatch {
  /** Items that may join another request's fetch, and whose fetch other requests may join. */
  readonly shared: ItemRef[];
  /** Items that this request fetches only for itself. */
  readonly unshared: ItemRef[];
}

/** Fetches the items that one request did not find in the cache: leads fetches, joins those of other requests, or waits
 *  for another process. */
export class CacheMisses {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #requestContext: RequestContext;
  readonly #calls: readonly CachedCall[];
  readonly #subgraph: string;
  readonly #isEntityFetch: boolean;
  readonly #leaderFetches: LeaderFetches;
  /** One priority for all fetches, because they are sent in few subgraph requests. */
  readonly #priority: RaisablePriority;
  readonly #waiters: Waiters<ItemRef>;
  /** Ends waiting for other processes when the fetches are abandoned. */
  readonly #abandonController = new AbortController();
  readonly #cancels = new Set<CancelFetch>();
  #uncacheableCalls: readonly FetchCall[] = [];
  /** Items whose wait ended without a value in this turn. */
  #nextBatch: FetchBatch | undefined;
  /** `cancelled`: the client left, but joiners or background fetches still need a value. `abandoned`: nothing does. */
  #state: 'active' | 'cancelled' | 'abandoned' = 'active';

  constructor({ cache, next, requestContext, calls }: CacheMissesOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#requestContext = requestContext;
    this.#calls = calls;
    const { shape } = (calls[0] as CachedCall).call;
    this.#subgraph = shape.subgraph;
    this.#isEntityFetch = shape.isEntityFetch;
    this.#priority = new RaisablePriority(calls.map(({ call }) => call.priority).reduce(higherPriority));
    this.#leaderFetches = new LeaderFetches(cache, {
      onJoin: ({ priority, span }) => {
        span?.onJoin(calls[0]?.call.span);
        this.#priority.raise(priority);
      },
      onLeave: () => this.#abandonIfUnneeded(),
    });
    this.#waiters = new Waiters({
      timers: cache.options.timers,
      remainingMs: () => this.#remainingMs(),
      onTimeout: (ref) => {
        this.#fail(ref, deadlineExceededError(this.#subgraph));
        ref.call.settleIfResolved();
        this.#abandonIfUnneeded();
      },
    });
  }

  /** Sends `uncacheableCalls` with the first request to the subgraph. */
  start(items: readonly ItemRef[], uncacheableCalls: readonly FetchCall[]): void {
    this.#uncacheableCalls = uncacheableCalls;
    this.#fetch({ shared: [...items], unshared: [] });
  }

  sendUncacheable(calls: readonly FetchCall[]): void {
    this.#sendCalls(calls, this.#requestContext);
  }

  /** Fetches that have joiners continue, and so do background fetches, which store a value for the next request. */
  cancel(): void {
    if (this.#state === 'active') this.#state = 'cancelled';
    this.#waiters.cancelWhere((ref) => !this.#isNeeded(ref));
    this.#abandonIfUnneeded();
  }

  #isNeeded({ call, index }: ItemRef): boolean {
    return this.#state === 'active' || call.isFetchedInBackground(index);
  }

  #abandonIfUnneeded(): void {
    if (this.#state !== 'cancelled') return;
    if (
      this.#calls.some(({ hasBackgroundFetches }) => hasBackgroundFetches) ||
      this.#leaderFetches.hasJoiners
    )
      return;
    this.#state = 'abandoned';
    this.#abandonController.abort();
    for (const cancel of this.#cancels) cancel();
    this.#leaderFetches.abandon();
  }

  #remainingMs(): number {
    return this.#requestContext.deadlineFor(this.#subgraph) - performance.now();
  }

  #fetch({ shared, unshared }: FetchBatch): void {
    const leading: ItemRef[] = [];
    for (const ref of shared) {
      // The client may have left since the wait for this item ended.
      if (!this.#isNeeded(ref)) continue;
      const item = ref.call.itemAt(ref.index);
      // The result of an unstorable item is of no use to joiners. A failed refresh leaves a paused claim,
      // which this request could not acquire.
      if (item === undefined || !item.plan.isStorable || this.#cache.refreshBackoff.isBackingOff(item.key))
        unshared.push(ref);
      else if (this.#leaderFetches.tryLead(item.key)) leading.push(ref);
      else this.#join(ref, item.key);
    }
    if (leading.length === 0) {
      this.#send(unshared);
      return;
    }
    const keys = leading.map((ref) => itemOf(ref).key);
    const claims = this.#cache.store.claim(keys, this.#cache.options.refreshTimeoutMs(this.#subgraph));
    if (!(claims instanceof Promise)) {
      this.#send([...unshared, ...leading]);
      return;
    }
    void claims.then((granted) => {
      if (this.#state === 'abandoned') return;
      this.#send([...unshared, ...leading.filter((_, index) => granted[index] === true)]);
      for (const [index, ref] of leading.entries()) if (granted[index] !== true) this.#awaitClaimHolder(ref);
    });
  }

  #join(ref: ItemRef, key: string): void {
    const flight = this.#cache.singleFlight.find(key);
    const joiner: FetchJoiner = {
      priority: ref.call.call.priority,
      span: ref.call.call.span,
      onSettled: (outcome) => {
        this.#waiters.delete(ref);
        this.#handleOutcome(ref, outcome);
      },
    };
    flight?.join(joiner);
    this.#waiters.add(ref, () => flight?.leave(joiner));
  }

  #handleOutcome(ref: ItemRef, outcome: FlightOutcome): void {
    if (outcome.kind === 'failed') {
      this.#fail(ref, outcome.failure);
      ref.call.settleIfResolved();
      this.#abandonIfUnneeded();
    } else if (outcome.kind === 'abandoned') this.#fetchInNextBatch(ref, 'shared');
    else {
      const { key, privateKey } = itemOf(ref);
      const entries = this.#cache.store.getMany(privateKey === undefined ? [key] : [key, privateKey]);
      if (entries instanceof Promise) void entries.then((found) => this.#handleStoredEntry(ref, found));
      else this.#handleStoredEntry(ref, entries);
    }
  }

  #handleStoredEntry(ref: ItemRef, [entry, privateEntry]: CacheResults): void {
    if (!this.#isNeeded(ref)) return;
    if (this.#serveEntry(ref, entry, privateEntry)) this.#abandonIfUnneeded();
    else this.#fetchInNextBatch(ref, 'unshared');
  }

  #awaitClaimHolder(ref: ItemRef): void {
    this.#waiters.add(ref);
    ref.call.call.span?.onJoin(undefined);
    const { store, options } = this.#cache;
    const { key } = itemOf(ref);
    this.#leaderFetches.markClaimedElsewhere(key);
    // If the other process does not store a value, half of the time is left for an attempt of this one.
    const maxMs = Math.min(this.#remainingMs() / 2, options.refreshTimeoutMs(this.#subgraph));
    void store.awaitClaimHolder(key, maxMs, this.#abandonController.signal).then((entry) => {
      this.#waiters.delete(ref);
      if (this.#serveEntry(ref, entry, undefined)) {
        this.#leaderFetches.settle([key], { kind: 'completed' });
        this.#abandonIfUnneeded();
      } else this.#fetchInNextBatch(ref, 'unshared');
    });
  }

  /** Returns false when neither entry may be served. */
  #serveEntry(ref: ItemRef, entry: CacheEntry | undefined, privateEntry: CacheEntry | undefined): boolean {
    const now = this.#cache.options.now();
    const effectiveEntry = selectEntry(itemOf(ref).plan.rule, entry, privateEntry, now);
    if (effectiveEntry === undefined || !isServable(effectiveEntry, now)) return false;
    ref.call.resolve(ref.index, { kind: 'entry', effectiveEntry, reason: undefined });
    ref.call.settleIfResolved();
    return true;
  }

  /** Collects the items whose waits end in the same turn, so that one subgraph request fetches them. */
  #fetchInNextBatch(ref: ItemRef, sharing: keyof FetchBatch): void {
    if (this.#nextBatch === undefined) {
      this.#nextBatch = { shared: [], unshared: [] };
      queueMicrotask(() => {
        const batch = this.#nextBatch as FetchBatch;
        this.#nextBatch = undefined;
        if (this.#state !== 'abandoned') this.#fetch(batch);
      });
    }
    this.#nextBatch[sharing].push(ref);
  }

  #send(items: readonly ItemRef[]): void {
    const uncacheableCalls = this.#uncacheableCalls;
    this.#uncacheableCalls = [];
    if (items.length === 0) {
      this.sendUncacheable(uncacheableCalls);
      return;
    }
    const since = this.#cache.store.beginRead();
    const requestContext = createReadContext(this.#requestContext, since);
    const calls = [...Map.groupBy(items, ({ call }) => call)].map(([call, refs]) => {
      // A result with all items is returned without reassembling it, so their order must be that of the call.
      const indexes = refs.map(({ index }) => index).sort((a, b) => a - b);
      return {
        ...call.itemizedCall.callFor(indexes, (result, done) =>
          this.#settle(call, indexes, result, since, done),
        ),
        requestContext,
        priority: higherPriority(call.call.priority, this.#priority.current),
        raisablePriority: this.#priority,
      } satisfies FetchCall;
    });
    this.#sendCalls([...calls, ...uncacheableCalls], requestContext);
  }

  #sendCalls(calls: readonly FetchCall[], requestContext: RequestContext): void {
    if (calls.length === 0) return;
    if (this.#isEntityFetch)
      this.#sendRequest((onDone) => this.#next.sendEntities({ calls, requestContext, onDone }));
    else for (const call of calls) this.#sendRequest((onDone) => this.#next.sendRoot({ call, onDone }));
  }

  #sendRequest(send: (onDone: () => void) => CancelFetch): void {
    let isDone = false;
    let cancel: CancelFetch | undefined;
    cancel = send(() => {
      isDone = true;
      if (cancel !== undefined) this.#cancels.delete(cancel);
    });
    if (!isDone) this.#cancels.add(cancel);
  }

  #settle(
    call: CachedCall,
    indexes: readonly number[],
    result: FetchResult,
    since: ReadVersion,
    done: () => void,
  ): void {
    const onSettled = (): void => {
      done();
      this.#abandonIfUnneeded();
    };
    if (result.kind === 'failed') {
      this.#failAll(call, indexes, result.error);
      onSettled();
      return;
    }
    runInSlices(this.#storeAndResolve(call, indexes, result, since), onSettled, (fault) => {
      this.#failAll(call, indexes, this.#cache.toFetchError(fault, this.#subgraph));
      onSettled();
    });
  }

  *#storeAndResolve(
    call: CachedCall,
    indexes: readonly number[],
    result: CompletedResult,
    since: ReadVersion,
  ): SlicedTask {
    const { results, general } = call.itemizedCall.split(result, indexes);
    const cacheable = indexes.flatMap((index, position) => {
      const item = call.itemAt(index);
      const isReplaceable = call.fallbacks[index] !== undefined;
      return item === undefined
        ? []
        : [{ item, result: results[position] as ItemResult, isReplaceable, index }];
    });
    const stored = yield* storeFetchedItems({
      cache: this.#cache,
      subgraph: this.#subgraph,
      identity: this.#requestContext.identity,
      result,
      items: cacheable,
      hasGeneralErrors: general.length > 0,
      since,
    });
    const outcomes = new Map(cacheable.map(({ index }, position) => [index, stored[position]]));
    yield* this.#leaderFetches.settleInSlices(cacheable, { kind: 'completed' });
    const isFailure = ({ entry }: FetchError): boolean => isSubgraphFailure(entry);
    // If one of the general errors is a refusal, the value was denied, and a stale one must not be served.
    const isGeneralFailure = general.length > 0 && general.every(isFailure);
    let isAnyStale = false;
    let isAnyEmpty = false;
    for (const [position, index] of indexes.entries()) {
      const itemResult = results[position] as ItemResult;
      const isEmpty = itemResult.value === null || itemResult.value === undefined;
      const outcome = outcomes.get(index);
      const isFailed =
        outcome?.kind === 'invalid' ||
        (itemResult.errors.length > 0 ? itemResult.errors.every(isFailure) : isGeneralFailure && isEmpty);
      if (isFailed && this.#serveStale({ call, index })) {
        isAnyStale = true;
        continue;
      }
      isAnyEmpty ||= isEmpty;
      const { isEscapeFree } = result;
      const contribution = outcome?.kind === 'stored' ? outcome.contribution : undefined;
      call.resolve(index, { kind: 'fetched', result: itemResult, contribution, isEscapeFree });
    }
    if (!isAnyStale && indexes.length === call.itemizedCall.items.length) call.setWholeResult(result);
    // If stale values replace everything that is missing, the client does not see the general errors.
    else if (!isAnyStale || isAnyEmpty) call.addGeneralErrors(general);
    call.settleIfResolved();
  }

  #failAll(call: CachedCall, indexes: readonly number[], error: GatewayError): void {
    const keys = indexes.flatMap((index) => call.itemAt(index)?.key ?? []);
    this.#leaderFetches.settle(keys, flightOutcomeOf(error));
    for (const index of indexes) this.#fail({ call, index }, error);
    call.settleIfResolved();
  }

  #fail(ref: ItemRef, error: GatewayError): void {
    if (isSubgraphFailure(error) && this.#serveStale(ref)) return;
    ref.call.resolve(ref.index, { kind: 'failed', error });
  }

  /** Returns false when there is no stale value that may be served. */
  #serveStale({ call, index }: ItemRef): boolean {
    const fallback = call.fallbacks[index];
    if (this.#state !== 'active' || fallback === undefined || call.isFetchedInBackground(index)) return false;
    if (this.#cache.options.now() >= fallback.fallbackUntil) return false;
    call.resolve(index, { kind: 'entry', effectiveEntry: fallback, reason: 'error' });
    this.#cache.options.observer.onStaleIfError({
      subgraph: this.#subgraph,
      type: call.itemAt(index)?.type ?? '',
    });
    return true;
  }
}

/** The cacheable item that a fetch is led, joined or claimed for. */
function itemOf({ call, index }: ItemRef): CacheableItem {
  return call.itemAt(index) as CacheableItem;
}
