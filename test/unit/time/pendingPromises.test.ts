import { expect, test } from '@jest/globals';
import { PendingPromises } from '../../../gateway/time/pendingPromises.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

test('a promise that rejects rejects what waits for it, and nothing else', async () => {
  const unhandled: unknown[] = [];
  const record = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', record);
  try {
    const pending = new PendingPromises();
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    pending.add(first.promise);
    pending.add(second.promise);
    const settled = expect(pending.settled()).rejects.toThrow('gone');
    second.reject(new Error('gone'));
    await settled;
    first.resolve();
    await waitForTurns(2);
    await pending.settled();
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', record);
  }
});
