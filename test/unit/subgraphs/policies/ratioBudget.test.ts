import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RatioBudget } from '../../../../gateway/subgraphs/policies/ratioBudget.ts';
import { ManualClock } from '../../../harness/manualClock.ts';

test('one extra call is allowed after a single call', () => {
  const budget = new RatioBudget(0.2, new ManualClock().now);
  expect(budget.tryTake()).toBe(false);
  budget.onCall();
  expect([budget.tryTake(), budget.tryTake()]).toEqual([true, false]);
});

test('calls and extra calls expire after ten seconds', () => {
  const clock = new ManualClock();
  const budget = new RatioBudget(0.2, clock.now);
  for (let n = 0; n < 10; n++) budget.onCall();
  expect([budget.tryTake(), budget.tryTake(), budget.tryTake()]).toEqual([true, true, false]);
  clock.advance(10_000);
  expect(budget.isAvailable).toBe(false);
  budget.onCall();
  expect(budget.tryTake()).toBe(true);
});

test('a ratio of 0 allows nothing', () => {
  const budget = new RatioBudget(0, new ManualClock().now);
  budget.onCall();
  expect(budget.tryTake()).toBe(false);
});

test('at any rate and pattern, extra calls in the window stay within the ratio of its calls, rounded up', () => {
  const step = fc.record({ calls: fc.nat(20), tries: fc.nat(20), ms: fc.nat(3_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(0.05, 0.2, 1), (steps, ratio) => {
      const clock = new ManualClock();
      const budget = new RatioBudget(ratio, clock.now);
      const [calls, extra]: [number[], number[]] = [[], []];
      for (const { calls: count, tries, ms } of steps) {
        for (let n = 0; n < count; n++) {
          budget.onCall();
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
