import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildMonolith } from '../harness/monolithSchema.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { choosePart, chooseSeeds } from '../harness/seeds.ts';
import type { Trial } from '../harness/trial.ts';
import type { Answer } from './answer.ts';
import { apolloDifferences, refusedByApollo } from './apolloDifferences.ts';
import { errorLine } from './compareErrors.ts';
import { demoOperations } from './demoOperations.ts';
import {
  compareGateways,
  type GatewayComparison,
  startDemoComparison,
  startGraphComparison,
} from './gatewayComparison.ts';
import { generateOperation } from './generateOperation.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { trialHeader } from './graphs/framework/headers.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { requestCounts } from './requestCounts.ts';

// `@apollo/gateway` runs the same operations on the same subgraphs. Where the responses differ, a monolith decides.
// Where both are correct, the gateway may not send more requests. To run more cases: DIFFERENTIAL_GRAPH=keys
// DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=500; the name of the demo's graph is `demo`.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first: firstSeed, count, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 2, pool: 4, long: 16 });
const timeout = 30_000 + 1_000 * count;

const generatedTitle = `${count} generated operations from seed ${firstSeed} on get correct responses with no more requests than Apollo Gateway's, and fewer where fetches to one subgraph are ready at the same time`;

/** Longer than the default, for a busy machine. */
const planning = { timeout: '30s' } as const;

async function findProblems(
  comparison: GatewayComparison,
  createTrial: (seed: number) => Trial,
): Promise<string[]> {
  const problems: string[] = [];
  for (const seed of seeds) {
    const { problem } = await compareGateways(comparison, () => createTrial(seed));
    if (problem === undefined) continue;
    const { source, variables } = createTrial(seed);
    problems.push(
      `graph ${comparison.name}, seed ${seed}\n${problem}\n${source}\nvariables ${JSON.stringify(variables)}\n`,
    );
  }
  return problems;
}

function toLiteral({ data, errors }: Answer): object {
  return {
    ...(data === undefined ? {} : { data }),
    ...(errors.length === 0 ? {} : { errors: [...new Set(errors.map(errorLine))] }),
  };
}

// A commit compares half of the graphs. The plans for `combined` make more requests than those of Apollo Gateway, which are
// wrong for many of its operations.
const part = only === undefined ? choosePart(2) : undefined;
const loaded = graphs.filter(
  ({ name }, index) =>
    name !== refusedByApollo.graph &&
    name !== 'combined' &&
    (only === undefined || name === only) &&
    (part === undefined || index % 2 === part),
);
// `DIFFERENTIAL_GRAPH` may select none of these graphs.
if (loaded.length > 0)
  describe.each(loaded)('compared with Apollo Gateway over the graph $name', (graph) => {
    let running: RunningGraph;
    let comparison: GatewayComparison;
    beforeAll(async () => {
      running = await startGraph(graph, { planning });
      comparison = await startGraphComparison(running);
    });
    afterAll(async () => {
      await comparison?.[Symbol.asyncDispose]();
      await running?.[Symbol.asyncDispose]();
    });

    test(
      generatedTitle,
      async () => {
        expect(await findProblems(comparison, (seed) => generateTrial(running, seed))).toEqual([]);
      },
      timeout,
    );

    test.each(requestCounts.filter((counted) => counted.graph === graph.name))(
      '$source needs $requests.gateway requests or fewer, with Apollo Gateway $requests.apollo',
      async ({ source, requests }) => {
        const trial = { source, variables: {} };
        expect(await compareGateways(comparison, () => trial)).toEqual({});
        const [us, apollo] = [
          await comparison.executeOnGateway(trial),
          await comparison.executeOnApollo(trial),
        ];
        expect(apollo.calls).toBe(requests.apollo);
        // Fewer if two responses of one turn lead to fetches of the same subgraph.
        expect(us.calls).toBeLessThanOrEqual(requests.gateway);
      },
    );

    const differences = apolloDifferences.filter((difference) => difference.graph === graph.name);
    if (differences.length > 0) {
      test.each(differences)(
        'The gateway is correct and Apollo Gateway is wrong in the case $name: $reason',
        async ({ name, source, apollo, expected }) => {
          const trial = (executor: string): Trial => ({
            source,
            variables: {},
            headers: { [trialHeader]: `${name}, ${executor}` },
          });
          expect(toLiteral(await comparison.monolith.execute(trial('monolith')))).toEqual(expected);
          const ours = toLiteral((await comparison.executeOnGateway(trial('gateway'))).answer);
          const theirs = toLiteral((await comparison.executeOnApollo(trial('apollo'))).answer);
          // Compared as texts, because the order of keys counts.
          expect(JSON.stringify(ours)).toBe(JSON.stringify(expected));
          expect(JSON.stringify(theirs)).toBe(JSON.stringify(apollo));
        },
      );
    }
  });

if (only === undefined || only === refusedByApollo.graph) {
  test('Apollo Gateway refuses supergraphs with @fromContext, which the gateway supports', async () => {
    const graph = graphs.find(({ name }) => name === refusedByApollo.graph);
    if (graph === undefined) throw new Error(`No graph is named ${refusedByApollo.graph}.`);
    await using running = await startGraph(graph, { planning });
    await expect(startGraphComparison(running)).rejects.toThrow(refusedByApollo.message);
  });
}

if (only === undefined || only === 'demo') {
  describe('compared with Apollo Gateway over the demo graph', () => {
    let comparison: GatewayComparison;
    beforeAll(async () => {
      comparison = await startDemoComparison();
    });
    afterAll(async () => await comparison?.[Symbol.asyncDispose]());

    test(
      generatedTitle,
      async () => {
        const schema = buildMonolith();
        const problems = await findProblems(comparison, (seed) =>
          generateOperation(schema, seed, demoOperations),
        );
        expect(problems).toEqual([]);
      },
      timeout,
    );

    // Mutations run last and in the same order everywhere, because each side has a store of its own.
    test.each(
      readDemoOperations()
        .filter(({ kind }) => kind !== 'subscription')
        .sort((a, b) => Number(a.kind === 'mutation') - Number(b.kind === 'mutation')),
    )('$name gets a correct response with no more requests than by Apollo Gateway', async (operation) => {
      expect((await compareGateways(comparison, () => operation)).problem).toBeUndefined();
    });
  });
}

test('every case names an existing graph', () => {
  const names = graphs.map(({ name }) => name);
  const cases = [...apolloDifferences, ...requestCounts];
  expect(cases.filter(({ graph }) => !names.includes(graph))).toEqual([]);
});
