import { describe, expect, jest, test } from '@jest/globals';
import { internalServerError } from '../../../gateway/errors.ts';
import type { StaleValue } from '../../../gateway/execution/executionDiagnostics.ts';
import { entityFetch, productInputs, rootFetch } from '../../harness/fetchNodes.ts';
import { flattenAt, parallel, products, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

describe('a subgraph response of the wrong shape', () => {
  /** Lists in lists, deeper than a stack is. */
  const abyss = (): unknown => {
    let value: unknown = null;
    for (let i = 0; i < 100_000; i++) value = [value];
    return value;
  };

  test.each([
    ['a list', [products('1')[0]]],
    ['lists deeper than a stack', abyss()],
    ['text', 'product'],
  ])('has no entities where the plan expects an object and the response has %s', async (_, product) => {
    const { client, completedGroups, faults } = runPlan(
      sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
    );
    await waitForTurns();
    await client.answer(0, { data: { product } });
    expect([client.calls.length, completedGroups, faults]).toEqual([1, [0], []]);
  });

  test('fails the fetch when its lists are nested too deep to merge', async () => {
    const { client, execution, completedGroups, faults } = runPlan(
      sequence(rootFetch('product{__typename id stock}'), flattenAt('product', entityFetch('stock'))),
    );
    await waitForTurns();
    await client.answer(0, { data: { product: { ...products('1')[0], stock: abyss() } } });
    await client.answer(1, { data: { _entities: [{ stock: abyss() }] } });
    expect(completedGroups).toEqual([0]);
    expect(execution.errors.map(({ reason }) => 'code' in reason && reason.code)).toEqual([
      'SUBGRAPH_INVALID_RESPONSE',
    ]);
    expect(faults).toEqual([]);
  });

  test.each([
    ['an input is nested too deep', [{ size: null }, { size: abyss() }], 1],
    ['its lists are nested too deep to merge', [{ size: null, stock: abyss() }], 2],
  ])('fails the fetches of an entity at all its paths when %s', async (_, fields, calls) => {
    const size = { kind: 'Field', name: 'size', selections: [{ kind: 'Field', name: 'w' }] } as const;
    const stock = entityFetch('stock', {
      requires: [...productInputs('id'), { kind: 'InlineFragment', selections: [size] }],
    });
    const { client, execution, completedGroups } = runPlan(
      sequence(
        rootFetch('products{__typename id size{w} stock} product{__typename id size{w} stock}'),
        parallel(flattenAt('products.@', stock), flattenAt('product', stock)),
      ),
    );
    const all = fields.map((own, index) => ({ __typename: 'Product', id: index, ...own }));
    await client.answer(0, { data: { products: all, product: { ...all[0] } } });
    await client.answer(1, { data: { _entities: [{ stock: abyss() }] } });
    expect([client.calls.length, completedGroups]).toEqual([calls, [0]]);
    expect(execution.errors.map(({ path }) => path)).toEqual([['products'], ['product']]);
  });

  test.each([
    ['its errors, if it has some', [{ message: 'down' }], 'down'],
    ['that it is invalid, if it has none', undefined, 'A subgraph returned an invalid response.'],
  ])('without data for root fields reports %s', async (_, errors, message) => {
    const { client, execution, completedGroups, faults } = runPlan(rootFetch('product{id}'));
    await client.answer(0, { data: null, errors });
    expect(execution.errors.map(({ reason }) => reason.message)).toEqual([message]);
    expect([completedGroups, faults]).toEqual([[0], []]);
  });

  test('reports an entity that is no object, and no other', async () => {
    const { client, execution } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    await client.answer(0, { data: { products: products('1', '2') } });
    await client.answer(1, { data: { _entities: [{ stock: 1 }, ['stock']] } });
    expect(execution.errors).toEqual([
      expect.objectContaining({
        path: ['products', 1],
        reason: expect.objectContaining({ code: 'SUBGRAPH_INVALID_RESPONSE' }),
      }),
    ]);
  });

  test.each([
    ['all entities if it made the data null', null, ['products.0.stock', 'products.1']],
    ['no other entity if there is data', { _entities: [{ stock: null }, null] }, ['products.0.stock']],
  ])('reports the error of one entity at %s', async (_, data, paths) => {
    const { client, execution } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    await client.answer(0, { data: { products: products('1', '2') } });
    await client.answer(1, { data, errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }] });
    expect(execution.errors.map(({ path }) => path.join('.'))).toEqual(paths);
  });
});

describe('a stale value', () => {
  const staleness = { ageMs: 5, reason: 'error' } as const;
  const stale = (...keys: (number | string)[]) => ({ stale: new Map(keys.map((key) => [key, staleness])) });
  const pathsOf = ({ staleValues }: { readonly staleValues: readonly StaleValue[] }) =>
    staleValues.map(({ path, group }) => `${group}:${path.join('.')}`);

  test('of a root field is at the path of each object of its fetch, under its name in the response tree, as an error is', async () => {
    const { client, execution } = runPlan(
      {
        kind: 'Defer',
        primary: { node: rootFetch('payloads{id}', { id: '0' }) },
        deferred: [
          {
            depends: [{ id: '0' }],
            label: '1',
            queryPath: [],
            node: flattenAt(
              'payloads.@',
              rootFetch('shop__alias_0:shop', {
                outputRewrites: [{ kind: 'KeyRenamer', path: ['shop__alias_0'], renameKeyTo: 'shop' }],
              }),
            ),
          },
        ],
      },
      { groupCount: 2, annotationsOf: ({ group }) => (group === 1 ? stale('shop__alias_0') : {}) },
    );
    await client.answer(0, { data: { payloads: [{ id: '1' }, null, { id: '3' }] } });
    await client.answer(1, {
      data: { shop__alias_0: 's' },
      errors: [{ message: 'no', path: ['shop__alias_0', 'name'] }],
    });
    expect(pathsOf(execution)).toEqual(['1:payloads.0.shop', '1:payloads.2.shop']);
    expect(execution.errors.map(({ path, group }) => `${group}:${path.join('.')}`)).toEqual([
      '1:payloads.0.shop.name',
      '1:payloads.2.shop.name',
    ]);
    expect(execution.staleValues[0]).toMatchObject(staleness);
  });

  test('of an entity is at each field of it at each path, also at a path that is reached later', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('products{__typename id row} product{__typename id}'),
        flattenAt('products.@', entityFetch('__typename stock name')),
        flattenAt('product', entityFetch('__typename stock name')),
      ),
      { annotationsOf: ({ shape }) => (shape.isEntityFetch ? stale(1) : {}) },
    );
    const listed = products('1', '2', '2').map((product, row) => ({ ...product, row }));
    await client.answer(0, { data: { products: listed, product: products('2')[0] } });
    await client.answer(1, { data: { _entities: [1, 2].map((stock) => ({ stock, name: 'n' })) } });
    expect(client.calls).toHaveLength(2);
    expect(pathsOf(execution)).toEqual(
      ['products.1', 'products.2', 'product'].flatMap((path) => [`0:${path}.stock`, `0:${path}.name`]),
    );
    expect(execution.errors).toEqual([]);
  });
});

test('a fault of the gateway fails one fetch, and is reported', async () => {
  const { client, execution, completedGroups, faults } = runPlan(
    sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
  );
  const fault = new Error('fault');
  jest.spyOn(client, 'send').mockImplementation(() => {
    throw fault;
  });
  await client.answer(0, { data: { product: products('1')[0] } });
  expect([completedGroups, faults]).toEqual([[0], [fault]]);
  expect(execution.errors).toMatchObject([{ path: ['product'], reason: { code: 'INTERNAL_SERVER_ERROR' } }]);
});

test('a fault that names a subgraph is not reported again', async () => {
  const { client, execution, faults } = runPlan(rootFetch('product'));
  client.calls[0]?.receiver.onError(internalServerError(new Error('fault'), { subgraph: 'products' }));
  await waitForTurns();
  expect(faults).toEqual([]);
  expect(execution.errors).toMatchObject([{ path: [], reason: { code: 'INTERNAL_SERVER_ERROR' } }]);
});

test('the source of a field that was not fetched, because no fetch brings its input, is the fetch of the field', async () => {
  const { client, execution } = runPlan(
    sequence(rootFetch('product{__typename}'), flattenAt('product', entityFetch('id stock'))),
  );
  const product = { __typename: 'Product' };
  await client.answer(0, { data: { product } });
  expect(client.calls).toHaveLength(1);
  expect(execution.sourceOf('product.stock', product)).toEqual({ path: 'product.stock', subgraph: 'stock' });
});
