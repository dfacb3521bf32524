import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AdaptiveLimit } from '../../../../gateway/subgraphs/policies/adaptiveLimit.ts';
import { learnFromAttempt } from '../../../../gateway/subgraphs/policies/callPolicies.ts';
import { CallQueue } from '../../../../gateway/subgraphs/policies/callQueue.ts';
import type { SubgraphResponse } from '../../../../gateway/subgraphs/subgraphClient.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

function open(max = 100, utilization = 0) {
  const clock = new FakeTimers();
  const limit = new AdaptiveLimit(max, clock.now(), () => utilization);
  /** One window of responses. */
  const window = (latencyMs: number, running = limit.current): void => {
    for (let n = 0; n < 9; n++) limit.onResponse(latencyMs, running, clock.now());
    clock.advance(100);
    limit.onResponse(latencyMs, running, clock.now());
  };
  const windows = (count: number, latencyMs: number, running?: number): void => {
    for (let n = 0; n < count; n++) window(latencyMs, running);
  };
  return { clock, limit, window, windows };
}

describe('an adaptive limit', () => {
  test('starts at the maximum and stays there while latency is normal', () => {
    const { limit, windows } = open();
    windows(50, 20);
    windows(50, 35);
    expect(limit.current).toBe(100);
  });

  test('shrinks while calls become slower under load, and grows again when they are as fast as before', () => {
    const { limit, windows } = open();
    windows(50, 20);
    windows(30, 400);
    expect(limit.current).toBeLessThan(20);
    windows(30, 20);
    expect(limit.current).toBe(100);
  });

  test('does not change while less than half of it is used', () => {
    const { limit, windows } = open();
    windows(50, 20, 49);
    windows(50, 400, 49);
    expect(limit.current).toBe(100);
  });

  test('does not change while the gateway itself is busy', () => {
    const { limit, windows } = open(100, 0.9);
    windows(50, 20);
    windows(50, 400);
    expect(limit.current).toBe(100);
  });

  test('shrinks by a tenth at a response that says that the subgraph is overloaded, once per window', () => {
    const { clock, limit } = open();
    for (let n = 0; n < 20; n++) limit.onOverload(clock.now());
    expect(limit.current).toBe(90);
    clock.advance(100);
    limit.onOverload(clock.now());
    expect(limit.current).toBe(81);
  });

  test('recovers from its minimum within two seconds of normal responses', () => {
    const { clock, limit, windows } = open();
    windows(10, 20);
    for (let n = 0; n < 60; n++) {
      limit.onOverload(clock.now());
      clock.advance(100);
    }
    expect(limit.current).toBe(4);
    windows(20, 20);
    expect(limit.current).toBe(100);
  });

  test('stays between its minimum and its maximum with any outcomes of calls', () => {
    const event = fc.record({
      latencyMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
      isOverload: fc.boolean(),
      running: fc.nat(200),
      ms: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 200 }), (events, max) => {
        const { clock, limit } = open(max);
        for (const { latencyMs, isOverload, running, ms } of events) {
          const before = limit.current;
          const hasChanged = isOverload
            ? limit.onOverload(clock.now())
            : limit.onResponse(latencyMs, running, clock.now());
          expect(hasChanged).toBe(limit.current !== before);
          expect(limit.current).toBeLessThanOrEqual(max);
          expect(limit.current).toBeGreaterThanOrEqual(Math.min(4, max));
          clock.advance(ms);
        }
      }),
    );
  });

  test('finds the concurrency at which a subgraph with a fixed capacity works without a queue', () => {
    // Eight calls at a time take 20 ms each; more of them wait in the subgraph.
    const { limit, windows, window } = open(200);
    windows(20, 20, 8);
    for (let n = 0; n < 200; n++) window(20 * Math.max(1, limit.current / 8));
    expect(limit.current).toBeGreaterThanOrEqual(8);
    expect(limit.current).toBeLessThan(40);
  });
});

test('the queue of a subgraph has fewer calls under way while the adaptive limit is lower, and as many as before afterwards', () => {
  const limits = { total: 20, primary: 15, deferred: 10, queued: 5 };
  const clock = new FakeTimers();
  const queue = new CallQueue({ name: 'reviews', limits, now: clock.now });
  const policies = { queue, limits, adaptiveLimit: new AdaptiveLimit(20, clock.now(), () => 0) };
  const attempt = { latencyMs: 20, running: 20, isDeferred: false };
  const result = { data: {}, errors: undefined } as unknown as SubgraphResponse;
  const end = (status: number): void =>
    learnFromAttempt(policies, { result, status, retryAfter: undefined }, attempt, clock.now());

  for (let n = 0; n < 8; n++) {
    end(503);
    clock.advance(100);
  }
  expect(queue.limits).toEqual({ total: 8, primary: 8, deferred: 4, queued: 5 });

  for (let n = 0; n < 100; n++) {
    clock.advance(10);
    end(200);
  }
  expect(queue.limits).toEqual(limits);
});
