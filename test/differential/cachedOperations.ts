import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { postJson } from '../harness/postJson.ts';
import { runTrials } from '../harness/runTrials.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { abstractTypes } from './graphs/abstractTypes.ts';
import { namedTypeOf } from './graphs/framework/definitions.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import type { GraphObject } from './graphs/framework/graph.ts';
import { GraphModel } from './graphs/framework/graphModel.ts';
import { type RunningGraph, startGraph, turnsByText } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { interfaceObjects } from './graphs/interfaceObjects.ts';
import { keys } from './graphs/keys.ts';
import { compareCompleteAnswer } from './trials.ts';

// To run more cases: DIFFERENTIAL_GRAPH=keys DIFFERENTIAL_SEED=1000 DIFFERENTIAL_COUNT=100.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first: firstSeed, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 3, pool: 8, long: 40 });
const rounds = 4;
/** Few, for the time that they take. */
const defaultGraphs = [keys, abstractTypes, interfaceObjects];

/** A model in which the texts of an entity contain its version. */
class VersionedModel extends GraphModel {
  readonly versions = new Map<GraphObject, number>();

  override resolve(...parameters: Parameters<GraphModel['resolve']>): unknown {
    const value = super.resolve(...parameters);
    const [typeName, thing, fieldName] = parameters;
    const version = this.versions.get(thing);
    if (version === undefined || typeof value !== 'string' || this.definitions.isKeyField(fieldName))
      return value;
    const { type } = this.definitions.declaration(thing.__typename ?? typeName, fieldName);
    return namedTypeOf(type) === 'String' ? `${value} of version ${version}` : value;
  }

  /** The entity as an invalidation names it, with all its keys. */
  identify(thing: GraphObject, typeName: string): Record<string, unknown> {
    const names = [typeName, ...this.definitions.supertypes(typeName)];
    const keysOf = ({ name }: { name: string }): object[] =>
      names.flatMap((type) =>
        this.definitions
          .keys(name, type)
          .map(({ selection }) => this.select(thing, type, selection, readOwn) as object),
      );
    return Object.assign({ __typename: typeName }, ...this.graph.subgraphs.flatMap(keysOf));
  }
}

function readOwn(_: string, thing: GraphObject, { name }: { name: { value: string } }): unknown {
  return thing[name.value];
}

describe.each(only === undefined ? defaultGraphs : graphs.filter(({ name }) => name === only))(
  'generated operations over the graph $name with a cache',
  (graph) => {
    const model = new VersionedModel(graph);
    const entities = Object.entries(graph.entities).flatMap(([typeName, things]) =>
      things.map((thing) => ({ typeName, thing })),
    );
    let running: RunningGraph;
    beforeAll(async () => {
      const rules = graph.subgraphs.map(({ name }) => [`subgraph:${name}`, { maxAge: '1h' }] as const);
      running = await startGraph(
        graph,
        { cache: { rules: Object.fromEntries(rules), nullMaxAge: '1h' } },
        model,
        { turnsOf: turnsByText },
      );
    });
    afterAll(async () => await running[Symbol.asyncDispose]());

    const hasHits = async (): Promise<boolean> => {
      const response = await fetch(new URL('/cache/rules', running.gateway.adminUrl));
      return /"hits":[1-9]/.test(await response.text());
    };

    test('get the same responses as from a monolith after invalidations of changed entities', async () => {
      const random = createRandom(firstSeed);
      for (let round = 0; round < rounds; round++) {
        const changed = random.sample(entities, round + 1);
        for (const { thing } of changed) model.versions.set(thing, round);
        const response = await postJson(new URL('/cache/invalidate', running.gateway.adminUrl), {
          entities: changed.map(({ thing, typeName }) => model.identify(thing, typeName)),
        });
        expect([response.status, await response.json()]).toEqual([200, expect.anything()]);
        const problems = await runTrials(seeds, async (seed) => {
          const trial = generateTrial(running, seed);
          const problem = await compareCompleteAnswer(running.gateway.url, running.monolith, trial);
          return problem && `graph ${graph.name}, round ${round}, seed ${seed}\n${problem}`;
        });
        expect(problems).toEqual([]);
      }
      expect(await hasHits()).toBe(true);
    });
  },
);
