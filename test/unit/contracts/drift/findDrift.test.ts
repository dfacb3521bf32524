import { expect, test } from '@jest/globals';
import type { ContractStore } from '../../../../contracts/contractStore.ts';
import { findDrift } from '../../../../contracts/drift/findDrift.ts';
import type { SupergraphTools } from '../../../../contracts/graph/composeGraph.ts';
import { inProcessSupergraphTools } from '../../../harness/inProcessSupergraphTools.ts';
import { ComposedGraphs, contractsOf, operationsOf } from '../graph/testContracts.ts';

const subgraphs = { shop: 'type Query { product: Product } type Product { id: ID! name: String }' };
const store: ContractStore = {
  directory: 'contracts',
  schemas: contractsOf(subgraphs),
  operations: operationsOf('query Page { product { name } }'),
  waivers: [],
  environments: [],
  problems: [],
};
const live = [...store.schemas.values()];

/** Counts the plans, and the planners that are not closed. */
function countedTools() {
  const counts = { plans: 0, open: 0 };
  const tools: SupergraphTools = {
    compose: inProcessSupergraphTools.compose,
    load: async (sdl) => {
      const supergraph = await inProcessSupergraphTools.load(sdl);
      counts.open += 1;
      const planner: typeof supergraph.planner = {
        ...supergraph.planner,
        plan: (request) => {
          counts.plans += 1;
          return supergraph.planner.plan(request);
        },
        close: async () => {
          counts.open -= 1;
          await supergraph.planner.close();
        },
      };
      return { ...supergraph, planner };
    },
  };
  return { counts, tools };
}

test('no operation is planned when the subgraphs and the supergraph are as agreed', async () => {
  await using graphs = new ComposedGraphs();
  const { sdl: supergraphSdl } = await graphs.compose(subgraphs);
  const { counts, tools } = countedTools();

  const drift = await findDrift({ store, live, supergraphSdl }, tools);

  expect(drift).toEqual({ subgraphs: [{ name: 'shop', state: 'as agreed', breaks: [] }], findings: [] });
  expect(counts).toEqual({ plans: 0, open: 0 });
});

test('a supergraph that lacks a field of the running subgraphs is drift', async () => {
  await using graphs = new ComposedGraphs();
  const { sdl: supergraphSdl } = await graphs.compose({
    shop: 'type Query { product: Product } type Product { id: ID! }',
  });
  const { counts, tools } = countedTools();

  const { findings } = await findDrift({ store, live, supergraphSdl }, tools);

  expect(findings.map(({ rule, subgraph }) => [rule, subgraph])).toContainEqual(['supergraph-drift', 'shop']);
  expect(counts.open).toBe(0);
});

test('a running subgraph whose SDL does not parse is reported, although plans fetch from it', async () => {
  await using graphs = new ComposedGraphs();
  const { sdl: supergraphSdl } = await graphs.compose(subgraphs);
  const broken = live.map((subgraph) => ({ ...subgraph, sdl: `${subgraph.sdl} type {` }));

  const drift = await findDrift({ store, live: broken, supergraphSdl }, inProcessSupergraphTools);

  expect(drift.subgraphs).toEqual([{ name: 'shop', state: 'drifted', breaks: [] }]);
  expect(drift.findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual([
    'dangerous contract-drift',
    'breaking subgraph-unparseable',
  ]);
});

test('a running subgraph whose SDL is nested too deep is reported like one that does not parse', async () => {
  const nested = `type Query { a: ${'['.repeat(20_000)}Int${']'.repeat(20_000)} }`;
  const broken = live.map((subgraph) => ({ ...subgraph, sdl: nested }));

  const { findings } = await findDrift({ store, live: broken }, inProcessSupergraphTools);

  expect(findings.map(({ severity, rule, message }) => [severity, rule, message])).toContainEqual([
    'breaking',
    'subgraph-unparseable',
    expect.stringContaining('nested more than 1000 levels deep'),
  ]);
});

test.each(['', 'type Query {'])(
  'a running supergraph that does not parse is a mistake: "%s"',
  async (supergraphSdl) => {
    const { findings } = await findDrift({ store, live, supergraphSdl }, inProcessSupergraphTools);

    expect(findings).toEqual([
      expect.objectContaining({
        rule: 'supergraph-refused',
        severity: 'misuse',
        message: expect.stringMatching(/^The running supergraph cannot be used: Syntax Error: /),
      }),
    ]);
  },
);
