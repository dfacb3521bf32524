import type { CacheAnswers, CacheEntry, ReadStart } from '../cache/store/cacheStore.ts';
import { GatewayError } from '../errors.ts';
import type { FetchCall, FetchError, FetchResult } from '../execution/fetchCall.ts';
import type { CancelFetch, FetchSender } from '../execution/fetchSender.ts';
import type { RequestScope } from '../execution/requestScope.ts';
import { deadlineExceeded } from '../subgraph-client/callFailure.ts';
import { mostUrgent } from '../subgraph-client/callPriority.ts';
import { RaisablePriority } from '../subgraph-client/raisablePriority.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import type { CachedCall, Place } from './cachedCall.ts';
import type { Answered, CacheUnit, UnitAnswer } from './cacheUnits.ts';
import { isServable, readEither } from './entryReading.ts';
import type { FetchCache } from './fetchCache.ts';
import type { FlightEnd } from './flights.ts';
import { keepAnswers } from './keepAnswers.ts';
import { LedFlights } from './ledFlights.ts';
import { readScope } from './readScope.ts';
import { flightEndOf, isSubgraphFailure } from './subgraphFailure.ts';
import { Waits } from './waits.ts';

export interface MissingUnitsOptions {
  readonly cache: FetchCache;
  readonly next: FetchSender;
  readonly scope: RequestScope;
  /** Of one subgraph, at least one. */
  readonly calls: readonly CachedCall[];
}

/** Gets what a request has not found: asks its subgraph, or waits for what others are asking. */
export class MissingUnits {
  readonly #cache: FetchCache;
  readonly #next: FetchSender;
  readonly #scope: RequestScope;
  readonly #calls: readonly CachedCall[];
  readonly #subgraph: string;
  readonly #isEntityFetch: boolean;
  readonly #led: LedFlights;
  /** Of whatever is asked for: it goes in few requests. */
  readonly #raisable: RaisablePriority;
  readonly #waits: Waits<Place>;
  /** Ends waiting for other processes. */
  readonly #abandoned = new AbortController();
  readonly #cancels = new Set<CancelFetch>();
  #plain: readonly FetchCall[] = [];
  /** What has been waited for in vain, to be asked for together: whether by a fetch that others may wait for. */
  #again = new Map<Place, boolean>();
  #isCancelled = false;

  constructor({ cache, next, scope, calls }: MissingUnitsOptions) {
    this.#cache = cache;
    this.#next = next;
    this.#scope = scope;
    this.#calls = calls;
    const { shape } = (calls[0] as CachedCall).call;
    this.#subgraph = shape.subgraph;
    this.#isEntityFetch = shape.isEntityFetch;
    this.#raisable = new RaisablePriority(calls.map(({ call }) => call.priority).reduce(mostUrgent));
    this.#led = new LedFlights(cache, {
      onJoin: (priority) => this.#raisable.raise(priority),
      onAlone: () => this.#abandonIfAlone(),
    });
    this.#waits = new Waits({
      timers: cache.options.timers,
      leftMs: () => this.#leftMs(),
      onLate: (late) => {
        this.#fail(late, deadlineExceeded(this.#subgraph));
        late.call.settleIfResolved();
        this.#abandonIfAlone();
      },
    });
  }

  /** `plain` goes with the first request to the subgraph. */
  start(places: readonly Place[], plain: readonly FetchCall[]): void {
    this.#plain = plain;
    this.#fetch(places, []);
  }

  sendPlain(calls: readonly FetchCall[]): void {
    this.#sendCalls(calls, this.#scope);
  }

  /** What other requests wait for goes on without this one, and so does what is late: it is to be there for the next
   *  one. */
  cancel(): void {
    this.#isCancelled = true;
    this.#waits.leave((one) => !this.#isWanted(one));
    this.#abandonIfAlone();
  }

  #isWanted({ call, place }: Place): boolean {
    return !this.#isCancelled || call.isLate(place);
  }

  /** Ends everything once this request has left, and with it all who wait for something of it. */
  #abandonIfAlone(): void {
    if (!this.#isCancelled || this.#isAbandoned) return;
    if (this.#calls.some(({ hasLate }) => hasLate) || this.#led.isAwaited) return;
    this.#abandoned.abort();
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#led.giveUp();
  }

  get #isAbandoned(): boolean {
    return this.#abandoned.signal.aborted;
  }

  #leftMs(): number {
    return this.#scope.deadlineFor(this.#subgraph) - performance.now();
  }

  /** Asks for `own`, and for the others unless somebody does. */
  #fetch(places: readonly Place[], own: Place[]): void {
    const led: Place[] = [];
    for (const one of places) {
      const unit = one.call.unit(one.place);
      // Where nothing could be stored, waiting for others is in vain; and a refresh that failed has left a claim, for
      // other processes to keep away, that this request should not wait for.
      if (unit === undefined || !unit.plan.isStorable || this.#cache.held.isHeld(unit.key)) own.push(one);
      else if (this.#led.begin(unit.key)) led.push(one);
      else this.#join(one, unit.key);
    }
    if (led.length === 0) {
      this.#send(own);
      return;
    }
    const keys = led.map((one) => unitOf(one).key);
    const claims = this.#cache.store.claim(keys, this.#cache.options.refreshDeadlineMs(this.#subgraph));
    if (!(claims instanceof Promise)) {
      this.#send([...own, ...led]);
      return;
    }
    void claims.then((granted) => {
      if (this.#isAbandoned) return;
      this.#send([...own, ...led.filter((_, index) => granted[index] === true)]);
      for (const [index, one] of led.entries()) if (granted[index] !== true) this.#awaitOther(one);
    });
  }

  #join(one: Place, key: string): void {
    const leave = this.#cache.flights.join(key, one.call.call.priority, (end) => {
      this.#waits.delete(one);
      if (this.#isWanted(one)) this.#land(one, end);
    });
    this.#waits.add(one, leave);
  }

  #land(one: Place, end: FlightEnd<GatewayError>): void {
    if (end.kind === 'failed') {
      this.#fail(one, end.failure);
      one.call.settleIfResolved();
      this.#abandonIfAlone();
    } else if (end.kind === 'given up') this.#fetchLater(one, true);
    else {
      const { key, privateKey } = unitOf(one);
      const answers = this.#cache.store.getMany(privateKey === undefined ? [key] : [key, privateKey]);
      if (answers instanceof Promise) void answers.then((entries) => this.#takeLanded(one, entries));
      else this.#takeLanded(one, answers);
    }
  }

  #takeLanded(one: Place, [entry, privateEntry]: CacheAnswers): void {
    if (!this.#isWanted(one)) return;
    if (this.#serve(one, entry, privateEntry)) this.#abandonIfAlone();
    else this.#fetchLater(one, false);
  }

  /** Another process is fetching it. */
  #awaitOther(one: Place): void {
    this.#waits.add(one);
    const { store, options } = this.#cache;
    const { key } = unitOf(one);
    this.#led.leaveToOther(key);
    // As slow as the other one may be, there must be time for an own attempt.
    const maxMs = Math.min(this.#leftMs() / 2, options.refreshDeadlineMs(this.#subgraph));
    void store.awaitOther(key, maxMs, this.#abandoned.signal).then((entry) => {
      this.#waits.delete(one);
      if (this.#isAbandoned) return;
      if (this.#serve(one, entry, undefined)) {
        this.#led.end([key], { kind: 'landed' });
        this.#abandonIfAlone();
      } else this.#fetchLater(one, false);
    });
  }

  /** False where there is nothing that may be served. */
  #serve(one: Place, entry: CacheEntry | undefined, privateEntry: CacheEntry | undefined): boolean {
    const now = this.#cache.options.now();
    const reading = readEither(unitOf(one).plan.rule, entry, privateEntry, now);
    if (reading === undefined || !isServable(reading, now)) return false;
    one.call.resolve(one.place, { kind: 'entry', reading, reason: undefined });
    one.call.settleIfResolved();
    return true;
  }

  /** Waits that end at the same moment make one request. */
  #fetchLater(one: Place, mayJoin: boolean): void {
    this.#again.set(one, mayJoin);
    if (this.#again.size > 1) return;
    queueMicrotask(() => {
      const again = [...this.#again];
      this.#again = new Map();
      if (this.#isAbandoned) return;
      const [joining, own] = [true, false].map((wanted) =>
        again.flatMap(([place, may]) => (may === wanted ? [place] : [])),
      );
      this.#fetch(joining ?? [], own ?? []);
    });
  }

  #send(places: readonly Place[]): void {
    const plain = this.#plain;
    this.#plain = [];
    if (places.length === 0) {
      this.sendPlain(plain);
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
        priority: mostUrgent(call.call.priority, this.#raisable.current),
        raisable: this.#raisable,
      };
    });
    this.#sendCalls([...calls, ...plain], scope);
  }

  #sendCalls(calls: readonly FetchCall[], scope: RequestScope): void {
    if (calls.length === 0) return;
    if (this.#isEntityFetch) this.#sendOne((done) => this.#next.sendEntities({ calls, scope, done }));
    else for (const call of calls) this.#sendOne((done) => this.#next.sendRoot({ call, done }));
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
    const settled = (): void => {
      done();
      this.#abandonIfAlone();
    };
    if (result.kind === 'failed') {
      this.#failAll(call, places, result.error);
      settled();
      return;
    }
    inSlices(this.#keep(call, places, result, since), settled, (fault) => {
      this.#cache.options.onFault(fault);
      this.#failAll(
        call,
        places,
        new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault }),
      );
      settled();
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
    yield* this.#led.endInSlices(kept, { kind: 'landed' });
    const isFailure = ({ entry }: FetchError): boolean =>
      isSubgraphFailure(entry, result.answer?.failureStatus);
    // Beside a refusal, failures are none of a value's business: it has been denied.
    const isGeneralFailure = general.length > 0 && general.every(isFailure);
    let replaced = 0;
    let isAnyEmpty = false;
    for (const [index, place] of places.entries()) {
      const answer = answers[index] as UnitAnswer;
      const isEmpty = answer.value === null || answer.value === undefined;
      const isFailed =
        answer.errors.length > 0 ? answer.errors.every(isFailure) : isGeneralFailure && isEmpty;
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
    const keys = places.flatMap((place) => call.unit(place)?.key ?? []);
    this.#led.end(keys, flightEndOf(error));
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
    if (this.#isCancelled || reading === undefined || call.isLate(place)) return false;
    if (this.#cache.options.now() >= reading.fallbackUntil) return false;
    call.resolve(place, { kind: 'entry', reading, reason: 'error' });
    this.#cache.options.observer.onStaleIfError({
      subgraph: this.#subgraph,
      type: call.unit(place)?.type ?? '',
      count: 1,
    });
    return true;
  }
}

/** Of what others may wait for. */
function unitOf({ call, place }: Place): CacheUnit {
  return call.unit(place) as CacheUnit;
}
