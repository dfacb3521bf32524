import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseSeeds } from '../../fuzz/seeds.ts';
import { problemsOf } from './modelChecks.ts';
import { ModelRun, type Setup } from './modelRun.ts';
import { interleaving, type Step } from './modelSteps.ts';

async function problemsAfter(steps: readonly Step[], setup: Setup): Promise<readonly string[]> {
  const run = new ModelRun(setup);
  for (const step of steps) await run.take(step);
  await run.end();
  return problemsOf(run);
}

describe('whatever comes in whatever order: everybody gets an answer, nobody another one’s, and nothing too old', () => {
  const { first, count } = chooseSeeds(200);

  test.each([
    ['each call by itself', { shares: false, processes: 1 }],
    ['calls under way are shared', { shares: true, processes: 1 }],
    ['two processes with one store', { shares: false, processes: 2 }],
    ['two processes with one store, and shared calls', { shares: true, processes: 2 }],
  ])(
    '%s',
    async (_, setup) => {
      await fc.assert(
        fc.asyncProperty(interleaving, async (steps) => {
          expect(await problemsAfter(steps, setup)).toEqual([]);
        }),
        { seed: first, numRuns: count },
      );
    },
    60_000 + 200 * count,
  );
});
