import { expect, test } from '@jest/globals';
import { ConcurrencyLimiter } from '../../../../gateway/enrichment/jobs/concurrencyLimiter.ts';

test('ConcurrencyLimiter gives a free slot to the highest priority, then to the earliest request', () => {
  const limiter = new ConcurrencyLimiter(1);
  const started: string[] = [];
  const releases = new Map<string, () => void>();
  for (const [name, priority] of [
    ['first', 'BACKGROUND'],
    ['b1', 'BACKGROUND'],
    ['n1', 'NORMAL'],
    ['n2', 'NORMAL'],
    ['c1', 'CRITICAL'],
  ] as const) {
    releases.set(
      name,
      limiter.acquire(priority, () => started.push(name)),
    );
  }
  expect(started).toEqual(['first']);
  // A request that is released while it waits gets no slot.
  releases.get('n1')?.();
  const counts = ['first', 'c1', 'n2', 'b1'].map((name) => {
    releases.get(name)?.();
    // The second call has no effect.
    releases.get(name)?.();
    return started.length;
  });
  expect(started).toEqual(['first', 'c1', 'n2', 'b1']);
  expect(counts).toEqual([2, 3, 4, 4]);
});
