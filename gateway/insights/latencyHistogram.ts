import { bucketOf, latencyBucketCount, latencyOfBucket } from '../telemetry/latencyBuckets.ts';
import { roundMs } from '../time/roundMs.ts';
import type { LatencySummary } from './insightsData.ts';

/** A histogram as JSON. `counts`: the numbers of buckets that are not empty, each followed by its count. */
export interface LatencyHistogramData {
  readonly counts: readonly number[];
  readonly sumMs: number;
  readonly maxMs: number;
}

/** Counts latencies in fixed memory (about 700 bytes), with a relative error of 5 %. Histograms can be merged exactly, also
 *  those of other processes. */
export class LatencyHistogram {
  #counts: Uint32Array | undefined;
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  static from({ counts, sumMs, maxMs }: LatencyHistogramData): LatencyHistogram {
    const histogram = new LatencyHistogram();
    histogram.#sumMs = sumMs;
    histogram.#maxMs = maxMs;
    if (counts.length === 0) return histogram;
    histogram.#counts = new Uint32Array(latencyBucketCount);
    for (let at = 0; at < counts.length; at += 2) {
      const count = counts[at + 1] as number;
      histogram.#counts[counts[at] as number] = count;
      histogram.#count += count;
    }
    return histogram;
  }

  toJSON(): LatencyHistogramData {
    const counts: number[] = [];
    for (const [bucket, count] of this.#counts?.entries() ?? []) if (count > 0) counts.push(bucket, count);
    return { counts, sumMs: this.#sumMs, maxMs: this.#maxMs };
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  observe(latencyMs: number): void {
    this.#counts ??= new Uint32Array(latencyBucketCount);
    const bucket = bucketOf(latencyMs);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count += 1;
    this.#sumMs += latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  merge(other: LatencyHistogram): this {
    if (other.#counts === undefined) return this;
    this.#counts ??= new Uint32Array(latencyBucketCount);
    for (let bucket = 0; bucket < latencyBucketCount; bucket++)
      this.#counts[bucket] = (this.#counts[bucket] as number) + (other.#counts[bucket] as number);
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
    return this;
  }

  /** The quantile `q` (0 to 1); `undefined` without observations. */
  quantile(q: number): number | undefined {
    if (this.#counts === undefined) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let below = 0;
    for (let bucket = 0; bucket < latencyBucketCount; bucket++) {
      below += this.#counts[bucket] as number;
      // A bucket may reach beyond the largest latency in it.
      if (below >= rank) return Math.min(latencyOfBucket(bucket), this.#maxMs);
    }
    return this.#maxMs;
  }

  /** `null` without observations. */
  summary(): LatencySummary | null {
    if (this.#count === 0) return null;
    const at = (q: number): number => roundMs(this.quantile(q) as number);
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99), mean: roundMs(this.#sumMs / this.#count) };
  }
}
