import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { findDeferredDifference } from './compareDeferred.ts';
import { executeEnrichedIncrementally } from './executeEnriched.ts';
import { deferFormats } from './executeTrial.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import type { RunningGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { chooseDefers } from './insertDefers.ts';
import { startEnrichedGraph } from './startEnrichedGraph.ts';

// To run more cases: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first: firstSeed, count, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 2, pool: 5, long: 20 });

describe.each(graphs.filter(({ name }) => only === undefined || name === only))(
  'incremental responses of the graph $name, merged with their enrichment updates,',
  (graph) => {
    let running: RunningGraph;
    beforeAll(async () => {
      running = await startEnrichedGraph(graph, firstSeed);
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    test.each([
      { title: 'fetched by token', headers: {} },
      { title: 'in the same response', headers: { 'tributary-defer': 'auto' } },
    ])(
      'equal the complete responses, with updates $title',
      async ({ headers }) => {
        const trials = seeds.flatMap((seed) => deferFormats.map((format) => ({ seed, format })));
        const problems = await runTrials(trials, async ({ seed, format }) => {
          const trial = generateTrial(running, seed, { faultPercent: 0 });
          const { source, variables } = chooseDefers(parse(trial.source), createRandom(seed), 6);
          const deferred = { ...trial, source, variables: { ...trial.variables, ...variables } };
          try {
            const [expected, { payloads, merged }] = await Promise.all([
              running.monolith.execute(trial),
              executeEnrichedIncrementally(running.gateway.url, deferred, format, headers),
            ]);
            const problem = await findDeferredDifference({
              expected,
              withoutNullPropagation: () => running.monolith.executeWithoutNullPropagation(trial),
              payloads,
              merged,
            });
            return problem && `graph ${graph.name}, seed ${seed}, ${format}: ${problem}\n${source}\n`;
          } catch (error) {
            return `graph ${graph.name}, seed ${seed}, ${format}: ${String(error)}\n${source}\n`;
          }
        });
        expect(problems).toEqual([]);
      },
      60_000 + 1_000 * count,
    );
  },
);
