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

/** One call on its way: settled when the last of its units is. */
export class CachedCall {
  readonly units: CallUnits;
  /** Per unit: what may be served if its subgraph fails. */
  readonly fallbacks: (EntryReading | undefined)[] = [];
  readonly #cache: FetchCache;
  readonly #resolutions: (Resolution | undefined)[];
  readonly #general: FetchError[] = [];
  readonly #done: () => void;
  #open: number;
  /** The one answer that everything came with. */
  #whole: Answered | undefined;
  #isCancelled = false;

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
    if (this.#resolutions[place] !== undefined) return;
    this.#resolutions[place] = resolution;
    this.#open -= 1;
  }

  addGeneral(errors: readonly FetchError[]): void {
    this.#general.push(...errors);
  }

  /** All units have been resolved from this answer as it is. */
  takeWhole(result: Answered): void {
    this.#whole = result;
  }

  settleIfResolved(): void {
    if (this.#open > 0) return;
    this.#open = Number.POSITIVE_INFINITY;
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
  }

  #settle(result: FetchResult): void {
    if (this.#isCancelled) return;
    this.call.settle(result, this.#done);
  }
}
