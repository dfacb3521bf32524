import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer } from './answer.ts';
import { type Contest, judge, startDemoContest, startGraphContest } from './apolloContest.ts';
import { apolloDifferences, refusedByApollo } from './apolloDifferences.ts';
import type { Trial } from './askGateway.ts';
import { errorLine } from './compareErrors.ts';
import { demoOperations } from './demoOperations.ts';
import { generateOperation } from './generateOperation.ts';
import { graphs } from './graphs/all.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { trialHeader } from './graphs/framework/headers.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { buildMonolith } from './monolith.ts';
import { readDemoOperations } from './readDemoOperations.ts';
import { requestCounts } from './requestCounts.ts';

// `@apollo/gateway` answers the same operations before the same subgraphs. Where the two differ, a monolith decides;
// where both are right, the gateway may not send more requests. To look for more: DIFFERENTIAL_GRAPH=keys
// DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=500; the demo's graph is `demo`.
const only = process.env.DIFFERENTIAL_GRAPH;
const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? 1);
const count = Number(process.env.DIFFERENTIAL_COUNT ?? 4);
const seeds = Array.from({ length: count }, (_, index) => firstSeed + index);
const timeout = 30_000 + 1_000 * count;

const generatedAre = `${count} generated operations from seed ${firstSeed} on are answered right, with no more requests than Apollo Gateway's and fewer where fetches to one subgraph are ready at once`;

/** A busy machine takes its time. */
const planning = { timeout: '30s' } as const;

async function findProblems(contest: Contest, createTrial: (seed: number) => Trial): Promise<string[]> {
  const problems: string[] = [];
  for (const seed of seeds) {
    const { problem } = await judge(contest, () => createTrial(seed));
    if (problem === undefined) continue;
    const { source, variables } = createTrial(seed);
    problems.push(
      `graph ${contest.name}, seed ${seed}\n${problem}\n${source}\nvariables ${JSON.stringify(variables)}\n`,
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

const loaded = graphs.filter(
  ({ name }) => name !== refusedByApollo.graph && (only === undefined || name === only),
);
// There may be none.
if (loaded.length > 0)
  describe.each(loaded)('over the graph $name', (graph) => {
    let running: RunningGraph;
    let contest: Contest;
    beforeAll(async () => {
      running = await startGraph(graph, { planning });
      contest = await startGraphContest(running);
    });
    afterAll(async () => {
      await contest?.[Symbol.asyncDispose]();
      await running?.[Symbol.asyncDispose]();
    });

    test(
      generatedAre,
      async () => {
        expect(await findProblems(contest, (seed) => generateTrial(running, seed))).toEqual([]);
      },
      timeout,
    );

    test.each(requestCounts.filter((counted) => counted.graph === graph.name))(
      '$source takes $requests.gateway requests, of Apollo Gateway $requests.apollo',
      async ({ source, requests }) => {
        const trial = { source, variables: {} };
        expect(await judge(contest, () => trial)).toEqual({});
        const [us, apollo] = [await contest.askUs(trial), await contest.askApollo(trial)];
        expect({ gateway: us.calls, apollo: apollo.calls }).toEqual(requests);
      },
    );

    const differences = apolloDifferences.filter((difference) => difference.graph === graph.name);
    if (differences.length > 0) {
      test.each(differences)(
        'Apollo Gateway is wrong about $name, and the gateway is right: $why',
        async ({ name, source, apollo, right }) => {
          const trial = (who: string): Trial => ({
            source,
            variables: {},
            headers: { [trialHeader]: `${name}, ${who}` },
          });
          expect(toLiteral(await contest.monolith.ask(trial('monolith')))).toEqual(right);
          const ours = toLiteral((await contest.askUs(trial('gateway'))).answer);
          const theirs = toLiteral((await contest.askApollo(trial('apollo'))).answer);
          // As texts: the order of keys is a difference.
          expect(JSON.stringify(ours)).toBe(JSON.stringify(right));
          expect(JSON.stringify(theirs)).toBe(JSON.stringify(apollo));
        },
      );
    }
  });

if (only === undefined || only === refusedByApollo.graph) {
  test('values from @fromContext come from the gateway alone: Apollo Gateway loads no such supergraph', async () => {
    const graph = graphs.find(({ name }) => name === refusedByApollo.graph);
    if (graph === undefined) throw new Error(`There is no graph ${refusedByApollo.graph}`);
    await using running = await startGraph(graph, { planning });
    await expect(startGraphContest(running)).rejects.toThrow(refusedByApollo.message);
  });
}

if (only === undefined || only === 'demo') {
  describe('over the demo graph', () => {
    let contest: Contest;
    beforeAll(async () => {
      contest = await startDemoContest();
    });
    afterAll(async () => await contest?.[Symbol.asyncDispose]());

    test(
      generatedAre,
      async () => {
        const schema = buildMonolith();
        const problems = await findProblems(contest, (seed) =>
          generateOperation(schema, seed, demoOperations),
        );
        expect(problems).toEqual([]);
      },
      timeout,
    );

    // Mutations last, in one order everywhere: each side has a store of its own.
    test.each(
      readDemoOperations()
        .filter(({ kind }) => kind !== 'subscription')
        .sort((one, other) => Number(one.kind === 'mutation') - Number(other.kind === 'mutation')),
    )('$name is answered right, with no more requests than of Apollo Gateway', async (operation) => {
      expect((await judge(contest, () => operation)).problem).toBeUndefined();
    });
  });
}

test('every case is about a graph that there is', () => {
  const names = graphs.map(({ name }) => name);
  const cases = [...apolloDifferences, ...requestCounts];
  expect(cases.filter(({ graph }) => !names.includes(graph))).toEqual([]);
});
