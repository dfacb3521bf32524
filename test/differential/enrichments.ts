import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';
import type { Trial } from '../harness/trial.ts';
import { findDataDifference } from './compareAnswers.ts';
import { findDeferredDifference } from './compareDeferred.ts';
import { findErrorDifference } from './compareErrors.ts';
import { DemoMonolith, fixedNow } from './demoMonolith.ts';
import { demoOperations } from './demoOperations.ts';
import { executeEnriched, executeEnrichedIncrementally } from './executeEnriched.ts';
import { deferFormats } from './executeTrial.ts';
import { forceResumes } from './forceResumes.ts';
import { generateEnrichments } from './generateEnrichments.ts';
import { generateOperation } from './generateOperation.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { keys } from './graphs/keys.ts';
import { chooseDefers } from './insertDefers.ts';
import { startEnrichedGraph } from './startEnrichedGraph.ts';
import type { Monolith } from './trials.ts';

// To run more cases: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first: firstSeed, count, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 4, pool: 8, long: 32 });
const faultPercent = 15;
/** Fewer seeds, because the pending fields of each response are executed twice. */
const resumedSeeds = seeds.slice(0, Math.ceil(count / 2));
const { all: deferSeeds } = chooseSeeds('DIFFERENTIAL', { perRun: 1, pool: 5, long: 20 });
/** The limit for hanging tests; a busy machine stays far below it. */
const timeoutMs = 240_000 + 2_000 * count;

async function tryEnriched(
  url: string,
  monolith: Monolith,
  trial: Trial,
  count: (pending: number) => void,
): Promise<string | undefined> {
  try {
    const [expected, { merged, pending }] = await Promise.all([
      monolith.execute(trial),
      executeEnriched(url, trial),
    ]);
    count(pending);
    const problem =
      (await findErrorDifference({
        expected,
        got: merged.errors,
        gotData: merged.data,
        withoutNullPropagation: () => monolith.executeWithoutNullPropagation(trial),
        mayRepeat: true,
      })) ?? findDataDifference(expected.data, merged.data, true);
    return problem && `${problem}\n${trial.source}\nvariables ${JSON.stringify(trial.variables)}\n`;
  } catch (error) {
    return `${String(error)}\n${trial.source}\nvariables ${JSON.stringify(trial.variables)}\n`;
  }
}

describe('first responses of the demo, merged with their enrichment updates,', () => {
  const monolith = new DemoMonolith();
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      now: fixedNow,
      config: {
        security: { exposeSubgraphErrors: true, introspection: true },
        limits: { aliases: 5_000, directives: 5_000, recursiveSelections: 20_000 },
        // With this seed, few enrichments are non-null all the way up, which every answer waits for.
        enrichment: generateEnrichments(monolith.schema, 6),
      },
    });
  });
  afterAll(() => gateway.close());

  test('equal the responses without latency budgets', async () => {
    // The gateway's schema has one more field, which delivers enrichments.
    const operations = readDemoOperations().filter(
      ({ kind, source }) => kind === 'query' && !source.includes('__schema'),
    );
    const generated = seeds.map((seed) => generateOperation(monolith.schema, seed, demoOperations));
    const trials = [...operations, ...generated];
    let pendingTrials = 0;
    const problems = await runTrials(trials, (trial) =>
      tryEnriched(gateway.url, monolith, trial, (pending) => {
        if (pending > 0) pendingTrials += 1;
      }),
    );
    expect(problems).toEqual([]);
    // Most operations select no enrichment that can be pending.
    expect(pendingTrials / trials.length).toBeGreaterThan(1 / 4);
  });
});

const graphsUnderTest = graphs.filter(({ name }) => only === undefined || name === only);

/** The number of pending paths in the first responses of each graph. */
const pendingByGraph = new Map<string, number>(graphsUnderTest.map(({ name }) => [name, 0]));

describe.each(graphsUnderTest)(
  'responses of the graph $name, merged with their enrichment updates,',
  (graph) => {
    let running: RunningGraph;
    beforeAll(async () => {
      running = await startEnrichedGraph(graph, firstSeed);
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    const problemsOf = (tried: readonly number[], percent: number): Promise<readonly string[]> =>
      runTrials(tried, async (seed) => {
        const trial = generateTrial(running, seed, { faultPercent: percent });
        const problem = await tryEnriched(running.gateway.url, running.monolith, trial, (pending) => {
          pendingByGraph.set(graph.name, (pendingByGraph.get(graph.name) ?? 0) + pending);
        });
        return problem && `graph ${graph.name}, seed ${seed}\n${problem}`;
      });

    test.each([0, faultPercent])(
      'equal the responses without latency budgets if %s %% of the fields fail',
      async (percent) => {
        expect(await problemsOf(seeds, percent)).toEqual([]);
      },
      timeoutMs,
    );

    test(
      'equal the responses without latency budgets if all updates come from resumed executions',
      async () => {
        using forced = forceResumes();
        const before = pendingByGraph.get(graph.name) ?? 0;
        expect(await problemsOf(resumedSeeds, 0)).toEqual([]);
        expect(forced.count > 0).toBe((pendingByGraph.get(graph.name) ?? 0) > before);
      },
      timeoutMs,
    );

    test.each([
      { title: 'fetched by token', headers: {} },
      { title: 'in the same response', headers: { 'tributary-defer': 'auto' } },
    ])(
      'equal the complete responses if they are incremental, with updates $title',
      async ({ headers }) => {
        const trials = deferSeeds.flatMap((seed) => deferFormats.map((format) => ({ seed, format })));
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
      timeoutMs,
    );
  },
);

test('equal objects in a resumed execution each get their enrichment', async () => {
  await using running = await startGraph(keys, {
    enrichment: {
      mode: 'always',
      fields: { 'Seat.of': { budget: '0ms' } },
      jobs: { attempts: 2, budgetRatio: 1, backoff: { base: '1ms', max: '1ms' } },
    },
  });
  using forced = forceResumes();
  const trial = { source: '{ users { friends { seat { of { badge } } } } }', variables: {} };
  expect(await tryEnriched(running.gateway.url, running.monolith, trial, () => {})).toBeUndefined();
  expect(forced.count).toBe(1);
});

// A single graph, or few seeds, may have hardly any field that can be deferred.
if (only === undefined && count >= 4) {
  test('at least a third of the graphs had pending fields in their first responses', () => {
    const counts = [...pendingByGraph.values()];
    const total = counts.reduce((sum, pending) => sum + pending, 0);
    expect(total).toBeGreaterThan((count * counts.length) / 2);
    expect(counts.filter((pending) => pending === 0).length).toBeLessThan((counts.length * 2) / 3);
  });
}
