import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseSeeds } from '../../../harness/seeds.ts';
import { findProblems } from './modelAssertions.ts';
import { ModelRun, type ModelSetup } from './modelRun.ts';
import { interleaving, type Step } from './modelSteps.ts';

async function problemsAfter(steps: readonly Step[], setup: ModelSetup): Promise<readonly string[]> {
  const run = new ModelRun(setup);
  for (const step of steps) await run.apply(step);
  await run.finish();
  return findProblems(run);
}

describe('In any order of events, every request gets an answer, never one of another identity or one that is too old', () => {
  const { first: seed, count } = chooseSeeds('FUZZ', { perRun: 50, pool: 149, long: 2_000 });

  test.each([
    ['calls that are not shared', { isSharing: false, processCount: 1 }],
    ['shared in-flight calls', { isSharing: true, processCount: 1 }],
    ['two processes with one store', { isSharing: false, processCount: 2 }],
    [
      'two processes with one store and different rules, and shared calls',
      { isSharing: true, processCount: 2, hasStricterRules: true },
    ],
  ])(
    '%s',
    async (_, setup) => {
      await fc.assert(
        fc.asyncProperty(interleaving, async (steps) => {
          expect(await problemsAfter(steps, setup)).toEqual([]);
        }),
        { seed, numRuns: count },
      );
    },
    60_000 + 200 * count,
  );
});
