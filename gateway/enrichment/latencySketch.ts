import {
  bucketOf,
  latencyBucketCount,
  latencyOfBucket,
  overflowBucket,
} from '../telemetry/latencyBuckets.ts';

interface LatencySketchOptions {
  /** Latencies count for at least half of the window, and at most the whole window. */
  readonly windowMs: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

/** A quantile sketch of recent latencies in fixed memory (about 2 kB): logarithmic buckets as in DDSketch, in two
 *  halves of a window. The older half is dropped as a whole. */
export class LatencySketch {
  readonly #halfMs: number;
  readonly #now: () => number;
  /** Both halves together. */
  readonly #counts = new Uint32Array(latencyBucketCount);
  #older = new Uint32Array(latencyBucketCount);
  #newer = new Uint32Array(latencyBucketCount);
  #newerSince: number;
  #count = 0;

  constructor({ windowMs, now }: LatencySketchOptions) {
    this.#halfMs = windowMs / 2;
    this.#now = now;
    this.#newerSince = now();
  }

  /** `Infinity` for an abandoned field. */
  observe(latencyMs: number): void {
    this.#rotate();
    const bucket = bucketOf(latencyMs);
    this.#newer[bucket] = (this.#newer[bucket] ?? 0) + 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Number of observations in the window. */
  get count(): number {
    this.#rotate();
    return this.#count;
  }

  /** The quantile `q` (0 to 1) with a relative error of 5 %; `undefined` without observations, `Infinity` if it is an
   *  abandoned field. */
  quantile(q: number): number | undefined {
    this.#rotate();
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let below = 0;
    for (let bucket = 0; bucket < overflowBucket; bucket += 1) {
      below += this.#counts[bucket] ?? 0;
      if (below >= rank) return latencyOfBucket(bucket);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The share (0 to 1) of the observations that are within a limit, which has a relative error of 5 %; `undefined`
   *  without observations. */
  shareWithin(limitMs: number): number | undefined {
    this.#rotate();
    if (this.#count === 0) return undefined;
    let within = 0;
    for (let bucket = 0; bucket < overflowBucket && latencyOfBucket(bucket) <= limitMs; bucket += 1) {
      within += this.#counts[bucket] ?? 0;
    }
    return within / this.#count;
  }

  #rotate(): void {
    const sinceMs = this.#now() - this.#newerSince;
    if (sinceMs < this.#halfMs) return;
    this.#dropOlderHalf();
    if (sinceMs >= 2 * this.#halfMs) this.#dropOlderHalf();
    this.#newerSince += Math.floor(sinceMs / this.#halfMs) * this.#halfMs;
  }

  #dropOlderHalf(): void {
    for (let bucket = 0; bucket <= overflowBucket; bucket += 1) {
      const dropped = this.#older[bucket] ?? 0;
      if (dropped === 0) continue;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) - dropped;
      this.#count -= dropped;
    }
    const emptied = this.#older.fill(0);
    this.#older = this.#newer;
    this.#newer = emptied;
  }
}
