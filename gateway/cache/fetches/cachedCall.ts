import {
  type CompletedResult,
  type FetchCall,
  type FetchError,
  type FetchResult,
  toFailedResult,
} from '../../execution/fetchCall.ts';
import { runInSlices } from '../../time/slicedTask.ts';
import { ageOf, type EffectiveEntry } from './effectiveEntry.ts';
import type { FetchCache } from './fetchCache.ts';
import type { CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { assembleResult, mergeContributions, type Resolution } from './resolution.ts';

/** One item of a call. */
export interface ItemRef {
  readonly call: CachedCall;
  readonly index: number;
}

/** One call that is served from the cache, from the subgraph, or from both. It settles when its last item is resolved,
 *  or when its budget is over and stale values replace the remaining items. */
export class CachedCall {
  readonly itemizedCall: ItemizedCall;
  /** For each item, the stale value to serve if the subgraph fails or misses the budget. */
  readonly fallbacks: (EffectiveEntry | undefined)[] = [];
  readonly #cache: FetchCache;
  readonly #resolutions: (Resolution | undefined)[];
  readonly #generalErrors: FetchError[] = [];
  readonly #done: () => void;
  #unresolvedCount: number;
  #wholeResult: CompletedResult | undefined;
  #state: 'open' | 'settled' | 'cancelled' = 'open';
  /** Set when the budget is over and stale values were served. `indexes`: items that are still being fetched, to be
   *  stored for the next request. `end` reports to the budget that all of them have arrived. */
  #backgroundFetches: { readonly indexes: Set<number>; readonly end: () => void } | undefined;
  /** An unresolved item without a usable stale value: the call cannot settle before it. */
  #blockedBy: number | undefined;
  #removeBudgetListener: (() => void) | undefined;

  constructor(cache: FetchCache, itemizedCall: ItemizedCall, done: () => void) {
    this.#cache = cache;
    this.itemizedCall = itemizedCall;
    this.#resolutions = itemizedCall.items.map(() => undefined);
    this.#unresolvedCount = itemizedCall.items.length;
    this.#done = done;
  }

  get call(): FetchCall {
    return this.itemizedCall.call;
  }

  itemAt(index: number): CacheableItem | undefined {
    return this.itemizedCall.items[index];
  }

  /** In ascending order. */
  unresolvedIndexes(): readonly number[] {
    if (this.#unresolvedCount === 0) return [];
    return this.#resolutions.flatMap((resolution, index) => (resolution === undefined ? [index] : []));
  }

  /** Only the first resolution of an item counts. Call `settleIfResolved` after the last one. */
  resolve(index: number, resolution: Resolution): void {
    if (this.#resolutions[index] === undefined) {
      this.#resolutions[index] = resolution;
      this.#unresolvedCount -= 1;
      if (resolution.kind === 'entry' && resolution.reason !== undefined) {
        const { observer, now } = this.#cache.options;
        const ageMs = ageOf(resolution.effectiveEntry, now());
        observer.onStaleServed({ subgraph: this.call.shape.subgraph, ageMs });
      }
    } else if (this.#backgroundFetches?.indexes.delete(index) && !this.hasBackgroundFetches) {
      this.#backgroundFetches.end();
    }
  }

  /** Whether the item was resolved with a stale value, and its fetch continues in order to store a newer one. */
  isFetchedInBackground(index: number): boolean {
    return this.#backgroundFetches?.indexes.has(index) === true;
  }

  get hasBackgroundFetches(): boolean {
    return this.#backgroundFetches !== undefined && this.#backgroundFetches.indexes.size > 0;
  }

  addGeneralErrors(errors: readonly FetchError[]): void {
    this.#generalErrors.push(...errors);
  }

  /** All items were resolved from this one result, which can be returned without reassembling it. */
  setWholeResult(result: CompletedResult): void {
    this.#wholeResult = result;
  }

  /** To be called when the fetches of all missing items have started. Settles the call at once if possible, or at the
   *  end of the budget if stale values can replace everything that is still missing. */
  settleWithinBudget(): void {
    this.settleIfResolved();
    if (this.#state === 'open')
      this.#removeBudgetListener = this.call.budget?.onExpire(() => this.settleIfResolved());
  }

  settleIfResolved(): void {
    if (this.#state !== 'open') return;
    if (this.#unresolvedCount > 0) this.#serveStaleIfOverBudget();
    if (this.#unresolvedCount > 0) return;
    this.#state = 'settled';
    this.#removeBudgetListener?.();
    const resolutions = this.#resolutions as Resolution[];
    if (this.#wholeResult !== undefined) {
      const contributions = resolutions.map((resolution) =>
        resolution.kind === 'fetched' ? resolution.contribution : undefined,
      );
      this.#settle({ ...this.#wholeResult, caching: mergeContributions(contributions) });
      return;
    }
    const { options } = this.#cache;
    runInSlices(
      assembleResult({
        itemizedCall: this.itemizedCall,
        resolutions,
        generalErrors: this.#generalErrors,
        now: options.now(),
        headerNames: (scope) => options.headerNames(this.call.shape.subgraph, scope),
      }),
      (result) => this.#settle(result),
      (fault) => this.#settle(toFailedResult(this.#cache.toFetchError(fault, this.call.shape.subgraph))),
    );
  }

  /** The call is not settled any more. */
  cancel(): void {
    this.#state = 'cancelled';
    this.#removeBudgetListener?.();
  }

  /** Serves stale values for all unresolved items or for none: while the call waits for one item, the others may still
   *  arrive. */
  #serveStaleIfOverBudget(): void {
    if (this.call.budget?.isExpired !== true || this.#isBlocked()) return;
    const { observer } = this.#cache.options;
    const indexes = new Set(this.unresolvedIndexes());
    this.#backgroundFetches = { indexes, end: this.call.budget.trackStaleFallback(this.call.group) };
    for (const index of indexes) {
      const fallback = this.fallbacks[index] as EffectiveEntry;
      this.resolve(index, { kind: 'entry', effectiveEntry: fallback, reason: 'budget' });
      const type = this.itemAt(index)?.type ?? '';
      observer.onStaleIfBudget({ subgraph: this.call.shape.subgraph, type });
    }
  }

  #isBlocked(): boolean {
    // Remembered, so that a long call is not searched again each time an item arrives.
    if (this.#blockedBy !== undefined && this.#resolutions[this.#blockedBy] === undefined) return true;
    const now = this.#cache.options.now();
    this.#blockedBy = this.unresolvedIndexes().find((index) => {
      const fallback = this.fallbacks[index];
      return fallback === undefined || now >= fallback.fallbackUntil;
    });
    return this.#blockedBy !== undefined;
  }

  #settle(result: FetchResult): void {
    if (this.#state !== 'cancelled') this.call.settle(result, this.#done);
  }
}
