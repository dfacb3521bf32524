import type { FetchResult } from '../execution/fetchCall.ts';
import type { FetchSender } from '../execution/fetchSender.ts';
import { RaisablePriority } from '../subgraph-client/raisablePriority.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import type { CacheUnit, CallUnits } from './cacheUnits.ts';
import type { FetchCache } from './fetchCache.ts';
import type { Pilot } from './flights.ts';
import { type KeptUnit, keepAnswers } from './keepAnswers.ts';
import { refreshScope } from './readScope.ts';
import { flightEndOf } from './subgraphFailure.ts';

/** Asks anew for the units of a call at these places, unless it is being done: here, or by another process. Nobody
 *  waits for it. */
export function refresh(
  cache: FetchCache,
  next: FetchSender,
  call: CallUnits,
  places: readonly number[],
): void {
  // Whoever comes to wait for it is in more of a hurry.
  const raisable = new RaisablePriority('background');
  const pilot: Pilot = { onJoin: (priority) => raisable.raise(priority), onAlone: goOn };
  const due = places.filter((place) => {
    const unit = call.units[place];
    return unit !== undefined && !cache.held.isHeld(unit.key) && cache.flights.begin(unit.key, pilot);
  });
  if (due.length === 0) return;
  const { subgraph } = call.call.shape;
  const claims = cache.store.claim(
    due.map((place) => unitAt(call, place).key),
    cache.options.refreshDeadlineMs(subgraph),
  );
  if (!(claims instanceof Promise)) {
    new Refresh(cache, call, due).send(next, raisable);
    return;
  }
  void claims.then((granted) => {
    const mine = due.filter((_, index) => granted[index] === true);
    const others = due.filter((_, index) => granted[index] !== true);
    new Refresh(cache, call, others).leave();
    if (mine.length > 0) new Refresh(cache, call, mine).send(next, raisable);
  });
}

class Refresh {
  readonly #cache: FetchCache;
  readonly #call: CallUnits;
  readonly #places: readonly number[];

  constructor(cache: FetchCache, call: CallUnits, places: readonly number[]) {
    this.#cache = cache;
    this.#call = call;
    this.#places = places;
  }

  send(next: FetchSender, raisable: RaisablePriority): void {
    const { store, options } = this.#cache;
    const { call } = this.#call;
    const since = store.beginRead();
    const scope = refreshScope(call.scope, since, options.refreshDeadlineMs(call.shape.subgraph));
    const asked = {
      ...this.#call.callFor(this.#places, (result, done) => {
        inSlices(this.#take(result, since), done, (fault) => {
          options.onFault(fault);
          this.#fail();
          done();
        });
      }),
      scope,
      // First answers must not wait for a connection that refreshes have taken.
      group: 1,
      priority: raisable.current,
      raisable,
    };
    const done = (): void => {};
    if (call.shape.isEntityFetch) next.sendEntities({ calls: [asked], scope, done });
    else next.sendRoot({ call: asked, done });
  }

  /** Another process does it. */
  leave(): void {
    for (const place of this.#places) {
      const unit = unitAt(this.#call, place);
      this.#cache.held.hold(unit.key, this.#cache.options.refreshPauseMs);
      this.#tell(unit, 'left to another process');
      this.#cache.flights.end(unit.key, { kind: 'given up' });
    }
  }

  *#take(result: FetchResult, since: ReturnType<FetchCache['store']['beginRead']>): SlicedWork {
    if (result.kind === 'failed') {
      this.#fail(result);
      return;
    }
    const { call } = this.#call;
    const { answers, general } = this.#call.split(result, this.#places);
    const kept: KeptUnit[] = this.#places.map((place, index) => ({
      unit: unitAt(this.#call, place),
      answer: answers[index] as KeptUnit['answer'],
    }));
    const parts = yield* keepAnswers(
      this.#cache,
      call.shape.subgraph,
      call.scope.identity,
      result,
      kept,
      general.length > 0,
      since,
    );
    for (const [index, { unit }] of kept.entries()) {
      if (index % unitsPerPause === unitsPerPause - 1) yield;
      this.#end(unit, parts[index] === undefined ? 'not stored' : 'stored', { kind: 'landed' });
    }
  }

  #fail(result?: Extract<FetchResult, { kind: 'failed' }>): void {
    for (const place of this.#places) {
      this.#end(
        unitAt(this.#call, place),
        'failed',
        result === undefined ? { kind: 'given up' } : flightEndOf(result.error),
      );
    }
  }

  #end(
    unit: CacheUnit,
    outcome: 'stored' | 'not stored' | 'failed',
    end: Parameters<FetchCache['flights']['end']>[1],
  ): void {
    const { store, held, flights, options } = this.#cache;
    const pauseMs = outcome === 'stored' ? 0 : options.refreshPauseMs;
    if (pauseMs > 0) held.hold(unit.key, pauseMs);
    store.release([unit.key], pauseMs);
    this.#tell(unit, outcome);
    flights.end(unit.key, end);
  }

  #tell(unit: CacheUnit, outcome: 'stored' | 'not stored' | 'failed' | 'left to another process'): void {
    this.#cache.options.observer.onRefresh({
      subgraph: this.#call.call.shape.subgraph,
      type: unit.type,
      outcome,
    });
  }
}

/** A refresh is brought to its end, whoever waits for it. */
function goOn(): void {}

function unitAt({ units }: CallUnits, place: number): CacheUnit {
  return units[place] as CacheUnit;
}

/** Long lists pause after so many. */
const unitsPerPause = 100;
