import { GatewayError } from '../../errors.ts';
import type { FetchCall, FetchError, FetchResult } from '../../execution/fetchCall.ts';
import type { CancelFetch, FetchSender } from '../../execution/fetchSender.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import { deadlineExceededError } from '../../subgraphs/callErrors.ts';
import { mostUrgent, RaisablePriority } from '../../subgraphs/policies/callPriority.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { CacheEntry, CacheResults, ReadVersion } from '../store/cacheStore.ts';
import type { CachedCall, ItemRef } from './cachedCall.ts';
import { isServable, selectEntry } from './effectiveEntry.ts';
import type { FetchCache } from './fetchCache.ts';
import { type FetchJoiner, type FetchOutcome, fetchOutcomeOf } from './fetchOutcome.ts';
import type { AnsweredResult, CacheableItem, ItemAnswer } from './itemizedCall.ts';
import { LeaderFetches } from './leaderFetches.ts';
import { createReadContext } from './readContext.ts';
import { storeAnswers } from './storeAnswers.ts';
import { Waiters } from './waiters.ts';

interface CacheMissesOptions {
  readonly cache: FetchCache;
  readonly next: FetchSender;
  readonly scope: RequestContext;
  /** Of one subgraph, at least one. */
  readonly calls: readonly CachedCall[];
}

/** Gets what a request has not found: asks its subgraph, or waits for what others are asking. */
export class CacheMisses {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #scope: RequestContext;
  readonly #calls: readonly CachedCall[];
  readonly #subgraph: string;
  readonly #isEntityFetch: boolean;
  readonly #leaderFetches: LeaderFetches;
  /** Of whatever is asked for: it goes in few requests. */
  readonly #raisable: RaisablePriority;
  readonly #waiters: Waiters<ItemRef>;
  /** Ends waiting for other processes. */
  readonly #abandonController = new AbortController();
  readonly #cancels = new Set<CancelFetch>();
  #uncacheableCalls: readonly FetchCall[] = [];
  /** What has been waited for in vain, to be asked for together: whether by a fetch that others may wait for. */
  #nextBatch = new Map<ItemRef, boolean>();
  #isCancelled = false;

  constructor({ cache, next, scope, calls }: CacheMissesOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#scope = scope;
    this.#calls = calls;
    const { shape } = (calls[0] as CachedCall).call;
    this.#subgraph = shape.subgraph;
    this.#isEntityFetch = shape.isEntityFetch;
    this.#raisable = new RaisablePriority(calls.map(({ call }) => call.priority).reduce(mostUrgent));
    this.#leaderFetches = new LeaderFetches(cache, {
      onJoin: ({ priority }) => this.#raisable.raise(priority),
      onLeave: () => this.#abandonIfUnneeded(),
    });
    this.#waiters = new Waiters({
      timers: cache.options.timers,
      remainingMs: () => this.#remainingMs(),
      onTimeout: (late) => {
        this.#fail(late, deadlineExceededError(this.#subgraph));
        late.call.settleIfResolved();
        this.#abandonIfUnneeded();
      },
    });
  }

  /** `plain` goes with the first request to the subgraph. */
  start(places: readonly ItemRef[], plain: readonly FetchCall[]): void {
    this.#uncacheableCalls = plain;
    this.#fetch(places, []);
  }

  sendUncacheable(calls: readonly FetchCall[]): void {
    this.#sendCalls(calls, this.#scope);
  }

  /** What other requests wait for goes on without this one, and so does what is late: it is to be there for the next
   *  one. */
  cancel(): void {
    this.#isCancelled = true;
    this.#waiters.cancelWhere((one) => !this.#isNeeded(one));
    this.#abandonIfUnneeded();
  }

  #isNeeded({ call, index }: ItemRef): boolean {
    return !this.#isCancelled || call.isFetchedInBackground(index);
  }

  /** Ends everything once this request has left, and with it all who wait for something of it. */
  #abandonIfUnneeded(): void {
    if (!this.#isCancelled || this.#isAbandoned) return;
    if (
      this.#calls.some(({ hasBackgroundFetches }) => hasBackgroundFetches) ||
      this.#leaderFetches.hasJoiners
    )
      return;
    this.#abandonController.abort();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#leaderFetches.abandon();
  }

  get #isAbandoned(): boolean {
    return this.#abandonController.signal.aborted;
  }

  #remainingMs(): number {
    return this.#scope.deadlineFor(this.#subgraph) - performance.now();
  }

  /** Asks for `own`, and for the others unless somebody does. */
  #fetch(places: readonly ItemRef[], own: ItemRef[]): void {
    const led: ItemRef[] = [];
    for (const one of places) {
      const unit = one.call.itemAt(one.index);
      // Where nothing could be stored, waiting for others is in vain; and a refresh that failed has left a claim, for
      // other processes to keep away, that this request should not wait for.
      if (unit === undefined || !unit.plan.isStorable || this.#cache.refreshBackoff.isBackingOff(unit.key))
        own.push(one);
      else if (this.#leaderFetches.tryLead(unit.key)) led.push(one);
      else this.#join(one, unit.key);
    }
    if (led.length === 0) {
      this.#send(own);
      return;
    }
    const keys = led.map((one) => itemOf(one).key);
    const claims = this.#cache.store.claim(keys, this.#cache.options.refreshTimeoutMs(this.#subgraph));
    if (!(claims instanceof Promise)) {
      this.#send([...own, ...led]);
      return;
    }
    void claims.then((granted) => {
      if (this.#isAbandoned) return;
      this.#send([...own, ...led.filter((_, index) => granted[index] === true)]);
      for (const [index, one] of led.entries()) if (granted[index] !== true) this.#awaitClaimHolder(one);
    });
  }

  #join(one: ItemRef, key: string): void {
    const flight = this.#cache.singleFlight.find(key);
    const joiner: FetchJoiner = {
      priority: one.call.call.priority,
      onSettled: (outcome) => {
        this.#waiters.delete(one);
        if (this.#isNeeded(one)) this.#handleOutcome(one, outcome);
      },
    };
    flight?.join(joiner);
    this.#waiters.add(one, () => flight?.leave(joiner));
  }

  #handleOutcome(one: ItemRef, end: FetchOutcome): void {
    if (end.kind === 'failed') {
      this.#fail(one, end.failure);
      one.call.settleIfResolved();
      this.#abandonIfUnneeded();
    } else if (end.kind === 'given up') this.#fetchInNextBatch(one, true);
    else {
      const { key, privateKey } = itemOf(one);
      const answers = this.#cache.store.getMany(privateKey === undefined ? [key] : [key, privateKey]);
      if (answers instanceof Promise) void answers.then((entries) => this.#handleStoredEntry(one, entries));
      else this.#handleStoredEntry(one, answers);
    }
  }

  #handleStoredEntry(one: ItemRef, [entry, privateEntry]: CacheResults): void {
    if (!this.#isNeeded(one)) return;
    if (this.#serveEntry(one, entry, privateEntry)) this.#abandonIfUnneeded();
    else this.#fetchInNextBatch(one, false);
  }

  /** Another process is fetching it. */
  #awaitClaimHolder(one: ItemRef): void {
    this.#waiters.add(one);
    const { store, options } = this.#cache;
    const { key } = itemOf(one);
    this.#leaderFetches.markClaimedElsewhere(key);
    // As slow as the other one may be, there must be time for an own attempt.
    const maxMs = Math.min(this.#remainingMs() / 2, options.refreshTimeoutMs(this.#subgraph));
    void store.awaitClaimHolder(key, maxMs, this.#abandonController.signal).then((entry) => {
      this.#waiters.delete(one);
      if (this.#isAbandoned) return;
      if (this.#serveEntry(one, entry, undefined)) {
        this.#leaderFetches.settle([key], { kind: 'landed' });
        this.#abandonIfUnneeded();
      } else this.#fetchInNextBatch(one, false);
    });
  }

  /** False where there is nothing that may be served. */
  #serveEntry(one: ItemRef, entry: CacheEntry | undefined, privateEntry: CacheEntry | undefined): boolean {
    const now = this.#cache.options.now();
    const reading = selectEntry(itemOf(one).plan.rule, entry, privateEntry, now);
    if (reading === undefined || !isServable(reading, now)) return false;
    one.call.resolve(one.index, { kind: 'entry', effectiveEntry: reading, reason: undefined });
    one.call.settleIfResolved();
    return true;
  }

  /** Waits that end at the same moment make one request. */
  #fetchInNextBatch(one: ItemRef, mayJoin: boolean): void {
    this.#nextBatch.set(one, mayJoin);
    if (this.#nextBatch.size > 1) return;
    queueMicrotask(() => {
      const again = [...this.#nextBatch];
      this.#nextBatch = new Map();
      if (this.#isAbandoned) return;
      const [joining, own] = [true, false].map((wanted) =>
        again.flatMap(([place, may]) => (may === wanted ? [place] : [])),
      );
      this.#fetch(joining ?? [], own ?? []);
    });
  }

  #send(places: readonly ItemRef[]): void {
    const plain = this.#uncacheableCalls;
    this.#uncacheableCalls = [];
    if (places.length === 0) {
      this.sendUncacheable(plain);
      return;
    }
    const byCall = new Map<CachedCall, number[]>();
    for (const { call, index } of places) {
      const same = byCall.get(call);
      if (same === undefined) byCall.set(call, [index]);
      else same.push(index);
    }
    const since = this.#cache.store.beginRead();
    const scope = createReadContext(this.#scope, since);
    const calls = [...byCall].map(([call, unsorted]) => {
      // An answer to all of them is handed on as it is: they must be asked for in the order of the call.
      const of = unsorted.sort((one, other) => one - other);
      return {
        ...call.itemizedCall.callFor(of, (result, done) => this.#settle(call, of, result, since, done)),
        requestContext: scope,
        priority: mostUrgent(call.call.priority, this.#raisable.current),
        raisablePriority: this.#raisable,
      };
    });
    this.#sendCalls([...calls, ...plain], scope);
  }

  #sendCalls(calls: readonly FetchCall[], scope: RequestContext): void {
    if (calls.length === 0) return;
    if (this.#isEntityFetch)
      this.#sendOne((done) => this.#next.sendEntities({ calls, requestContext: scope, onDone: done }));
    else for (const call of calls) this.#sendOne((done) => this.#next.sendRoot({ call, onDone: done }));
  }

  #sendOne(send: (done: () => void) => CancelFetch): void {
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
    places: readonly number[],
    result: FetchResult,
    since: ReadVersion,
    done: () => void,
  ): void {
    const settled = (): void => {
      done();
      this.#abandonIfUnneeded();
    };
    if (result.kind === 'failed') {
      this.#failAll(call, places, result.error);
      settled();
      return;
    }
    runInSlices(this.#storeAndResolve(call, places, result, since), settled, (fault) => {
      this.#cache.options.onFault(fault);
      this.#failAll(
        call,
        places,
        new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault }),
      );
      settled();
    });
  }

  *#storeAndResolve(
    call: CachedCall,
    indexes: readonly number[],
    result: AnsweredResult,
    since: ReadVersion,
  ): SlicedTask {
    const { answers, general } = call.itemizedCall.split(result, indexes);
    const answered = indexes.flatMap((index, position) => {
      const item = call.itemAt(index);
      return item === undefined ? [] : [{ item, answer: answers[position] as ItemAnswer, index }];
    });
    const ofKept = yield* storeAnswers(
      this.#cache,
      this.#subgraph,
      this.#scope.identity,
      result,
      answered,
      general.length > 0,
      since,
    );
    const contributions = new Map(answered.map(({ index }, position) => [index, ofKept[position]]));
    yield* this.#leaderFetches.settleInSlices(answered, { kind: 'landed' });
    const isFailure = ({ entry }: FetchError): boolean =>
      isSubgraphFailure(entry, result.metadata?.failureStatus);
    // Beside a refusal, failures are none of a value's business: it has been denied.
    const isGeneralFailure = general.length > 0 && general.every(isFailure);
    let replaced = 0;
    let isAnyEmpty = false;
    for (const [position, index] of indexes.entries()) {
      const answer = answers[position] as ItemAnswer;
      const isEmpty = answer.value === null || answer.value === undefined;
      const isFailed =
        answer.errors.length > 0 ? answer.errors.every(isFailure) : isGeneralFailure && isEmpty;
      if (isFailed && this.#serveStale({ call, index })) {
        replaced += 1;
        continue;
      }
      isAnyEmpty ||= isEmpty;
      const { isEscapeFree } = result;
      call.resolve(index, { kind: 'answer', answer, contribution: contributions.get(index), isEscapeFree });
    }
    if (replaced === 0 && indexes.length === call.itemizedCall.items.length) call.setWholeAnswer(result);
    // Where stale values stand for all that the errors took away, nothing is left to be told.
    else if (replaced === 0 || isAnyEmpty) call.addGeneralErrors(general);
    call.settleIfResolved();
  }

  #failAll(call: CachedCall, places: readonly number[], error: GatewayError): void {
    const keys = places.flatMap((place) => call.itemAt(place)?.key ?? []);
    this.#leaderFetches.settle(keys, fetchOutcomeOf(error));
    for (const place of places) this.#fail({ call, index: place }, error);
    call.settleIfResolved();
  }

  #fail(one: ItemRef, error: GatewayError): void {
    if (isSubgraphFailure(error) && this.#serveStale(one)) return;
    one.call.resolve(one.index, { kind: 'failed', error });
  }

  /** Serves the stale value, if there is one. */
  #serveStale({ call, index }: ItemRef): boolean {
    const reading = call.fallbacks[index];
    if (this.#isCancelled || reading === undefined || call.isFetchedInBackground(index)) return false;
    if (this.#cache.options.now() >= reading.fallbackUntil) return false;
    call.resolve(index, { kind: 'entry', effectiveEntry: reading, reason: 'error' });
    this.#cache.options.observer.onStaleIfError({
      subgraph: this.#subgraph,
      type: call.itemAt(index)?.type ?? '',
      count: 1,
    });
    return true;
  }
}

/** Of what others may wait for. */
function itemOf({ call, index }: ItemRef): CacheableItem {
  return call.itemAt(index) as CacheableItem;
}
