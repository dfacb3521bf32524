import { bucketOf, latencyBuckets, latencyOfBucket } from '../telemetry/latencyBuckets.ts';
import { roundMs } from '../time/roundMs.ts';
import type { LatencySummary } from './insightsData.ts';

/** Counts latencies in fixed memory (about 700 bytes), with a relative error of 5 %. Histograms can be merged. */
export class LatencyHistogram {
  #counts: Uint32Array | undefined;
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  observe(latencyMs: number): void {
    this.#counts ??= new Uint32Array(latencyBuckets);
    const bucket = bucketOf(latencyMs);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count += 1;
    this.#sumMs += latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  merge(other: LatencyHistogram): this {
    if (other.#counts === undefined) return this;
    this.#counts ??= new Uint32Array(latencyBuckets);
    for (let bucket = 0; bucket < latencyBuckets; bucket++)
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
    for (let bucket = 0; bucket < latencyBuckets; bucket++) {
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
