/** How far a told latency may be from the observed one, as a part of it. */
const relativeError = 0.05;

const growth = (1 + relativeError) / (1 - relativeError);
const logGrowth = Math.log(growth);

/** What is faster counts as this. */
const leastMs = 0.1;
/** What is slower counts as never, like what was given up. */
const mostMs = 3_600_000;

const finite = Math.ceil(Math.log(mostMs / leastMs) / logGrowth) + 1;
const never = finite;

export interface LatencySketchOptions {
  /** How far back latencies count: at least half of it, at most the whole. */
  readonly windowMs: number;
  /** In milliseconds; only differences count. */
  readonly now: () => number;
}

/** Latencies of late, in fixed memory (about 2 kB): counts in buckets that grow by a factor, in two halves of a
 *  window of which the older is forgotten as a whole. */
export class LatencySketch {
  readonly #halfMs: number;
  readonly #now: () => number;
  /** Of both halves. */
  readonly #counts = new Uint32Array(finite + 1);
  #older = new Uint32Array(finite + 1);
  #newer = new Uint32Array(finite + 1);
  #newerSince: number;
  #count = 0;

  constructor({ windowMs, now }: LatencySketchOptions) {
    this.#halfMs = windowMs / 2;
    this.#now = now;
    this.#newerSince = now();
  }

  /** `Infinity` for what was given up. */
  observe(latencyMs: number): void {
    this.#forget();
    const bucket = bucketOf(latencyMs);
    this.#newer[bucket] = (this.#newer[bucket] ?? 0) + 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Observations that count now. */
  get count(): number {
    this.#forget();
    return this.#count;
  }

  /** The latency within which a share `q` of the observations is, 5 % more or less; `undefined` without any,
   *  `Infinity` where it is one that was given up. */
  quantile(q: number): number | undefined {
    this.#forget();
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let below = 0;
    for (let bucket = 0; bucket < never; bucket += 1) {
      below += this.#counts[bucket] ?? 0;
      if (below >= rank) return latencyIn(bucket);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** From 0 to 1: how many of the observations were within a limit, which counts 5 % more or less; `undefined`
   *  without any. */
  shareWithin(limitMs: number): number | undefined {
    this.#forget();
    if (this.#count === 0) return undefined;
    let within = 0;
    for (let bucket = 0; bucket < never && latencyIn(bucket) <= limitMs; bucket += 1) {
      within += this.#counts[bucket] ?? 0;
    }
    return within / this.#count;
  }

  #forget(): void {
    const sinceMs = this.#now() - this.#newerSince;
    if (sinceMs < this.#halfMs) return;
    this.#forgetOlder();
    if (sinceMs >= 2 * this.#halfMs) this.#forgetOlder();
    this.#newerSince += Math.floor(sinceMs / this.#halfMs) * this.#halfMs;
  }

  #forgetOlder(): void {
    for (let bucket = 0; bucket <= never; bucket += 1) {
      const forgotten = this.#older[bucket] ?? 0;
      if (forgotten === 0) continue;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) - forgotten;
      this.#count -= forgotten;
    }
    const emptied = this.#older.fill(0);
    this.#older = this.#newer;
    this.#newer = emptied;
  }
}

function bucketOf(latencyMs: number): number {
  if (!(latencyMs > leastMs)) return 0;
  return latencyMs > mostMs ? never : Math.ceil(Math.log(latencyMs / leastMs) / logGrowth);
}

/** By the bucket: as far from its lower end as from its upper one, in proportion. */
const latencies = Float64Array.from({ length: finite }, (_, bucket) =>
  bucket === 0 ? leastMs : (leastMs * growth ** bucket * 2) / (growth + 1),
);

function latencyIn(bucket: number): number {
  return latencies[bucket] ?? Number.POSITIVE_INFINITY;
}
