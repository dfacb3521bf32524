import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { printSchema } from 'graphql';
import type { CannedAnswer } from '../harness/inlineGateway.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { findLossDifference } from './compareDataLoss.ts';
import { deferFormats, executeTrial } from './executeTrial.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { hash } from './graphs/framework/hash.ts';
import { type RunningGraph, startGraph, turnsByText } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { placeDefers } from './insertDefers.ts';
import { compareCompleteAnswer, compareDeferredAnswer } from './trials.ts';

// To run more cases: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000. A failure shows the
// graph and the seed of its operation; to run it alone, use them with a count of 1. Operations that failed once are
// in `test/fixtures/operations/regressions/` and always run.
const only = process.env.DIFFERENTIAL_GRAPH;
const {
  first: firstSeed,
  count,
  all: seeds,
} = chooseSeeds('DIFFERENTIAL', { perRun: 2, pool: 10, long: 40 });
const { all: lossSeeds } = chooseSeeds('DIFFERENTIAL', { perRun: 1, pool: 6, long: 24 });
const faultPercent = 15;
const timeout = 240_000 + 400 * count;
const metFaults = { query: 0, mutation: 0 };

/** What a failing subgraph answers. */
const failures: readonly CannedAnswer[] = [
  { kind: 'json', status: 500, body: 'Internal error' },
  { kind: 'json', body: { errors: [{ message: 'All is lost' }] } },
  { kind: 'json', body: { data: null, errors: [{ message: 'Nothing found', path: ['_entities'] }] } },
  { kind: 'json', body: 'no answer at all' },
  { kind: 'reset' },
];

describe.each(graphs.filter(({ name }) => only === undefined || name === only))(
  `${count} generated operations from seed ${firstSeed} on over the graph $name`,
  (graph) => {
    let running: RunningGraph;
    beforeAll(async () => {
      running = await startGraph(graph, {}, undefined, { turnsOf: turnsByText });
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    const whole = (seed: number, percent: number): Promise<string | undefined> =>
      compareCompleteAnswer(
        running.gateway.url,
        running.monolith,
        generateTrial(running, seed, { faultPercent: percent }),
      );

    const deferred = async (seed: number, percent: number): Promise<string | undefined> => {
      for (const format of deferFormats) {
        const trial = placeDefers(generateTrial(running, seed, { faultPercent: percent }), seed);
        const problem = await compareDeferredAnswer(running.gateway.url, running.monolith, trial, format);
        if (problem !== undefined) return problem;
      }
      return undefined;
    };

    const kinds = graph.createState === undefined ? (['query'] as const) : (['query', 'mutation'] as const);
    const { hiddenWords } = graph;
    if (hiddenWords !== undefined) {
      test('have an API schema without hidden elements', () => {
        const words = new Set(printSchema(running.monolith.schema).match(/\w+/g));
        expect(hiddenWords.filter((word) => words.has(word))).toEqual([]);
      });
    }

    test.each([
      { title: 'get the same responses as from a monolith', run: whole, percent: 0 },
      {
        title: 'get the same responses as from a monolith if fields fail',
        run: whole,
        percent: faultPercent,
      },
      { title: 'get payloads with @defer that merge to the same responses', run: deferred, percent: 0 },
      {
        title: 'get payloads with @defer that merge to the same responses if fields fail',
        run: deferred,
        percent: faultPercent,
      },
    ])(
      '$title',
      async ({ run, percent }) => {
        const { faultCounts } = running.model;
        const counted = { ...faultCounts };
        const problems = await runTrials(seeds, async (seed) => {
          const problem = await run(seed, percent);
          return problem && `graph ${graph.name}, seed ${seed}\n${problem}`;
        });
        expect(problems).toEqual([]);
        for (const kind of kinds) metFaults[kind] += percent > 0 ? faultCounts[kind] - counted[kind] : 0;
      },
      timeout,
    );

    if (graph.createState !== undefined) return;

    test.each(graph.subgraphs.map(({ name }) => name))(
      'have null with an error for the lost entity fields of %s, and are otherwise unchanged, if all entity fetches to it fail',
      async (subgraph) => {
        const { gateway, monolith } = running;
        gateway
          .subgraph(subgraph)
          .answerWith(({ query, variables }) =>
            isForEntities(variables) ? failures[hash(query) % failures.length] : undefined,
          );
        const problems = await runTrials(lossSeeds, async (seed) => {
          const trial = generateTrial(running, seed);
          const [expected, certain, got] = await Promise.all([
            monolith.execute(trial),
            // With more subgraphs, the plan decides through which of them an entity is reached.
            graph.subgraphs.length > 2 ? undefined : monolith.executeWithoutSubgraph(trial, subgraph),
            executeTrial(gateway.url, trial),
          ]);
          const problem = findLossDifference({ expected, guaranteed: certain, got });
          return (
            problem &&
            `graph ${graph.name}, subgraph ${subgraph}, seed ${seed}\n${problem}\n${JSON.stringify(got.errors)}\n${trial.source}\nvariables ${JSON.stringify(trial.variables)}\n`
          );
        });
        gateway.subgraph(subgraph).reset();
        expect(problems).toEqual([]);
      },
      timeout,
    );
  },
);

// A single graph, or few operations, may meet no fault.
if (only === undefined && count >= 4) {
  test('the operations met faults of fields, in queries and in mutations', () => {
    expect(metFaults.query).toBeGreaterThan(graphs.length);
    expect(metFaults.mutation).toBeGreaterThan(0);
  });
}

function isForEntities(variables: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(variables).some((name) => name.startsWith('representations'));
}
