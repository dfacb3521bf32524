// Logarithmic buckets for latencies, as in DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019).

/** Maximum relative error of a reported latency. */
const relativeError = 0.05;

const growth = (1 + relativeError) / (1 - relativeError);
const logGrowth = Math.log(growth);

/** Lower latencies count as this one. */
const minLatencyMs = 0.1;
/** Higher latencies are in the overflow bucket. */
const maxLatencyMs = 3_600_000;

const finiteBucketCount = Math.ceil(Math.log(maxLatencyMs / minLatencyMs) / logGrowth) + 1;
export const overflowBucket = finiteBucketCount;
/** How many buckets there are, the overflow bucket included. */
export const latencyBucketCount = finiteBucketCount + 1;

export function bucketOf(latencyMs: number): number {
  if (!(latencyMs > minLatencyMs)) return 0;
  return latencyMs > maxLatencyMs
    ? overflowBucket
    : Math.ceil(Math.log(latencyMs / minLatencyMs) / logGrowth);
}

/** The latency that a bucket stands for: the relative error to both of its ends is the same. */
const bucketLatencies = Float64Array.from({ length: finiteBucketCount }, (_, bucket) =>
  bucket === 0 ? minLatencyMs : (minLatencyMs * growth ** bucket * 2) / (growth + 1),
);

/** `Infinity` for the overflow bucket. */
export function latencyOfBucket(bucket: number): number {
  return bucketLatencies[bucket] ?? Number.POSITIVE_INFINITY;
}
