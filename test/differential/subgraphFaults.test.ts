import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CannedAnswer } from '../harness/inlineGateway.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { findLossDifference } from './compareDataLoss.ts';
import { executeTrial } from './executeTrial.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { hash } from './graphs/framework/hash.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';

// A subgraph fails for all entity fetches. As in generatedGraphOperations.test.ts, environment variables select a
// graph, a first seed and a count to run more cases.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first: firstSeed, count, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 3, pool: 6, long: 24 });

const failures: readonly CannedAnswer[] = [
  { kind: 'json', status: 500, body: 'Internal error' },
  { kind: 'json', body: { errors: [{ message: 'All is lost' }] } },
  { kind: 'json', body: { data: null, errors: [{ message: 'Nothing found', path: ['_entities'] }] } },
  { kind: 'json', body: 'no answer at all' },
  { kind: 'reset' },
];

const cases = graphs
  .filter(({ name, createState }) => createState === undefined && (only === undefined || name === only))
  .map((graph) => ({ name: graph.name, graph }));

describe.each(cases)(`operations over the graph $name, from seed ${firstSeed} on`, ({ graph }) => {
  let running: RunningGraph;
  beforeAll(async () => {
    running = await startGraph(graph);
  });
  afterAll(async () => await running[Symbol.asyncDispose]());

  test.each(graph.subgraphs.map(({ name }) => name))(
    'have null with an error for the lost entity fields of %s, and are otherwise unchanged, if the entity fetches to it fail',
    async (subgraph) => {
      const { gateway, monolith } = running;
      gateway
        .subgraph(subgraph)
        .answerWith(({ query, variables }) =>
          isForEntities(variables) ? failures[hash(query) % failures.length] : undefined,
        );
      const problems = await runTrials(seeds, async (seed) => {
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
    20_000 + 400 * count,
  );
});

function isForEntities(variables: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(variables).some((name) => name.startsWith('representations'));
}
