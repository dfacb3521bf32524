import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LatencySketch } from '../../../gateway/enrichment/latencySketch.ts';

const error = 0.05;
/** For what the logarithm rounds. */
const rounding = 1e-9;

function sketchOf(latencies: readonly number[]): LatencySketch {
  const sketch = new LatencySketch({ windowMs: 60_000, now: () => 0 });
  for (const latency of latencies) sketch.observe(latency);
  return sketch;
}

/** The smallest observation within which a share of them is. */
function exactQuantile(latencies: readonly number[], q: number): number {
  const sorted = latencies.toSorted((one, other) => one - other);
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

describe('a sketch of latencies', () => {
  test('knows every quantile to 5 %', () => {
    fc.assert(
      fc.property(observed, fc.double({ min: 0, max: 1, noNaN: true }), (latencies, q) => {
        const exact = exactQuantile(latencies, q);
        const told = sketchOf(latencies).quantile(q) as number;
        if (exact === Number.POSITIVE_INFINITY) return told === exact;
        return Math.abs(told - exact) <= exact * error * (1 + rounding);
      }),
    );
  });

  test('knows every share to 5 % of the limit', () => {
    fc.assert(
      fc.property(observed, fc.double({ min: 1, max: 3_600_000, noNaN: true }), (latencies, limit) => {
        const told = sketchOf(latencies).shareWithin(limit) as number;
        const least = exactShare(latencies, (limit / (1 + error)) * (1 - rounding));
        const most = exactShare(latencies, (limit / (1 - error)) * (1 + rounding));
        return told >= least && told <= most;
      }),
    );
  });

  test('forgets no sooner than after half its window, and no later than after all of it', () => {
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

  test('of which the older half is forgotten knows the newer only', () => {
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

  test('without observations says nothing', () => {
    const sketch = sketchOf([]);
    expect([sketch.count, sketch.quantile(0.5), sketch.shareWithin(10)]).toEqual([0, undefined, undefined]);
  });

  test('takes what is no time for none, and what takes longer than an hour for never', () => {
    const sketch = sketchOf([0, -5, Number.NaN, 3_700_000]);
    expect(sketch.quantile(0.75)).toBe(0.1);
    expect(sketch.quantile(0.76)).toBe(Number.POSITIVE_INFINITY);
    expect(sketch.shareWithin(3_600_000 * 2)).toBe(0.75);
  });
});
