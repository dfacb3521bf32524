import { expect, test } from '@jest/globals';
import { ConcurrencyLimiter } from '../../../../gateway/enrichment/jobs/concurrencyLimiter.ts';

test('as many work as may, then the important and the earlier ones come first', () => {
  const turns = new ConcurrencyLimiter(1);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  for (const [name, priority] of [
    ['first', 'BACKGROUND'],
    ['b1', 'BACKGROUND'],
    ['n1', 'NORMAL'],
    ['n2', 'NORMAL'],
    ['c1', 'CRITICAL'],
  ] as const) {
    ends.set(
      name,
      turns.acquire(priority, () => begun.push(name)),
    );
  }
  expect(begun).toEqual(['first']);
  // Who leaves before its turn takes nobody's.
  ends.get('n1')?.();
  for (const name of ['first', 'c1', 'n2', 'b1']) {
    ends.get(name)?.();
    ends.get(name)?.();
  }
  expect(begun).toEqual(['first', 'c1', 'n2', 'b1']);
});
