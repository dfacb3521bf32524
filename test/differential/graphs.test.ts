import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { deferFormats, type Trial } from './askGateway.ts';
import { generateOperation } from './generateOperation.ts';
import { graphs, notYetRightDeferred } from './graphs/all.ts';
import { operationOptions } from './graphs/framework/operationOptions.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { pickDefers } from './placeDefers.ts';
import { type DeferTrial, runTrials, tryDeferred, tryWhole } from './trials.ts';

// To look for more: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000. A failing operation's
// graph and seed are printed with it; to run it alone, these with a count of 1. What was found once is in
// `test/fixtures/operations/found/` and runs for ever.
const only = process.env.DIFFERENTIAL_GRAPH;
const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? 1);
const count = Number(process.env.DIFFERENTIAL_COUNT ?? 20);
const seeds = Array.from({ length: count }, (_, index) => firstSeed + index);
const timeout = 20_000 + 400 * count;

describe.each(graphs.filter(({ name }) => only === undefined || name === only))(
  'of the graph $name',
  (graph) => {
    let running: RunningGraph;
    beforeAll(async () => {
      running = await startGraph(graph);
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    const generate = (seed: number): Trial =>
      generateOperation(running.monolith.schema, seed, operationOptions(running));

    const generateDeferred = (seed: number): DeferTrial => {
      const whole = generate(seed);
      const { source, variables } = pickDefers(parse(whole.source), createRandom(seed), 6);
      return { ...whole, source, variables: { ...whole.variables, ...variables }, whole };
    };

    const find = async (
      seed: number,
      run: () => Promise<string | undefined>,
    ): Promise<string | undefined> => {
      const problem = await run();
      return problem && `graph ${graph.name}, seed ${seed}\n${problem}`;
    };

    test(
      `${count} generated operations from seed ${firstSeed} on are answered as a monolith does`,
      async () => {
        const problems = await runTrials(seeds, (seed) =>
          find(seed, () => tryWhole(running.gateway.url, running.monolith, generate(seed))),
        );
        expect(problems).toEqual([]);
      },
      timeout,
    );

    if (notYetRightDeferred.includes(graph)) return;
    test(
      `${count} generated operations from seed ${firstSeed} on merge to the same with @defer`,
      async () => {
        const problems = await runTrials(
          seeds.flatMap((seed) => deferFormats.map((format) => ({ seed, format }))),
          ({ seed, format }) =>
            find(seed, () =>
              tryDeferred(running.gateway.url, running.monolith, generateDeferred(seed), format),
            ),
        );
        expect(problems).toEqual([]);
      },
      timeout,
    );
  },
);
