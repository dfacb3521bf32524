import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import type { TestGateway } from '../harness/gateway.ts';
import { deferFormats } from './askGateway.ts';
import { DemoMonolith } from './askMonolith.ts';
import { demoOperations } from './demoOperations.ts';
import { startGatewayUnderTest } from './gatewayUnderTest.ts';
import { generateOperation } from './generateOperation.ts';
import { pickDefers } from './placeDefers.ts';
import { runTrials, tryDeferred, tryWhole } from './trials.ts';

// To look for more: DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000. An operation's seed is printed with it; to run
// it alone, that seed with a count of 1.
const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? 1);
const count = Number(process.env.DIFFERENTIAL_COUNT ?? 300);
const seeds = Array.from({ length: count }, (_, index) => firstSeed + index);

const monolith = new DemoMonolith();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGatewayUnderTest();
});
afterAll(() => gateway.close());

async function find(seed: number, run: () => Promise<string | undefined>): Promise<string | undefined> {
  const problem = await run();
  return problem && `seed ${seed}\n${problem}`;
}

test(
  `${count} generated operations from seed ${firstSeed} on are answered as a monolith does`,
  async () => {
    const problems = await runTrials(seeds, (seed) =>
      find(seed, () =>
        tryWhole(gateway.url, monolith, generateOperation(monolith.schema, seed, demoOperations)),
      ),
    );
    expect(problems).toEqual([]);
  },
  20_000 + 200 * count,
);

test(
  `${count} generated operations from seed ${firstSeed} on merge to the same with @defer`,
  async () => {
    const problems = await runTrials(
      seeds.flatMap((seed) => deferFormats.map((format) => ({ seed, format }))),
      ({ seed, format }) =>
        find(seed, () => {
          const whole = generateOperation(monolith.schema, seed, demoOperations);
          const { source, variables } = pickDefers(parse(whole.source), createRandom(seed), 6);
          const trial = { source, variables: { ...whole.variables, ...variables }, whole };
          return tryDeferred(gateway.url, monolith, trial, format);
        }),
    );
    expect(problems).toEqual([]);
  },
  20_000 + 400 * count,
);
