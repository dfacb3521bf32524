import { expect, jest, test } from '@jest/globals';
import { atEndOfTurn } from '../../../gateway/time/atEndOfTurn.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

test('runs after what is ready now, in the order of the calls, and what is added meanwhile in the same turn', async () => {
  const ran: string[] = [];
  atEndOfTurn(() => {
    ran.push('first');
    atEndOfTurn(() => ran.push('added'));
  });
  atEndOfTurn(() => ran.push('second'));
  process.nextTick(() => ran.push('ready now'));
  await waitForTurns();
  expect(ran).toEqual(['ready now', 'first', 'second', 'added']);
});

test('what was added after one that failed runs in the next turn', async () => {
  const ran: string[] = [];
  const schedule = jest.spyOn(globalThis, 'setImmediate').mockReturnValueOnce(setImmediate(() => {}));
  atEndOfTurn(() => {
    throw new Error('failed');
  });
  atEndOfTurn(() => ran.push('second'));
  const runAll = schedule.mock.lastCall?.[0] as () => void;
  expect(runAll).toThrow('failed');
  expect(ran).toEqual([]);
  await waitForTurns(2);
  expect(ran).toEqual(['second']);
  schedule.mockRestore();
});
