import { expect, jest, test } from '@jest/globals';
import { waitForTurn } from '../../../gateway/time/eventLoopTurn.ts';
import { useUpTurns } from '../../harness/useUpTurns.ts';
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

test('pieces beyond the time of a turn run in later turns, as many as fit into each, in order', async () => {
  await waitForTurns(2);
  let now = performance.now();
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => (now += 6));
  // In each turn, the second piece looks at the clock at 6 ms and the third one at 12 ms.
  const turns = await runPieces(7);
  expect(turns.map((turn) => turn - (turns[2] as number))).toEqual([-1, -1, 0, 0, 1, 1, 2]);
  clock.mockRestore();
});

test('a piece runs when all microtasks of the piece before it have ended', async () => {
  await waitForTurns(2);
  const clock = useUpTurns();
  const numbers = [1, 2, 3, 4, 5];
  const steps: string[] = [];
  await Promise.all(
    ['a', 'b', 'c'].map(async (piece) => {
      await waitForTurn();
      clock.mockRestore();
      for (const number of numbers) {
        steps.push(`${piece}${number}`);
        await undefined;
      }
    }),
  );
  expect(steps).toEqual(['a', 'b', 'c'].flatMap((piece) => numbers.map((number) => `${piece}${number}`)));
});
