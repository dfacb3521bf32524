import { expect, test } from '@jest/globals';
import { ProblemLog } from '../../../gateway/telemetry/problemLog.ts';

test('counts every problem, and logs one of each kind and subject per minute with the count so far, spelt as in metrics', () => {
  const lines: unknown[] = [];
  let now = 1_000;
  const problems = new ProblemLog<'slow' | 'lost for good'>({
    log: { warn: (...line) => lines.push(line) },
    message: 'a problem',
    now: () => now,
  });
  problems.report('slow', 'the first');
  problems.report('slow', 'the second');
  problems.report('lost for good', undefined);
  problems.report('lost for good', undefined, { topic: 'prices' });
  now += 59_999;
  problems.report('slow', 'the third');
  now += 1;
  problems.report('slow', 'the fourth');
  expect([...problems.counts]).toEqual([
    ['slow', 4],
    ['lost for good', 2],
  ]);
  expect(lines).toEqual([
    [{ problem: 'slow', count: 1, message: 'the first' }, 'a problem'],
    [{ problem: 'lost_for_good', count: 1, message: undefined }, 'a problem'],
    [{ problem: 'lost_for_good', topic: 'prices', count: 2, message: undefined }, 'a problem'],
    [{ problem: 'slow', count: 4, message: 'the fourth' }, 'a problem'],
  ]);
});

test('logs again at once after the clock was set back', () => {
  const lines: unknown[] = [];
  let now = 3_600_000;
  const problems = new ProblemLog<'slow'>({
    log: { warn: ({ count }) => lines.push(count) },
    message: 'a problem',
    now: () => now,
  });
  problems.report('slow', undefined);
  now = 0;
  problems.report('slow', undefined);
  problems.report('slow', undefined);
  expect(lines).toEqual([1, 2]);
});
