import type { GatewayError } from '../../errors.ts';
import type { FetchCall, FetchResult } from '../../execution/fetchCall.ts';
import type { FetchSender } from '../../execution/fetchSender.ts';
import type { Leader } from '../../sharing/singleFlight.ts';
import { RaisablePriority } from '../../subgraphs/policies/callPriority.ts';
import type { FetchSpan } from '../../telemetry/fetchSpan.ts';
import { runInSlices, type SlicedTask } from '../../time/slicedTask.ts';
import type { RefreshOutcome } from '../cacheMetrics.ts';
import type { ReadVersion } from '../store/cacheStore.ts';
import { type FetchCache, refreshBackoffMs } from './fetchCache.ts';
import { type FetchJoiner, type FlightOutcome, flightOutcomeOf, settleFlight } from './fetchFlights.ts';
import type { CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { createRefreshContext } from './readContext.ts';
import { type FetchedItem, storeFetchedItems } from './storeFetchedItems.ts';

/** Refreshes the items of a call at these indexes, except those that this process or another one is refreshing. The
 *  request does not wait for the refresh. */
export function refreshStaleItems(
  cache: FetchCache,
  next: FetchSender,
  call: ItemizedCall,
  indexes: readonly number[],
): void {
  const priority = new RaisablePriority('background');
  let span: FetchSpan | undefined;
  const leader: Leader<FetchJoiner> = {
    onJoin: (joiner) => {
      joiner.span?.onJoin(span);
      priority.raise(joiner.priority);
    },
    // A refresh always completes, with or without joiners.
    onLeave: () => {},
  };
  const due = indexes.filter((index) => {
    const item = call.items[index];
    return (
      item !== undefined &&
      !cache.refreshBackoff.isBackingOff(item.key) &&
      cache.singleFlight.tryLead(item.key, leader) !== undefined
    );
  });
  if (due.length === 0) return;
  const { subgraph } = call.call.shape;
  span = call.call.span?.startRefresh({
    'tributary.subgraph': subgraph,
    'tributary.representations': call.call.shape.isEntityFetch ? due.length : 0,
  });
  const claims = cache.store.claim(
    due.map((index) => itemAt(call, index).key),
    cache.options.refreshTimeoutMs(subgraph),
  );
  if (!(claims instanceof Promise)) {
    new Refresh(cache, call, due).send(next, priority, span);
    return;
  }
  void claims.then((granted) => {
    const claimed = due.filter((_, position) => granted[position] === true);
    const claimedElsewhere = due.filter((_, position) => granted[position] !== true);
    new Refresh(cache, call, claimedElsewhere).deferToClaimHolder();
    if (claimed.length > 0) new Refresh(cache, call, claimed).send(next, priority, span);
    else span?.end();
  });
}

class Refresh {
  readonly #cache: FetchCache;
  readonly #itemizedCall: ItemizedCall;
  readonly #indexes: readonly number[];
  #finishedCount = 0;

  constructor(cache: FetchCache, call: ItemizedCall, indexes: readonly number[]) {
    this.#cache = cache;
    this.#itemizedCall = call;
    this.#indexes = indexes;
  }

  send(next: FetchSender, priority: RaisablePriority, span: FetchSpan | undefined): void {
    const { store, options } = this.#cache;
    const { shape, requestContext: clientContext } = this.#itemizedCall.call;
    const since = store.beginRead();
    const requestContext = createRefreshContext(
      clientContext,
      since,
      options.refreshTimeoutMs(shape.subgraph),
    );
    const call = {
      ...this.#itemizedCall.callFor(this.#indexes, (result, done) => {
        span?.end(result.kind === 'failed' ? result.error.code : undefined);
        runInSlices(this.#handleResult(result, since), done, (fault) => {
          this.#fail(this.#cache.toFetchError(fault, shape.subgraph));
          done();
        });
      }),
      requestContext,
      // Not group 0: first responses must not wait in a connection behind refreshes.
      group: 1,
      priority: priority.current,
      raisablePriority: priority,
      span,
    } satisfies FetchCall;
    const onDone = (): void => {};
    if (shape.isEntityFetch) next.sendEntities({ calls: [call], requestContext, onDone });
    else next.sendRoot({ call, onDone });
  }

  /** Leaves the refresh to the process that has the claim. */
  deferToClaimHolder(): void {
    for (const index of this.#indexes) {
      const item = itemAt(this.#itemizedCall, index);
      this.#cache.refreshBackoff.backOff(item.key);
      this.#reportOutcome(item, 'claimed elsewhere');
      settleFlight(this.#cache.singleFlight.find(item.key), { kind: 'abandoned' });
    }
  }

  *#handleResult(result: FetchResult, since: ReadVersion): SlicedTask {
    if (result.kind === 'failed') {
      this.#fail(result.error);
      return;
    }
    const { call } = this.#itemizedCall;
    const { results, general } = this.#itemizedCall.split(result, this.#indexes);
    const items: FetchedItem[] = this.#indexes.map((index, position) => ({
      item: itemAt(this.#itemizedCall, index),
      result: results[position] as FetchedItem['result'],
      isReplaceable: false,
    }));
    const outcomes = yield* storeFetchedItems({
      cache: this.#cache,
      subgraph: call.shape.subgraph,
      identity: call.requestContext.identity,
      result,
      items,
      hasGeneralErrors: general.length > 0,
      since,
    });
    for (let start = 0; start < items.length; start += itemsPerSlice) {
      if (start > 0) yield;
      const slice = items.slice(start, start + itemsPerSlice).map(({ item }, position): FinishedItem => {
        const isStored = outcomes[start + position]?.kind === 'stored';
        return { item, outcome: isStored ? 'stored' : 'not stored' };
      });
      this.#finish(slice, { kind: 'completed' });
    }
  }

  #fail(error: GatewayError): void {
    // A fault may come after some items: their keys may belong to flights of other requests now.
    const remaining = this.#indexes.slice(this.#finishedCount).map((index): FinishedItem => {
      return { item: itemAt(this.#itemizedCall, index), outcome: 'failed' };
    });
    this.#finish(remaining, flightOutcomeOf(error));
  }

  /** Releases the claims of the items in few commands, as a list may have thousands. */
  #finish(items: readonly FinishedItem[], flightOutcome: FlightOutcome): void {
    const { store, refreshBackoff, singleFlight } = this.#cache;
    for (const [outcome, finished] of Map.groupBy(items, ({ outcome }) => outcome)) {
      const keys = finished.map(({ item }) => item.key);
      const isStored = outcome === 'stored';
      if (!isStored) for (const key of keys) refreshBackoff.backOff(key);
      store.release(keys, isStored ? 0 : refreshBackoffMs);
    }
    for (const { item, outcome } of items) {
      this.#finishedCount += 1;
      this.#reportOutcome(item, outcome);
      settleFlight(singleFlight.find(item.key), flightOutcome);
    }
  }

  #reportOutcome(item: CacheableItem, outcome: RefreshOutcome): void {
    const { observer, onFault } = this.#cache.options;
    const { subgraph } = this.#itemizedCall.call.shape;
    try {
      observer.onRefresh({ subgraph, type: item.type, outcome });
    } catch (fault) {
      // Requests that join a flight would wait until their deadlines if it was never settled.
      onFault(fault, subgraph);
    }
  }
}

interface FinishedItem {
  readonly item: CacheableItem;
  readonly outcome: Exclude<RefreshOutcome, 'claimed elsewhere'>;
}

function itemAt({ items }: ItemizedCall, index: number): CacheableItem {
  return items[index] as CacheableItem;
}

const itemsPerSlice = 100;
