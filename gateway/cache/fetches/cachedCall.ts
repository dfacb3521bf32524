import { GatewayError } from '../../errors.ts';
import {
  type FetchCall,
  type FetchError,
  type FetchResult,
  toFailedResult,
} from '../../execution/fetchCall.ts';
import { runInSlices } from '../../time/slicedTask.ts';
import type { EffectiveEntry } from './effectiveEntry.ts';
import type { FetchCache } from './fetchCache.ts';
import type { AnsweredResult, CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { assembleResult, mergeContributions, type Resolution } from './resolution.ts';

/** One unit of a call. */
export interface ItemRef {
  readonly call: CachedCall;
  readonly index: number;
}

/** One call on its way: settled when the last of its units is there, or can be answered with a stale value once its
 *  budget is over. */
export class CachedCall {
  readonly itemizedCall: ItemizedCall;
  /** Per unit: what may be served if its subgraph fails, or does not answer within the budget. */
  readonly fallbacks: (EffectiveEntry | undefined)[] = [];
  readonly #cache: FetchCache;
  readonly #resolutions: (Resolution | undefined)[];
  readonly #generalErrors: FetchError[] = [];
  readonly #done: () => void;
  #unresolvedCount: number;
  /** The one answer that everything came with. */
  #wholeAnswer: AnsweredResult | undefined;
  #isSettled = false;
  #isCancelled = false;
  /** Units that a stale value has answered since the budget was over, and that are still being fetched. */
  readonly #backgroundFetches = new Set<number>();
  /** A unit without which the call cannot be settled, whatever the budget. */
  #blockedBy: number | undefined;
  #removeBudgetListener: (() => void) | undefined;
  /** Tells the budget that newer values are there in place of the stale ones that have answered. */
  #endStandIn: (() => void) | undefined;

  constructor(cache: FetchCache, units: ItemizedCall, done: () => void) {
    this.#cache = cache;
    this.itemizedCall = units;
    this.#resolutions = units.items.map(() => undefined);
    this.#unresolvedCount = units.items.length;
    this.#done = done;
  }

  get call(): FetchCall {
    return this.itemizedCall.call;
  }

  itemAt(place: number): CacheableItem | undefined {
    return this.itemizedCall.items[place];
  }

  /** Of what has not been resolved, in order. */
  unresolvedIndexes(): readonly number[] {
    if (this.#unresolvedCount === 0) return [];
    return this.#resolutions.flatMap((resolution, place) => (resolution === undefined ? [place] : []));
  }

  /** The call is settled by `settleIfResolved`. Only the first resolution of a unit counts. */
  resolve(place: number, resolution: Resolution): void {
    if (this.#resolutions[place] !== undefined) {
      if (this.#backgroundFetches.delete(place) && this.#backgroundFetches.size === 0) this.#endStandIn?.();
      return;
    }
    this.#resolutions[place] = resolution;
    this.#unresolvedCount -= 1;
  }

  /** Whether the call was settled without a unit that is still being fetched, for the next one who asks. */
  isFetchedInBackground(place: number): boolean {
    return this.#backgroundFetches.has(place);
  }

  get hasBackgroundFetches(): boolean {
    return this.#backgroundFetches.size > 0;
  }

  addGeneralErrors(errors: readonly FetchError[]): void {
    this.#generalErrors.push(...errors);
  }

  /** All units have been resolved from this answer as it is. */
  setWholeAnswer(result: AnsweredResult): void {
    this.#wholeAnswer = result;
  }

  /** For when everything that is missing is being fetched: settles the call at once, or at the end of the budget, if
   *  stale values stand for all that has not come by then. */
  settleWithinBudget(): void {
    this.settleIfResolved();
    if (!this.#isSettled)
      this.#removeBudgetListener = this.call.budget?.onExpire(() => this.settleIfResolved());
  }

  settleIfResolved(): void {
    if (this.#isSettled) return;
    if (this.#unresolvedCount > 0) this.#serveStaleIfOverBudget();
    if (this.#unresolvedCount > 0) return;
    this.#isSettled = true;
    this.#removeBudgetListener?.();
    const resolutions = this.#resolutions as Resolution[];
    if (this.#wholeAnswer !== undefined) {
      const parts = resolutions.map((one) => (one.kind === 'answer' ? one.contribution : undefined));
      this.#settle({ ...this.#wholeAnswer, caching: mergeContributions(parts) });
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
      (fault) => {
        options.onFault(fault);
        this.#settle(
          toFailedResult(
            new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault }),
          ),
        );
      },
    );
  }

  /** Leaves it unsettled. */
  cancel(): void {
    this.#isCancelled = true;
    this.#removeBudgetListener?.();
  }

  /** All or nothing: as long as the call waits for one unit, the others may still come. */
  #serveStaleIfOverBudget(): void {
    if (this.#isCancelled || this.call.budget?.isExpired !== true || this.#isBlocked()) return;
    const { observer } = this.#cache.options;
    this.#endStandIn = this.call.budget.trackStaleFallback(this.call.group);
    for (const place of this.unresolvedIndexes()) {
      const reading = this.fallbacks[place] as EffectiveEntry;
      this.resolve(place, { kind: 'entry', effectiveEntry: reading, reason: 'budget' });
      this.#backgroundFetches.add(place);
      const type = this.itemAt(place)?.type ?? '';
      observer.onStaleIfBudget({ subgraph: this.call.shape.subgraph, type, count: 1 });
    }
  }

  #isBlocked(): boolean {
    // What blocks once does so until it has come: long calls are not searched each time that something has.
    if (this.#blockedBy !== undefined && this.#resolutions[this.#blockedBy] === undefined) return true;
    const now = this.#cache.options.now();
    this.#blockedBy = this.unresolvedIndexes().find((place) => {
      const reading = this.fallbacks[place];
      return reading === undefined || now >= reading.fallbackUntil;
    });
    return this.#blockedBy !== undefined;
  }

  #settle(result: FetchResult): void {
    if (this.#isCancelled) return;
    this.call.settle(result, this.#done);
  }
}
