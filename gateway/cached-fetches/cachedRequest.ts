import type { CacheAnswers, CacheEntry, ReadStart } from '../cache/store/cacheStore.ts';
import { GatewayError } from '../errors.ts';
import { afterAll } from '../execution/afterAll.ts';
import type { FetchCall, FetchError, FetchResult } from '../execution/fetchCall.ts';
import type { CancelFetch, FetchSender } from '../execution/fetchSender.ts';
import type { RequestScope } from '../execution/requestScope.ts';
import { deadlineExceeded } from '../subgraph-client/callFailure.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import { CachedCall } from './cachedCall.ts';
import type { Answered, CacheUnit, CallUnits, UnitAnswer } from './cacheUnits.ts';
import { type EntryReading, isFresh, readEntry } from './entryReading.ts';
import type { FetchCache } from './fetchCache.ts';
import type { FlightEnd } from './flights.ts';
import { keepAnswers } from './keepAnswers.ts';
import { readScope } from './readScope.ts';
import { refresh } from './refresh.ts';
import { isSubgraphFailure } from './subgraphFailure.ts';

export interface CachedRequestOptions {
  readonly cache: FetchCache;
  /** Asks the subgraphs. */
  readonly next: FetchSender;
  readonly scope: RequestScope;
  /** Calls of which something may be kept. */
  readonly calls: readonly CallUnits[];
  /** Calls that go to the subgraph as they are, with the others where that costs no time. */
  readonly plain: readonly FetchCall[];
  done(): void;
}

/** One unit of a call. */
interface Place {
  readonly call: CachedCall;
  readonly place: number;
}

/** Calls of one operation to one subgraph that were ready at the same moment: what is kept answers, the rest is
 *  asked for. */
export class CachedRequest {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #scope: RequestScope;
  readonly #calls: readonly CachedCall[];
  #plain: readonly FetchCall[];
  readonly #done: () => void;
  readonly #cancels = new Set<CancelFetch>();
  /** Keys that others of this process may wait for. */
  readonly #led = new Set<string>();
  readonly #leaves = new Set<() => void>();
  readonly #waits = new AbortController();
  /** Units that wait for what others fetch. */
  readonly #waiting = new Set<Place>();
  #again: Place[] = [];
  #stopTimer: (() => void) | undefined;
  #isCancelled = false;

  constructor({ cache, next, scope, calls, plain, done }: CachedRequestOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#scope = scope;
    const finish = (): void => {
      this.#stopTimer?.();
      done();
    };
    this.#done = afterAll(calls.length + plain.length, finish);
    this.#plain = plain.map((call) => ({
      ...call,
      settle: (result, settled) =>
        call.settle(result, () => {
          settled();
          this.#done();
        }),
    }));
    this.#calls = calls.map((units) => new CachedCall(cache, units, this.#done));
  }

  get #subgraph(): string {
    return (this.#calls[0] as CachedCall).call.shape.subgraph;
  }

  start(): () => void {
    const units = this.#calls.flatMap((call) =>
      call.units.units.flatMap((unit, place) => (unit === undefined ? [] : [{ call, place, unit }])),
    );
    const keys: string[] = [];
    for (const { unit } of units) {
      keys.push(unit.key);
      if (unit.privateKey !== undefined) keys.push(unit.privateKey);
    }
    const answers = this.#cache.store.getMany(keys);
    if (answers instanceof Promise) {
      const startedAt = performance.now();
      this.#sendPlain();
      void answers.then((entries) => {
        if (!this.#isCancelled) this.#take(units, entries, performance.now() - startedAt);
      });
    } else this.#take(units, answers, 0);
    return () => this.#cancel();
  }

  #take(units: readonly (Place & { readonly unit: CacheUnit })[], entries: CacheAnswers, ms: number): void {
    const now = this.#cache.options.now();
    const stale = new Map<CachedCall, number[]>();
    const counts = new Map<CachedCall, { hits: number; stale: number; misses: number }>();
    for (const call of this.#calls) counts.set(call, { hits: 0, stale: 0, misses: 0 });
    let index = 0;
    for (const { call, place, unit } of units) {
      const found = entries[index++];
      const foundPrivate = unit.privateKey === undefined ? undefined : entries[index++];
      const reading = readingOf(unit, found, foundPrivate);
      const count = counts.get(call) as { hits: number; stale: number; misses: number };
      if (reading !== undefined && isFresh(reading, now)) {
        count.hits += 1;
        call.resolve(place, { kind: 'entry', reading, reason: undefined });
      } else if (reading !== undefined && now < reading.revalidateUntil) {
        count.stale += 1;
        call.resolve(place, { kind: 'entry', reading, reason: 'revalidating' });
        const places = stale.get(call);
        if (places === undefined) stale.set(call, [place]);
        else places.push(place);
      } else {
        count.misses += 1;
        if (reading !== undefined && now < reading.fallbackUntil) call.fallbacks[place] = reading;
      }
    }
    for (const [call, count] of counts) {
      const type = call.units.units.find((unit) => unit !== undefined)?.type ?? '';
      this.#cache.options.observer.onLookup({ subgraph: this.#subgraph, type, ...count, durationMs: ms });
    }
    for (const [call, places] of stale) refresh(this.#cache, this.#next, call.units, places);
    this.#fetch(this.#openPlaces(), true);
    for (const call of this.#calls) call.settleIfResolved();
  }

  #openPlaces(): Place[] {
    return this.#calls.flatMap((call) =>
      call.units.units.flatMap((_, place) => (call.isResolved(place) ? [] : [{ call, place }])),
    );
  }

  /** `mayJoin`: what others are fetching is waited for. */
  #fetch(places: readonly Place[], mayJoin: boolean): void {
    const own: Place[] = [];
    const claimed: (Place & { readonly unit: CacheUnit })[] = [];
    for (const one of places) {
      const unit = one.call.unit(one.place);
      if (unit === undefined || !mayJoin || !unit.plan.isStorable) own.push(one);
      else if (this.#cache.flights.begin(unit.key)) {
        this.#led.add(unit.key);
        claimed.push({ ...one, unit });
      } else this.#join(one, unit.key);
    }
    if (claimed.length === 0) {
      this.#send(own);
      return;
    }
    // A failed refresh of ours has left a claim, for others to keep away.
    const free = claimed.filter(({ unit }) => !this.#cache.held.isHeld(unit.key));
    const held = claimed.filter((one) => !free.includes(one));
    const claims =
      free.length === 0
        ? []
        : this.#cache.store.claim(
            free.map(({ unit }) => unit.key),
            this.#cache.options.refreshDeadlineMs(this.#subgraph),
          );
    if (!(claims instanceof Promise)) {
      this.#send([...own, ...claimed]);
      return;
    }
    void claims.then((granted) => {
      if (this.#isCancelled && !this.#isAwaited()) return;
      this.#send([...own, ...held, ...free.filter((_, index) => granted[index] === true)]);
      for (const [index, one] of free.entries()) {
        if (granted[index] !== true) this.#awaitOther(one, one.unit);
      }
    });
  }

  #join(one: Place, key: string): void {
    this.#wait(one);
    const leave = this.#cache.flights.join(key, (end) => {
      if (leave !== undefined) this.#leaves.delete(leave);
      this.#waiting.delete(one);
      if (!this.#isCancelled && !one.call.isResolved(one.place)) this.#land(one, end);
    });
    if (leave !== undefined) this.#leaves.add(leave);
  }

  #land(one: Place, end: FlightEnd<GatewayError>): void {
    if (end.kind === 'failed') {
      this.#fail(one, end.failure);
      one.call.settleIfResolved();
    } else if (end.kind === 'given up') this.#fetchAgain(one);
    else {
      const unit = one.call.unit(one.place) as CacheUnit;
      const keys = unit.privateKey === undefined ? [unit.key] : [unit.key, unit.privateKey];
      const answers = this.#cache.store.getMany(keys);
      if (answers instanceof Promise) void answers.then((entries) => this.#takeLanded(one, unit, entries));
      else this.#takeLanded(one, unit, answers);
    }
  }

  #takeLanded(one: Place, unit: CacheUnit, [entry, privateEntry]: CacheAnswers): void {
    if (this.#isCancelled || one.call.isResolved(one.place)) return;
    const reading = readingOf(unit, entry, privateEntry);
    if (reading !== undefined && isServable(reading, this.#cache.options.now())) {
      one.call.resolve(one.place, { kind: 'entry', reading, reason: undefined });
      one.call.settleIfResolved();
    } else this.#sendLater(one);
  }

  /** Another process is fetching it. */
  #awaitOther(one: Place, unit: CacheUnit): void {
    this.#wait(one);
    const left = this.#scope.deadlineFor(this.#subgraph) - performance.now();
    // As slow as the other one may be, there must be time for an own attempt.
    const maxMs = Math.min(left / 2, this.#cache.options.refreshDeadlineMs(this.#subgraph));
    void this.#cache.store.awaitOther(unit.key, maxMs, this.#waits.signal).then((entry) => {
      this.#waiting.delete(one);
      const reading =
        entry === undefined ? undefined : readEntry(entry, unit.plan.rule, unit.plan.rule.scope);
      if (reading === undefined || !isServable(reading, this.#cache.options.now())) {
        if (this.#isCancelled && !this.#isAwaited()) return;
        this.#sendLater(one);
        return;
      }
      this.#endFlight(unit.key, { kind: 'landed' });
      if (this.#isCancelled || one.call.isResolved(one.place)) return;
      one.call.resolve(one.place, { kind: 'entry', reading, reason: undefined });
      one.call.settleIfResolved();
    });
  }

  /** Whoever waits for others has a deadline of its own. */
  #wait(one: Place): void {
    this.#waiting.add(one);
    if (this.#stopTimer !== undefined) return;
    const left = this.#scope.deadlineFor(this.#subgraph) - performance.now();
    if (!Number.isFinite(left)) return;
    this.#stopTimer = this.#cache.options.timers.after(Math.max(0, Math.ceil(left)), () => {
      for (const late of [...this.#waiting]) {
        this.#waiting.delete(late);
        if (late.call.isResolved(late.place)) continue;
        this.#fail(late, deadlineExceeded(this.#subgraph));
        late.call.settleIfResolved();
      }
    });
  }

  #fetchAgain(one: Place): void {
    this.#fetch([one], true);
  }

  /** What several waits in vain have left is asked for together. */
  #sendLater(one: Place): void {
    this.#again.push(one);
    if (this.#again.length > 1) return;
    queueMicrotask(() => {
      const places = this.#again;
      this.#again = [];
      if (!this.#isCancelled || this.#isAwaited()) this.#send(places);
    });
  }

  #sendPlain(): void {
    const calls = this.#plain;
    this.#plain = [];
    if (calls.length > 0) this.#sendCalls(calls, this.#scope);
  }

  #send(places: readonly Place[]): void {
    if (places.length === 0) {
      this.#sendPlain();
      return;
    }
    const byCall = new Map<CachedCall, number[]>();
    for (const { call, place } of places) {
      const same = byCall.get(call);
      if (same === undefined) byCall.set(call, [place]);
      else same.push(place);
    }
    const since = this.#cache.store.beginRead();
    const scope = readScope(this.#scope, since);
    const calls = [...byCall].map(([call, unsorted]) => {
      // An answer to all of them is handed on as it is: they must be asked for in the order of the call.
      const of = unsorted.sort((one, other) => one - other);
      return {
        ...call.units.callFor(of, (result, done) => this.#settle(call, of, result, since, done)),
        scope,
      };
    });
    const plain = this.#plain;
    this.#plain = [];
    this.#sendCalls([...calls, ...plain], scope);
  }

  #sendCalls(calls: readonly FetchCall[], scope: RequestScope): void {
    if (this.#calls[0]?.call.shape.isEntityFetch === true) {
      this.#sendOne((done) => this.#next.sendEntities({ calls, scope, done }));
      return;
    }
    for (const call of calls) this.#sendOne((done) => this.#next.sendRoot({ call, done }));
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
    since: ReadStart,
    done: () => void,
  ): void {
    if (result.kind === 'failed') {
      this.#failAll(call, places, result.error);
      done();
      return;
    }
    inSlices(this.#keep(call, places, result, since), done, (fault) => {
      this.#cache.options.onFault(fault);
      this.#failAll(
        call,
        places,
        new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault }),
      );
      done();
    });
  }

  *#keep(call: CachedCall, places: readonly number[], result: Answered, since: ReadStart): SlicedWork {
    const { answers, general } = call.units.split(result, places);
    const kept = places.flatMap((place, index) => {
      const unit = call.unit(place);
      return unit === undefined ? [] : [{ unit, answer: answers[index] as UnitAnswer, place }];
    });
    const ofKept = yield* keepAnswers(
      this.#cache,
      this.#subgraph,
      this.#scope.identity,
      result,
      kept,
      general.length > 0,
      since,
    );
    const parts = new Map(kept.map(({ place }, index) => [place, ofKept[index]]));
    this.#release(kept.map(({ unit }) => unit.key));
    for (const { unit } of kept) this.#endFlight(unit.key, { kind: 'landed' });
    if (this.#isCancelled) return;
    const isFailure = ({ entry }: FetchError): boolean =>
      isSubgraphFailure(entry, result.answer?.failureStatus);
    const isGeneralFailure = general.some(isFailure);
    let replaced = 0;
    let isAnyEmpty = false;
    for (const [index, place] of places.entries()) {
      const answer = answers[index] as UnitAnswer;
      const isEmpty = answer.value === null || answer.value === undefined;
      const isFailed = answer.errors.some(isFailure) || (isGeneralFailure && isEmpty);
      if (isFailed && this.#fallBack({ call, place })) {
        replaced += 1;
        continue;
      }
      isAnyEmpty ||= isEmpty;
      const { isEscapeFree } = result;
      call.resolve(place, { kind: 'answer', answer, part: parts.get(place), isEscapeFree });
    }
    if (replaced === 0 && places.length === call.units.units.length) call.takeWhole(result);
    // Where stale values stand for all that the errors took away, nothing is left to be told.
    else if (replaced === 0 || isAnyEmpty) call.addGeneral(general);
    call.settleIfResolved();
  }

  #failAll(call: CachedCall, places: readonly number[], error: GatewayError): void {
    const isOwnTime = error.code === 'DEADLINE_EXCEEDED' || error.code === 'REQUEST_ABORTED';
    const keys = places.flatMap((place) => call.unit(place)?.key ?? []);
    this.#release(keys);
    for (const key of keys) {
      this.#endFlight(key, isOwnTime ? { kind: 'given up' } : { kind: 'failed', failure: error });
    }
    if (this.#isCancelled) return;
    for (const place of places) this.#fail({ call, place }, error);
    call.settleIfResolved();
  }

  #fail(one: Place, error: GatewayError): void {
    if (isSubgraphFailure(error) && this.#fallBack(one)) return;
    one.call.resolve(one.place, { kind: 'failed', error });
  }

  /** Serves the stale value, if there is one. */
  #fallBack({ call, place }: Place): boolean {
    const reading = call.fallbacks[place];
    if (reading === undefined || this.#cache.options.now() >= reading.fallbackUntil) return false;
    call.resolve(place, { kind: 'entry', reading, reason: 'error' });
    this.#cache.options.observer.onStaleIfError({
      subgraph: this.#subgraph,
      type: call.unit(place)?.type ?? '',
      count: 1,
    });
    return true;
  }

  #release(keys: readonly string[]): void {
    const led = keys.filter((key) => this.#led.has(key));
    if (led.length > 0) this.#cache.store.release(led, 0);
  }

  #endFlight(key: string, end: FlightEnd<GatewayError>): void {
    if (this.#led.delete(key)) this.#cache.flights.end(key, end);
  }

  #isAwaited(): boolean {
    for (const key of this.#led) if (this.#cache.flights.isAwaited(key)) return true;
    return false;
  }

  #cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#stopTimer?.();
    for (const leave of this.#leaves) leave();
    this.#leaves.clear();
    // What other requests wait for goes on without this one.
    if (this.#isAwaited()) return;
    this.#waits.abort();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#release([...this.#led]);
    for (const key of [...this.#led]) this.#endFlight(key, { kind: 'given up' });
  }
}

function readingOf(
  { plan }: CacheUnit,
  entry: CacheEntry | undefined,
  privateEntry: CacheEntry | undefined,
): EntryReading | undefined {
  if (privateEntry !== undefined) return readEntry(privateEntry, plan.rule, 'PRIVATE');
  return entry === undefined ? undefined : readEntry(entry, plan.rule, plan.rule.scope);
}

/** Fresh, or as fresh as a value of this rule ever is. */
function isServable(reading: EntryReading, now: number): boolean {
  return isFresh(reading, now) || now < reading.revalidateUntil;
}
