import { describe, expect, test } from '@jest/globals';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { enrichmentsAt, normalizeText, schemaOf } from '../../harness/normalize.ts';
import { flattenAt, parallel, type RunningPlan, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const schema = schemaOf(`
  type Query { product: Product other: Int }
  type Product { id: ID! name: String stock: Int advice: Advice }
  type Advice { text: String! product: Product }
`);
const enrichmentOf = enrichmentsAt('Product.stock', 'Product.advice');

/** Runs a plan that knows nothing of enrichments for an operation that has some. */
function run(query: string, plan: PlanNode): RunningPlan {
  const { root, deferred } = normalizeText(schema, query, { enrichmentOf });
  return runPlan(plan, { root, groupCount: deferred.length + 1 });
}

const requestedSubgraphs = ({ client }: RunningPlan) => client.calls.map(({ request }) => request.subgraph);

async function bring({ client }: RunningPlan, subgraph: string, data: Record<string, unknown>) {
  client.calls.find(({ request }) => request.subgraph === subgraph)?.answer({ data: structuredClone(data) });
  await waitForTurns();
}

describe('a plan that is split for enrichments', () => {
  const product = { product: { __typename: 'Product', id: '1' } };

  test('has a group for each enrichment, which waits for its own fetches only', async () => {
    const running = run(
      '{ product { id stock advice { text } } other }',
      parallel(
        sequence(
          rootFetch('product{__typename id}'),
          parallel(
            flattenAt('product', entityFetch('stock')),
            flattenAt('product', entityFetch('advice{text}', { serviceName: 'advice' })),
          ),
        ),
        rootFetch('other', { serviceName: 'others' }),
      ),
    );
    await waitForTurns();
    expect(requestedSubgraphs(running)).toEqual(['products', 'others']);
    await bring(running, 'products', product);
    expect([requestedSubgraphs(running), running.completedGroups]).toEqual([
      ['products', 'others', 'stock', 'advice'],
      [],
    ]);
    await bring(running, 'others', { other: 1 });
    expect(running.completedGroups).toEqual([0]);
    await bring(running, 'advice', { _entities: [{ advice: { text: 'x' } }] });
    expect(running.completedGroups).toEqual([0, 2]);
    await bring(running, 'stock', { _entities: [{ stock: 1 }] });
    expect(running.completedGroups).toEqual([0, 2, 1]);
  });

  test('completes an enrichment with the primary data when one fetch provides both', async () => {
    const running = run('{ product { id stock } }', rootFetch('product{id stock}'));
    await waitForTurns();
    await bring(running, 'products', { product: { id: '1', stock: 1 } });
    expect(running.completedGroups).toEqual([0, 1]);
  });

  test.each(['__typename', 'type: __typename'])(
    'waits for the fetch of an object whose only primary field is "%s"',
    async (field) => {
      const running = run(
        `{ product { ${field} stock } other }`,
        sequence(rootFetch('product{id}'), flattenAt('product', entityFetch('stock'))),
      );
      await waitForTurns();
      expect(running.completedGroups).toEqual([]);
      await bring(running, 'products', product);
      expect(running.completedGroups).toEqual([0]);
    },
  );

  test('completes the primary data after a fetch that brings none of the selected fields', async () => {
    const running = run(
      '{ product { id stock } }',
      parallel(rootFetch('product{id stock}'), rootFetch('unused', { serviceName: 'others' })),
    );
    await waitForTurns();
    await bring(running, 'products', { product: { id: '1', stock: 1 } });
    expect(running.completedGroups).toEqual([1]);
    await bring(running, 'others', { unused: 1 });
    expect(running.completedGroups).toEqual([1, 0]);
  });

  test('waits for the fetch of an object whose primary fields the client may not read', async () => {
    const { root, deferred } = normalizeText(schema, '{ product { name stock } }', { enrichmentOf });
    const denied = new SelectionSet(
      root.selections.map((selection) =>
        selection.kind !== 'Field' || selection.selectionSet === undefined
          ? selection
          : {
              ...selection,
              selectionSet: new SelectionSet(
                selection.selectionSet.selections.map((field) =>
                  field.kind === 'Field' && field.fieldName === 'name' ? { ...field, isDenied: true } : field,
                ),
              ),
            },
      ),
    );
    const running = runPlan(
      sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
      { root: denied, groupCount: deferred.length + 1 },
    );
    await waitForTurns();
    expect(running.completedGroups).toEqual([]);
    await bring(running, 'products', product);
    expect(running.completedGroups).toEqual([0]);
  });

  test('sends a mutation after all fetches for the mutation before it', async () => {
    const mutations = schemaOf(`
      type Query { product: Product }
      type Mutation { first: Product second: Product }
      type Product { id: ID! stock: Int price: Int }
    `);
    const { root } = normalizeText(mutations, 'mutation { first { stock price } second { id } }');
    const mutation = (fields: string) =>
      rootFetch(fields, { operation: `mutation{${fields}}`, operationKind: 'mutation' });
    const running = runPlan(
      sequence(
        mutation('first{__typename id}'),
        flattenAt('first', entityFetch('stock')),
        flattenAt('first', entityFetch('price', { serviceName: 'prices' })),
        mutation('second{id}'),
      ),
      { root },
    );
    await bring(running, 'products', { first: { __typename: 'Product', id: '1' } });
    expect(requestedSubgraphs(running)).toEqual(['products', 'stock']);
    await bring(running, 'stock', { _entities: [{ stock: 1 }] });
    await bring(running, 'prices', { _entities: [{ price: 1 }] });
    expect(requestedSubgraphs(running)).toEqual(['products', 'stock', 'prices', 'products']);
  });

  test('has a separate group for an enrichment inside another', async () => {
    const running = run(
      '{ product { id advice { product { stock } text } } }',
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt('product', entityFetch('advice{text product{__typename id}}', { serviceName: 'advice' })),
        flattenAt('product.advice.product', entityFetch('stock')),
      ),
    );
    await waitForTurns();
    await bring(running, 'products', product);
    expect(running.completedGroups).toEqual([0]);
    await bring(running, 'advice', {
      _entities: [{ advice: { text: 'x', product: { __typename: 'Product', id: '2' } } }],
    });
    expect(running.completedGroups).toEqual([0, 1]);
    await bring(running, 'stock', { _entities: [{ stock: 2 }] });
    expect(running.completedGroups).toEqual([0, 1, 2]);
  });

  test('knows for each group whether a fetch of its data was sent', async () => {
    const plan = (primary: string) =>
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt(
          'product',
          entityFetch(`${primary}advice{product{__typename id}}`, { serviceName: 'advice' }),
        ),
        flattenAt('product.advice.product', entityFetch('stock')),
      );
    for (const [query, primary] of [
      ['{ product { id advice { product { stock } } } }', ''],
      ['{ product { name advice { product { stock } } } }', 'name '],
    ] as const) {
      const running = run(query, plan(primary));
      const fetched = () => [1, 2].map((group) => running.execution.hasFetched(group));
      await waitForTurns();
      expect([requestedSubgraphs(running), fetched()]).toEqual([['products'], [false, false]]);
      await bring(running, 'products', product);
      expect([requestedSubgraphs(running).at(-1), fetched()]).toEqual(['advice', [true, false]]);
      await bring(running, 'advice', { _entities: [{ name: 'x', advice: null }] });
      expect([running.completedGroups.toSorted(), fetched()]).toEqual([
        [0, 1, 2],
        [true, false],
      ]);
    }
    const without = run('{ product { name advice { product { stock } } } }', plan('name '));
    await waitForTurns();
    await bring(without, 'products', { product: null });
    expect([without.completedGroups.toSorted(), without.execution.hasFetched(1)]).toEqual([[0, 1, 2], false]);
  });

  test('keeps the order of the plan for fetches without known inputs', async () => {
    const running = run(
      '{ product { id advice { text } } other }',
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt('product', entityFetch('advice{text}', { serviceName: 'advice' })),
        rootFetch('other', { serviceName: 'others' }),
      ),
    );
    await waitForTurns();
    await bring(running, 'products', product);
    await bring(running, 'advice', { _entities: [{ advice: { text: 'x' } }] });
    expect([requestedSubgraphs(running), running.completedGroups]).toEqual([
      ['products', 'advice', 'others'],
      [1],
    ]);
    await bring(running, 'others', { other: 1 });
    expect(running.completedGroups).toEqual([1, 0]);
  });
});
