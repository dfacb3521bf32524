/** How far a told latency may be from the observed one, as a part of it. */
const relativeError = 0.05;

const growth = (1 + relativeError) / (1 - relativeError);
const logGrowth = Math.log(growth);

/** What is faster counts as this. */
const minLatencyMs = 0.1;
/** What is slower counts as never, like what was given up. */
const maxLatencyMs = 3_600_000;

const finiteBuckets = Math.ceil(Math.log(maxLatencyMs / minLatencyMs) / logGrowth) + 1;
const overflowBucket = finiteBuckets;

interface LatencySketchOptions {
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
  readonly #counts = new Uint32Array(finiteBuckets + 1);
  #older = new Uint32Array(finiteBuckets + 1);
  #newer = new Uint32Array(finiteBuckets + 1);
  #newerSince: number;
  #count = 0;

  constructor({ windowMs, now }: LatencySketchOptions) {
    this.#halfMs = windowMs / 2;
    this.#now = now;
    this.#newerSince = now();
  }

  /** `Infinity` for what was given up. */
  observe(latencyMs: number): void {
    this.#rotate();
    const bucket = bucketOf(latencyMs);
    this.#newer[bucket] = (this.#newer[bucket] ?? 0) + 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Observations that count now. */
  get count(): number {
    this.#rotate();
    return this.#count;
  }

  /** The latency within which a share `q` of the observations is, 5 % more or less; `undefined` without any,
   *  `Infinity` where it is one that was given up. */
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

  /** From 0 to 1: how many of the observations were within a limit, which counts 5 % more or less; `undefined`
   *  without any. */
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
  if (!(latencyMs > minLatencyMs)) return 0;
  return latencyMs > maxLatencyMs
    ? overflowBucket
    : Math.ceil(Math.log(latencyMs / minLatencyMs) / logGrowth);
}

/** By the bucket: as far from its lower end as from its upper one, in proportion. */
const bucketLatencies = Float64Array.from({ length: finiteBuckets }, (_, bucket) =>
  bucket === 0 ? minLatencyMs : (minLatencyMs * growth ** bucket * 2) / (growth + 1),
);

function latencyOfBucket(bucket: number): number {
  return bucketLatencies[bucket] ?? Number.POSITIVE_INFINITY;
}
