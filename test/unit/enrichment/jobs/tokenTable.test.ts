import { expect, test } from '@jest/globals';
import { TokenTable } from '../../../../gateway/enrichment/jobs/tokenTable.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

const token = (tokenHash: string) => ({ tokenHash, ownerHash: 'none', traceparent: undefined });

test('tokens that were moved to another run belong to that run alone, and expire later', () => {
  const timers = new FakeTimers();
  const table = new TokenTable({ expireAfterMs: 60_000, timers, now: () => timers.now() });
  for (const tokenHash of ['a', 'b']) table.add(token(tokenHash), 'first');
  table.add(token('c'), 'other');
  timers.advance(50_000);
  table.move('first', 'second');
  expect(['first', 'second', 'other'].map((runId) => table.hasTokenFor(runId))).toEqual([false, true, true]);
  timers.advance(59_999);
  expect(table.all()).toEqual(
    ['a', 'b'].map((tokenHash) => ({ ...token(tokenHash), runId: 'second', expiresInMs: 1 })),
  );
  expect([table.of('first'), table.of('second')]).toEqual([[], table.all()]);
  timers.advance(1);
  expect([table.all(), table.hasTokenFor('second'), timers.pendingCount]).toEqual([[], false, 0]);
});

test('a run has a token until its last one has expired', () => {
  const timers = new FakeTimers();
  const table = new TokenTable({ expireAfterMs: 60_000, timers, now: () => timers.now() });
  table.add(token('a'), 'run');
  timers.advance(1);
  table.add(token('b'), 'run');
  timers.advance(59_999);
  expect([table.find('a'), table.hasTokenFor('run')]).toStrictEqual([undefined, true]);
  timers.advance(1);
  expect([table.find('b'), table.hasTokenFor('run')]).toStrictEqual([undefined, false]);
});
