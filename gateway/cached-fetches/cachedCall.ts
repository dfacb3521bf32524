import { GatewayError } from '../errors.ts';
import type { FetchCall, FetchError, FetchResult } from '../execution/fetchCall.ts';
import { toFailure } from '../execution/fetchResults.ts';
import { inSlices } from '../time/inSlices.ts';
import type { Answered, CacheUnit, CallUnits } from './cacheUnits.ts';
import type { EntryReading } from './entryReading.ts';
import type { FetchCache } from './fetchCache.ts';
import { joinParts, joinResolutions, type Resolution } from './resolution.ts';

/** One unit of a call. */
export interface Place {
  readonly call: CachedCall;
  readonly place: number;
}

/** One call on its way: settled when the last of its units is there, or can be answered with a stale value once its
 *  budget is over. */
export class CachedCall {
  readonly units: CallUnits;
  /** Per unit: what may be served if its subgraph fails, or does not answer within the budget. */
  readonly fallbacks: (EntryReading | undefined)[] = [];
  readonly #cache: FetchCache;
  readonly #resolutions: (Resolution | undefined)[];
  readonly #general: FetchError[] = [];
  readonly #done: () => void;
  #open: number;
  /** The one answer that everything came with. */
  #whole: Answered | undefined;
  #isSettled = false;
  #isCancelled = false;
  /** Units that a stale value has answered since the budget was over, and that are still being fetched. */
  readonly #late = new Set<number>();
  /** A unit without which the call cannot be settled, whatever the budget. */
  #blockedBy: number | undefined;
  #stopWatching: (() => void) | undefined;
  /** Tells the budget that newer values are there in place of the stale ones that have answered. */
  #endStandIn: (() => void) | undefined;

  constructor(cache: FetchCache, units: CallUnits, done: () => void) {
    this.#cache = cache;
    this.units = units;
    this.#resolutions = units.units.map(() => undefined);
    this.#open = units.units.length;
    this.#done = done;
  }

  get call(): FetchCall {
    return this.units.call;
  }

  unit(place: number): CacheUnit | undefined {
    return this.units.units[place];
  }

  /** Of what has not been resolved, in order. */
  openPlaces(): readonly number[] {
    if (this.#open === 0) return [];
    return this.#resolutions.flatMap((resolution, place) => (resolution === undefined ? [place] : []));
  }

  /** The call is settled by `settleIfResolved`. Only the first resolution of a unit counts. */
  resolve(place: number, resolution: Resolution): void {
    if (this.#resolutions[place] !== undefined) {
      if (this.#late.delete(place) && this.#late.size === 0) this.#endStandIn?.();
      return;
    }
    this.#resolutions[place] = resolution;
    this.#open -= 1;
  }

  /** Whether the call was settled without a unit that is still being fetched, for the next one who asks. */
  isLate(place: number): boolean {
    return this.#late.has(place);
  }

  get hasLate(): boolean {
    return this.#late.size > 0;
  }

  addGeneral(errors: readonly FetchError[]): void {
    this.#general.push(...errors);
  }

  /** All units have been resolved from this answer as it is. */
  takeWhole(result: Answered): void {
    this.#whole = result;
  }

  /** For when everything that is missing is being fetched: settles the call at once, or at the end of the budget, if
   *  stale values stand for all that has not come by then. */
  settleWithinBudget(): void {
    this.settleIfResolved();
    if (!this.#isSettled) this.#stopWatching = this.call.budget?.onEnd(() => this.settleIfResolved());
  }

  settleIfResolved(): void {
    if (this.#isSettled) return;
    if (this.#open > 0) this.#takeStaleIfLate();
    if (this.#open > 0) return;
    this.#isSettled = true;
    this.#stopWatching?.();
    const resolutions = this.#resolutions as Resolution[];
    if (this.#whole !== undefined) {
      const parts = resolutions.map((one) => (one.kind === 'answer' ? one.part : undefined));
      this.#settle({ ...this.#whole, caching: joinParts(parts) });
      return;
    }
    const { options } = this.#cache;
    inSlices(
      joinResolutions({
        call: this.units,
        resolutions,
        general: this.#general,
        now: options.now(),
        headerNames: (scope) => options.headerNames(this.call.shape.subgraph, scope),
      }),
      (result) => this.#settle(result),
      (fault) => {
        options.onFault(fault);
        this.#settle(
          toFailure(new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault })),
        );
      },
    );
  }

  /** Leaves it unsettled. */
  cancel(): void {
    this.#isCancelled = true;
    this.#stopWatching?.();
  }

  /** All or nothing: as long as the call waits for one unit, the others may still come. */
  #takeStaleIfLate(): void {
    if (this.#isCancelled || this.call.budget?.isOver !== true || this.#isBlocked()) return;
    const { observer } = this.#cache.options;
    this.#endStandIn = this.call.budget.standIn(this.call.group);
    for (const place of this.openPlaces()) {
      const reading = this.fallbacks[place] as EntryReading;
      this.resolve(place, { kind: 'entry', reading, reason: 'budget' });
      this.#late.add(place);
      const type = this.unit(place)?.type ?? '';
      observer.onStaleIfBudget({ subgraph: this.call.shape.subgraph, type, count: 1 });
    }
  }

  #isBlocked(): boolean {
    // What blocks once does so until it has come: long calls are not searched each time that something has.
    if (this.#blockedBy !== undefined && this.#resolutions[this.#blockedBy] === undefined) return true;
    const now = this.#cache.options.now();
    this.#blockedBy = this.openPlaces().find((place) => {
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
