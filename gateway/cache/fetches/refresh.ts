import type { FetchResult } from '../../execution/fetchCall.ts';
import type { FetchSender } from '../../execution/fetchSender.ts';
import { RaisablePriority } from '../../subgraphs/policies/callPriority.ts';
import type { Leader } from '../../subgraphs/policies/singleFlight.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { FetchCache } from './fetchCache.ts';
import { type FetchJoiner, type FetchOutcome, fetchOutcomeOf, settleFlight } from './fetchOutcome.ts';
import type { CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { createRefreshContext } from './readContext.ts';
import { type AnsweredItem, storeAnswers } from './storeAnswers.ts';

/** Asks anew for the units of a call at these places, unless it is being done: here, or by another process. Nobody
 *  waits for it. */
export function refreshStaleItems(
  cache: FetchCache,
  next: FetchSender,
  call: ItemizedCall,
  places: readonly number[],
): void {
  // Whoever comes to wait for it is in more of a hurry.
  const raisable = new RaisablePriority('background');
  const leader: Leader<FetchJoiner> = {
    onJoin: ({ priority }) => raisable.raise(priority),
    onLeave: completeAnyway,
  };
  const due = places.filter((place) => {
    const unit = call.items[place];
    return (
      unit !== undefined &&
      !cache.refreshBackoff.isBackingOff(unit.key) &&
      cache.singleFlight.tryLead(unit.key, leader) !== undefined
    );
  });
  if (due.length === 0) return;
  const { subgraph } = call.call.shape;
  const claims = cache.store.claim(
    due.map((place) => itemAt(call, place).key),
    cache.options.refreshTimeoutMs(subgraph),
  );
  if (!(claims instanceof Promise)) {
    new Refresh(cache, call, due).send(next, raisable);
    return;
  }
  void claims.then((granted) => {
    const mine = due.filter((_, index) => granted[index] === true);
    const others = due.filter((_, index) => granted[index] !== true);
    new Refresh(cache, call, others).deferToClaimHolder();
    if (mine.length > 0) new Refresh(cache, call, mine).send(next, raisable);
  });
}

class Refresh {
  readonly #cache: FetchCache;
  readonly #itemizedCall: ItemizedCall;
  readonly #indexes: readonly number[];

  constructor(cache: FetchCache, call: ItemizedCall, places: readonly number[]) {
    this.#cache = cache;
    this.#itemizedCall = call;
    this.#indexes = places;
  }

  send(next: FetchSender, raisable: RaisablePriority): void {
    const { store, options } = this.#cache;
    const { call } = this.#itemizedCall;
    const since = store.beginRead();
    const scope = createRefreshContext(
      call.requestContext,
      since,
      options.refreshTimeoutMs(call.shape.subgraph),
    );
    const asked = {
      ...this.#itemizedCall.callFor(this.#indexes, (result, done) => {
        runInSlices(this.#handleResult(result, since), done, (fault) => {
          options.onFault(fault);
          this.#fail();
          done();
        });
      }),
      requestContext: scope,
      // First answers must not wait for a connection that refreshes have taken.
      group: 1,
      priority: raisable.current,
      raisablePriority: raisable,
    };
    const done = (): void => {};
    if (call.shape.isEntityFetch) next.sendEntities({ calls: [asked], requestContext: scope, onDone: done });
    else next.sendRoot({ call: asked, onDone: done });
  }

  /** Another process does it. */
  deferToClaimHolder(): void {
    for (const place of this.#indexes) {
      const unit = itemAt(this.#itemizedCall, place);
      this.#cache.refreshBackoff.backOff(unit.key, this.#cache.options.refreshBackoffMs);
      this.#reportOutcome(unit, 'left to another process');
      settleFlight(this.#cache.singleFlight.find(unit.key), { kind: 'given up' });
    }
  }

  *#handleResult(result: FetchResult, since: ReturnType<FetchCache['store']['beginRead']>): SlicedTask {
    if (result.kind === 'failed') {
      this.#fail(result);
      return;
    }
    const { call } = this.#itemizedCall;
    const { answers, general } = this.#itemizedCall.split(result, this.#indexes);
    const kept: AnsweredItem[] = this.#indexes.map((index, position) => ({
      item: itemAt(this.#itemizedCall, index),
      answer: answers[position] as AnsweredItem['answer'],
    }));
    const parts = yield* storeAnswers(
      this.#cache,
      call.shape.subgraph,
      call.requestContext.identity,
      result,
      kept,
      general.length > 0,
      since,
    );
    for (const [index, { item }] of kept.entries()) {
      if (index % itemsPerSlice === itemsPerSlice - 1) yield;
      this.#finish(item, parts[index] === undefined ? 'not stored' : 'stored', { kind: 'landed' });
    }
  }

  #fail(result?: Extract<FetchResult, { kind: 'failed' }>): void {
    for (const place of this.#indexes) {
      this.#finish(
        itemAt(this.#itemizedCall, place),
        'failed',
        result === undefined ? { kind: 'given up' } : fetchOutcomeOf(result.error),
      );
    }
  }

  #finish(
    unit: CacheableItem,
    outcome: 'stored' | 'not stored' | 'failed',
    fetchOutcome: FetchOutcome,
  ): void {
    const { store, refreshBackoff, singleFlight, options } = this.#cache;
    const pauseMs = outcome === 'stored' ? 0 : options.refreshBackoffMs;
    if (pauseMs > 0) refreshBackoff.backOff(unit.key, pauseMs);
    store.release([unit.key], pauseMs);
    this.#reportOutcome(unit, outcome);
    settleFlight(singleFlight.find(unit.key), fetchOutcome);
  }

  #reportOutcome(
    unit: CacheableItem,
    outcome: 'stored' | 'not stored' | 'failed' | 'left to another process',
  ): void {
    this.#cache.options.observer.onRefresh({
      subgraph: this.#itemizedCall.call.shape.subgraph,
      type: unit.type,
      outcome,
    });
  }
}

/** A refresh completes even if no joiner is left. */
function completeAnyway(): void {}

function itemAt({ items }: ItemizedCall, place: number): CacheableItem {
  return items[place] as CacheableItem;
}

/** Long lists pause after so many. */
const itemsPerSlice = 100;
