import { expect, test } from '@jest/globals';
import { createCachedValues } from '../../../../contracts/evaluation/cachedValues.ts';
import { createServedGraph } from '../../../../contracts/evaluation/servedGraph.ts';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { ComposedGraphs, operationsOf } from '../graph/testContracts.ts';

const graphs = {
  shelves: 'type Query { shelf: Shelf } type Shelf @key(fields: "id") { id: ID! label: String @shareable }',
  labels:
    'type Query { labelled: Shelf } type Shelf @key(fields: "id") { id: ID! label: String @shareable stock: Int }',
};
const rule = { maxAge: 60_000, staleWhileRevalidate: 0, staleIfError: 0 };
const gatewaySettings = {
  ...defaultGatewaySettings,
  cache: { enabled: true, rules: { 'subgraph:shelves': rule, 'subgraph:labels': rule } },
};

test('the rules of a value are those of the subgraphs that each operation fetches from', async () => {
  await using composed = new ComposedGraphs();
  const operations = operationsOf(`
    query One { shelf { label } }
    query Both { shelf { label stock } }`);
  const planned = await composed.plan(graphs, operations);
  const values = createCachedValues(createServedGraph(planned, gatewaySettings));

  const subgraphs = operations.map((operation) => [...values.rulesOf(operation, 'Shelf', 'label').keys()]);

  expect(subgraphs).toEqual([['shelves'], ['shelves', 'labels']]);
});

test('the subgraphs that resolve a value are searched once for all operations', async () => {
  await using composed = new ComposedGraphs();
  const operations = operationsOf(`
    query One { shelf { label } }
    query Two { shelf { label } }
    query Three { shelf { label } }`);
  const { graph, plans } = await composed.plan(graphs, operations);
  let searches = 0;
  const contracts = new (class extends Map<string, never> {
    override values() {
      searches += 1;
      return super.values();
    }
  })(graph.contracts as ReadonlyMap<string, never>);
  const values = createCachedValues(
    createServedGraph({ graph: { ...graph, contracts }, plans }, gatewaySettings),
  );

  for (const operation of operations) values.rulesOf(operation, 'Shelf', 'label');

  expect(searches).toBe(1);
});
