import { expect, jest, test } from '@jest/globals';
import { waitForTurn } from '../../../gateway/time/eventLoopTurn.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** Runs pieces of work that become ready at once. Returns the turn of the event loop in which each ran. */
async function runPieces(count: number): Promise<readonly number[]> {
  let turn = 0;
  let isDone = false;
  const countTurn = (): void => {
    turn += 1;
    if (!isDone) setImmediate(countTurn);
  };
  setImmediate(countTurn);
  const turns = await Promise.all(
    Array.from({ length: count }, async () => {
      await waitForTurn();
      return turn;
    }),
  );
  isDone = true;
  return turns;
}

test('pieces run at once while the turn has time left', async () => {
  await waitForTurns(2);
  const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now());
  expect(await runPieces(3)).toEqual([0, 0, 0]);
  clock.mockRestore();
});

test('pieces beyond the time of a turn run in later turns, one in each, in order', async () => {
  await waitForTurns(2);
  let now = performance.now();
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => (now += 6));
  // The first one opens the turn, the second one looks at the clock at 6 ms and the third one at 12 ms.
  const [first, ...others] = await runPieces(5);
  expect([first, others[0]]).toEqual([0, 0]);
  const [third, fourth, fifth] = others.slice(1) as [number, number, number];
  expect([fourth - third, fifth - fourth]).toEqual([1, 1]);
  clock.mockRestore();
});
