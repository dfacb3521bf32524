import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';
import { askEnriched } from './askEnriched.ts';
import type { Trial } from './askGateway.ts';
import { DemoMonolith, now } from './askMonolith.ts';
import { findDataDifference } from './compareAnswers.ts';
import { findErrorDifference } from './compareErrors.ts';
import { demoOperations } from './demoOperations.ts';
import { enrichmentsOf } from './enrichmentsOf.ts';
import { generateOperation } from './generateOperation.ts';
import { graphs } from './graphs/all.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { readDemoOperations } from './readDemoOperations.ts';
import { type Monolith, runTrials } from './trials.ts';

// To look for more: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=5000.
const only = process.env.DIFFERENTIAL_GRAPH;
const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? 1);
const count = Number(process.env.DIFFERENTIAL_COUNT ?? 10);
const seeds = Array.from({ length: count }, (_, index) => firstSeed + index);
const faultPercent = 15;

async function tryEnriched(
  url: string,
  monolith: Monolith,
  trial: Trial,
  count: (pending: number) => void,
): Promise<string | undefined> {
  try {
    const [expected, { merged, pending }] = await Promise.all([monolith.ask(trial), askEnriched(url, trial)]);
    count(pending);
    const problem =
      (await findErrorDifference({
        expected,
        got: merged.errors,
        gotData: merged.data,
        unpropagated: () => monolith.askWithoutPropagation(trial),
        mayRepeat: true,
      })) ?? findDataDifference(expected.data, merged.data, true);
    return problem && `${problem}\n${trial.source}\nvariables ${JSON.stringify(trial.variables)}\n`;
  } catch (error) {
    return `${String(error)}\n${trial.source}\nvariables ${JSON.stringify(trial.variables)}\n`;
  }
}

describe('first answers of the demo, with what was late,', () => {
  const monolith = new DemoMonolith();
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      now,
      config: {
        security: { exposeSubgraphErrors: true, introspection: true },
        limits: { aliases: 5_000, directives: 5_000, recursiveSelections: 20_000 },
        enrichment: enrichmentsOf(monolith.schema, 1),
      },
    });
  });
  afterAll(() => gateway.close());

  test('are the answers without budgets', async () => {
    // The schema has one field more, by which enrichments are picked up.
    const operations = readDemoOperations().filter(
      ({ kind, source }) => kind === 'query' && !source.includes('__schema'),
    );
    const generated = seeds.map((seed) => generateOperation(monolith.schema, seed, demoOperations));
    let pending = 0;
    const problems = await runTrials([...operations, ...generated], (trial) =>
      tryEnriched(gateway.url, monolith, trial, (more) => {
        pending += more;
      }),
    );
    expect(problems).toEqual([]);
    expect(pending).toBeGreaterThan(0);
  });
});

describe.each(graphs.filter(({ name }) => only === undefined || name === only))(
  'first answers of the graph $name, with what was late,',
  (graph) => {
    let running: RunningGraph;
    beforeAll(async () => {
      const plain = await startGraph(graph);
      const enrichment = enrichmentsOf(plain.monolith.schema, firstSeed);
      await plain[Symbol.asyncDispose]();
      running = await startGraph(graph, enrichment === undefined ? {} : { enrichment });
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    test.each([0, faultPercent])(
      'are the answers without budgets, with %s %% of fields failing',
      async (percent) => {
        const problems = await runTrials(seeds, async (seed) => {
          const trial = generateTrial(running, seed, { faultPercent: percent });
          const problem = await tryEnriched(running.gateway.url, running.monolith, trial, () => {});
          return problem && `graph ${graph.name}, seed ${seed}\n${problem}`;
        });
        expect(problems).toEqual([]);
      },
      20_000 + 400 * count,
    );
  },
);
