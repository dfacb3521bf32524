import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LatencySketch } from '../../../gateway/enrichment/latencySketch.ts';

const relativeError = 0.05;
/** Tolerance for the rounding of the logarithm. */
const rounding = 1e-9;

function sketchOf(latencies: readonly number[]): LatencySketch {
  const sketch = new LatencySketch({ windowMs: 60_000, now: () => 0 });
  for (const latency of latencies) sketch.observe(latency);
  return sketch;
}

/** The smallest observation that a share `q` of the observations does not exceed. */
function exactQuantile(latencies: readonly number[], q: number): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
}

const exactShare = (latencies: readonly number[], limit: number) =>
  latencies.filter((latency) => latency <= limit).length / latencies.length;

const latency = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0.1, max: 3_600_000, noNaN: true }) },
  { weight: 6, arbitrary: fc.double({ min: 0.1, max: 200, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
);
const observed = fc.array(latency, { minLength: 1, maxLength: 300 });

describe('LatencySketch', () => {
  test('returns every quantile with a relative error of at most 5 %', () => {
    fc.assert(
      fc.property(observed, fc.double({ min: 0, max: 1, noNaN: true }), (latencies, q) => {
        const exact = exactQuantile(latencies, q);
        const estimate = sketchOf(latencies).quantile(q) as number;
        if (exact === Number.POSITIVE_INFINITY) return estimate === exact;
        return Math.abs(estimate - exact) <= exact * relativeError * (1 + rounding);
      }),
    );
  });

  test('returns every share for a limit with a relative error of at most 5 %', () => {
    fc.assert(
      fc.property(observed, fc.double({ min: 1, max: 3_600_000, noNaN: true }), (latencies, limit) => {
        const estimate = sketchOf(latencies).shareWithin(limit) as number;
        const least = exactShare(latencies, (limit / (1 + relativeError)) * (1 - rounding));
        const most = exactShare(latencies, (limit / (1 - relativeError)) * (1 + rounding));
        return estimate >= least && estimate <= most;
      }),
    );
  });

  test('drops observations no earlier than after half of the window, and no later than after all of it', () => {
    const steps = fc.array(fc.record({ passMs: fc.integer({ min: 0, max: 1_500 }), latency }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 1_500 }), (observations, lastPassMs) => {
        let nowMs = 5_000;
        const sketch = new LatencySketch({ windowMs: 1_000, now: () => nowMs });
        const times: number[] = [];
        for (const { passMs, latency } of observations) {
          nowMs += passMs;
          sketch.observe(latency);
          times.push(nowMs);
        }
        nowMs += lastPassMs;
        const certain = times.filter((time) => time > nowMs - 500).length;
        const possible = times.filter((time) => time > nowMs - 1_000).length;
        expect(sketch.count).toBeGreaterThanOrEqual(certain);
        expect(sketch.count).toBeLessThanOrEqual(possible);
      }),
    );
  });

  test('counts only the newer half after the older one is dropped', () => {
    let nowMs = 0;
    const sketch = new LatencySketch({ windowMs: 1_000, now: () => nowMs });
    for (let slow = 0; slow < 90; slow += 1) sketch.observe(Number.POSITIVE_INFINITY);
    nowMs = 600;
    for (let quick = 0; quick < 10; quick += 1) sketch.observe(10);
    expect(sketch.shareWithin(20)).toBe(0.1);
    expect(sketch.quantile(0.5)).toBe(Number.POSITIVE_INFINITY);
    nowMs = 1_000;
    expect(sketch.count).toBe(10);
    expect(sketch.shareWithin(20)).toBe(1);
    expect(sketch.quantile(1)).toBeLessThan(11);
    nowMs = 1_500;
    expect(sketch.count).toBe(0);
  });

  test('returns undefined without observations', () => {
    const sketch = sketchOf([]);
    expect([sketch.count, sketch.quantile(0.5), sketch.shareWithin(10)]).toStrictEqual([
      0,
      undefined,
      undefined,
    ]);
  });

  test('counts latencies that are not positive as the minimum, and those over an hour as abandoned', () => {
    const sketch = sketchOf([0, -5, Number.NaN, 3_700_000]);
    expect(sketch.quantile(0.75)).toBe(0.1);
    expect(sketch.quantile(0.76)).toBe(Number.POSITIVE_INFINITY);
    expect(sketch.shareWithin(3_600_000 * 2)).toBe(0.75);
  });
});
