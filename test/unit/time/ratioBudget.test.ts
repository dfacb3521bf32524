import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RatioBudget } from '../../../gateway/time/ratioBudget.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function takeAll(budget: RatioBudget): number {
  let taken = 0;
  while (budget.tryTake()) taken += 1;
  return taken;
}

test('one extra attempt is allowed after a single first attempt', () => {
  const budget = new RatioBudget(0.2, new FakeTimers().now);
  expect(budget.tryTake()).toBe(false);
  budget.recordFirstAttempt();
  expect([budget.tryTake(), budget.tryTake()]).toEqual([true, false]);
});

test('first and extra attempts expire after ten seconds', () => {
  const clock = new FakeTimers();
  const budget = new RatioBudget(0.2, clock.now);
  for (let n = 0; n < 10; n++) budget.recordFirstAttempt();
  expect([budget.tryTake(), budget.tryTake(), budget.tryTake()]).toEqual([true, true, false]);
  clock.advance(10_000);
  expect(budget.tryTake()).toBe(false);
  budget.recordFirstAttempt();
  expect(budget.tryTake()).toBe(true);
});

test('is spent by extra attempts, and not by a time without any attempt', () => {
  const clock = new FakeTimers();
  const budget = new RatioBudget(0.2, clock.now);
  const states = [budget.isSpent];
  budget.recordFirstAttempt();
  states.push(budget.isSpent);
  budget.tryTake();
  states.push(budget.isSpent);
  clock.advance(10_000);
  states.push(budget.isSpent, new RatioBudget(0, clock.now).isSpent);
  expect(states).toEqual([false, false, true, false, true]);
});

test('with a minimum per second, extra attempts are allowed without any first attempt, and do not accumulate', () => {
  const clock = new FakeTimers();
  const budget = new RatioBudget(0.2, clock.now, 10);
  expect(takeAll(budget)).toBe(100);
  clock.advance(8_999);
  expect(takeAll(budget)).toBe(0);
  clock.advance(1_001);
  expect(takeAll(budget)).toBe(100);
  clock.advance(3_600_000);
  expect(takeAll(budget)).toBe(100);
});

test('with a minimum per second, the ratio of first attempts is added for ten seconds', () => {
  const clock = new FakeTimers();
  const budget = new RatioBudget(0.2, clock.now, 10);
  for (let n = 0; n < 100; n++) budget.recordFirstAttempt();
  clock.advance(5_000);
  expect(takeAll(budget)).toBe(120);
  clock.advance(5_000);
  // The first attempts have expired, and the extra attempts have not.
  expect(takeAll(budget)).toBe(0);
  clock.advance(5_000);
  expect(takeAll(budget)).toBe(100);
});

test('a ratio of 0 allows nothing', () => {
  const budget = new RatioBudget(0, new FakeTimers().now);
  budget.recordFirstAttempt();
  expect(budget.tryTake()).toBe(false);
});

test('at any rate and pattern, extra attempts in the window stay within the ratio of its first attempts, rounded up', () => {
  const step = fc.record({ calls: fc.nat(20), tries: fc.nat(20), ms: fc.nat(3_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(0.05, 0.2, 1), (steps, ratio) => {
      const clock = new FakeTimers();
      const budget = new RatioBudget(ratio, clock.now);
      const [calls, extra]: [number[], number[]] = [[], []];
      for (const { calls: count, tries, ms } of steps) {
        for (let n = 0; n < count; n++) {
          budget.recordFirstAttempt();
          calls.push(clock.now());
        }
        for (let n = 0; n < tries; n++) {
          if (!budget.tryTake()) continue;
          extra.push(clock.now());
          // A slot of one second may expire early, so compare with the longest window that counts.
          const since = clock.now() - 10_000;
          const recent = (times: number[]) => times.filter((time) => time > since).length;
          const certainly = extra.filter((time) => time > clock.now() - 9_000).length;
          expect(certainly).toBeLessThanOrEqual(Math.ceil(ratio * recent(calls)));
        }
        clock.advance(ms);
      }
    }),
  );
});
