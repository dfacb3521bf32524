import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { DemoMonolith } from './demoMonolith.ts';
import { demoOperations } from './demoOperations.ts';
import { startDifferentialGateway } from './differentialGateway.ts';
import { deferFormats } from './executeTrial.ts';
import { generateOperation } from './generateOperation.ts';
import { chooseDefers } from './insertDefers.ts';
import { compareCompleteAnswer, compareDeferredAnswer } from './trials.ts';

// To run more cases: DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000. A failure shows the seed of its operation; to
// run it alone, use that seed with a count of 1.
const {
  first: firstSeed,
  count,
  all: seeds,
} = chooseSeeds('DIFFERENTIAL', { perRun: 25, pool: 300, long: 1200 });

const monolith = new DemoMonolith();
const gateway = disposeAfterSuite(await startDifferentialGateway());

async function find(seed: number, run: () => Promise<string | undefined>): Promise<string | undefined> {
  const problem = await run();
  return problem && `seed ${seed}\n${problem}`;
}

test(
  `${count} generated operations from seed ${firstSeed} on get the same responses as from a monolith`,
  async () => {
    const problems = await runTrials(seeds, (seed) =>
      find(seed, () =>
        compareCompleteAnswer(
          gateway.url,
          monolith,
          generateOperation(monolith.schema, seed, demoOperations),
        ),
      ),
    );
    expect(problems).toEqual([]);
  },
  240_000 + 200 * count,
);

test(
  `${count} generated operations from seed ${firstSeed} on get payloads with @defer that merge to the monolith's responses`,
  async () => {
    const problems = await runTrials(
      seeds.flatMap((seed) => deferFormats.map((format) => ({ seed, format }))),
      ({ seed, format }) =>
        find(seed, () => {
          const withoutDefer = generateOperation(monolith.schema, seed, demoOperations);
          const { source, variables } = chooseDefers(parse(withoutDefer.source), createRandom(seed), 6);
          const trial = { source, variables: { ...withoutDefer.variables, ...variables }, withoutDefer };
          return compareDeferredAnswer(gateway.url, monolith, trial, format);
        }),
    );
    expect(problems).toEqual([]);
  },
  240_000 + 400 * count,
);
