import { describe, expect, jest, test } from '@jest/globals';
import { internalServerError } from '../../../gateway/errors.ts';
import type { StaleValue } from '../../../gateway/execution/executionDiagnostics.ts';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import type { FakeSubgraphClient } from '../../harness/fakeSubgraphClient.ts';
import { entityFetch, productInputs, rootFetch } from '../../harness/fetchNodes.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';
import { flattenAt, parallel, runPlan, sequence } from '../../harness/runPlan.ts';
import { useUpTurns } from '../../harness/useUpTurns.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const products = (...ids: string[]): object[] => ids.map((id) => ({ __typename: 'Product', id }));
const representations = (client: FakeSubgraphClient): unknown[] =>
  client.calls.map(({ body }) => body.variables.representations ?? 'root');

describe('the order of fetches', () => {
  test('the first fetches are sent at once', () => {
    const { client } = runPlan(
      parallel(rootFetch('product{id}'), rootFetch('other', { serviceName: 'others' })),
    );
    expect(client.calls.map(({ request }) => request.subgraph)).toEqual(['products', 'others']);
  });

  test('Sequence: a node waits for the node before it', async () => {
    const { client, completedGroups } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    await waitForTurns();
    expect(client.calls).toHaveLength(1);
    client.calls[0]?.answer({ data: { products: products('1', '2') } });
    await waitForTurns();
    expect(representations(client)).toEqual(['root', products('1', '2')]);
    expect(completedGroups).toEqual([]);
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }, { stock: 2 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0]);
  });

  test('is reported to an observer: a step starts when those before it have ended', async () => {
    const { client, steps } = runPlan(
      sequence(
        parallel(rootFetch('product{__typename id}'), rootFetch('other', { serviceName: 'others' })),
        flattenAt('product', entityFetch('stock')),
      ),
    );
    await waitForTurns();
    expect(steps).toEqual(['start 0', 'start 1']);
    client.calls[1]?.answer({ data: { other: 1 } });
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(steps).toEqual(['start 0', 'start 1', 'end 1', 'end 0', 'start 2']);
    client.calls[2]?.answer({ errors: [{ message: 'broken' }] });
    await waitForTurns();
    expect(steps.at(-1)).toBe('end 2');
  });

  test('Parallel: all nodes start at once, and the next node waits for the last of them', async () => {
    const { client } = runPlan(
      sequence(
        parallel(rootFetch('product{__typename id}'), rootFetch('other', { serviceName: 'others' })),
        flattenAt('product', entityFetch('stock')),
      ),
    );
    await waitForTurns();
    expect(client.calls.map(({ request }) => request.subgraph)).toEqual(['products', 'others']);
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(client.calls).toHaveLength(2);
    client.calls[1]?.answer({ data: { other: 1 } });
    await waitForTurns();
    expect(client.calls).toHaveLength(3);
  });

  test('an execution without steps completes at once', () => {
    expect(runPlan({ kind: 'Parallel', nodes: [] }).completedGroups).toEqual([0]);
  });

  test('equal root fetches below the root are sent for each object, after each mutation', async () => {
    const rename = (alias: string) =>
      rootFetch('', { operation: `mutation{${alias}:rename{query{id}}}`, operationKind: 'mutation' });
    const { client, execution } = runPlan(
      sequence(
        rename('a'),
        flattenAt('a.query', rootFetch('name', { serviceName: 'others' })),
        rename('b'),
        flattenAt('b.query', rootFetch('name', { serviceName: 'others' })),
      ),
    );
    const answers = [{ a: { query: {} } }, { name: 'first' }, { b: { query: {} } }, { name: 'second' }];
    for (const [number, data] of answers.entries()) {
      client.calls[number]?.answer({ data });
      await waitForTurns();
    }
    expect(execution.tree).toEqual({ a: { query: { name: 'first' } }, b: { query: { name: 'second' } } });
  });

  describe('of a mutation', () => {
    const mutation = (name: string) => rootFetch(`${name}{__typename id}`, { operationKind: 'mutation' });
    const twoMutations = sequence(
      mutation('first'),
      flattenAt('first', entityFetch('stock')),
      mutation('second'),
      flattenAt('second', entityFetch('stock')),
    );

    test('fetches an entity again that was fetched before a root field, which may have changed it', async () => {
      const { client, completedGroups } = runPlan(twoMutations, { isDataNullBefore: () => false });
      for (const [index, data] of [
        { first: products('1')[0] },
        { _entities: [{ stock: 1 }] },
        { second: products('1')[0] },
        { _entities: [{ stock: 2 }] },
      ].entries()) {
        client.calls[index]?.answer({ data });
        await waitForTurns(3);
      }
      expect(representations(client)).toEqual(['root', products('1'), 'root', products('1')]);
      expect(completedGroups).toEqual([0]);
    });

    test('sends no root field after earlier ones have made `data` null', async () => {
      const asked: number[] = [];
      const isDataNullBefore = ({ index }: { readonly index: number }): boolean => {
        asked.push(index);
        return true;
      };
      const { client, completedGroups } = runPlan(twoMutations, { isDataNullBefore });
      client.calls[0]?.answer({ data: { first: null }, errors: [{ message: 'broken', path: ['first'] }] });
      await waitForTurns(3);
      expect([client.calls.length, asked, completedGroups]).toEqual([1, [2], [0]]);
    });
  });

  test('a root fetch below the root is sent for an object, and not for null', async () => {
    for (const [payload, sent] of [
      [{ id: '1' }, ['products', 'others']],
      [null, ['products']],
    ] as const) {
      const { client, completedGroups, execution } = runPlan(
        sequence(
          rootFetch('payload{id}'),
          flattenAt('payload', rootFetch('after', { serviceName: 'others' })),
        ),
      );
      client.calls[0]?.answer({ data: { payload } });
      await waitForTurns();
      client.calls[1]?.answer({ data: { after: 1 } });
      await waitForTurns();
      expect(client.calls.map(({ request }) => request.subgraph)).toEqual(sent);
      expect([completedGroups, execution.tree]).toEqual([
        [0],
        { payload: payload && { ...payload, after: 1 } },
      ]);
    }
  });

  test('a root fetch below a list is merged into each of its objects, which share nothing of it', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('payloads{id}'),
        flattenAt('payloads.@', rootFetch('shop{name}', { serviceName: 'others' })),
      ),
    );
    client.calls[0]?.answer({ data: { payloads: [{ id: '1' }, { id: '2' }] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { shop: { name: 'n' } } });
    await waitForTurns();
    const payloads = execution.tree.payloads as { readonly shop: object }[];
    expect(payloads).toEqual(['1', '2'].map((id) => ({ id, shop: { name: 'n' } })));
    expect(payloads[0]?.shop).not.toBe(payloads[1]?.shop);
    expect(client.calls).toHaveLength(2);
  });

  test('a step without objects sends no fetch, and the next step runs', async () => {
    const { client, completedGroups } = runPlan(
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt('product', entityFetch('stock')),
        rootFetch('after', { serviceName: 'others' }),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: null } });
    await waitForTurns();
    expect(client.calls.map(({ request }) => request.subgraph)).toEqual(['products', 'others']);
    client.calls[1]?.answer({ data: { after: 1 } });
    await waitForTurns();
    expect(completedGroups).toEqual([0]);
  });
});

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
    client.calls[0]?.answer({ data: { product } });
    await waitForTurns();
    expect([client.calls.length, completedGroups, faults]).toEqual([1, [0], []]);
  });

  test('fails the fetch when its lists are nested too deep to merge', async () => {
    const { client, execution, completedGroups, faults } = runPlan(
      sequence(rootFetch('product{__typename id stock}'), flattenAt('product', entityFetch('stock'))),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: { ...products('1')[0], stock: abyss() } } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ stock: abyss() }] } });
    await waitForTurns();
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
    client.calls[0]?.answer({ data: { products: all, product: { ...all[0] } } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ stock: abyss() }] } });
    await waitForTurns();
    expect([client.calls.length, completedGroups]).toEqual([calls, [0]]);
    expect(execution.errors.map(({ path }) => path)).toEqual([['products'], ['product']]);
  });

  test.each([
    ['its errors, if it has some', [{ message: 'down' }], 'down'],
    ['that it is invalid, if it has none', undefined, 'A subgraph returned an invalid response.'],
  ])('without data for root fields reports %s', async (_, errors, message) => {
    const { client, execution, completedGroups, faults } = runPlan(rootFetch('product{id}'));
    client.calls[0]?.answer({ data: null, errors });
    await waitForTurns();
    expect(execution.errors.map(({ reason }) => reason.message)).toEqual([message]);
    expect([completedGroups, faults]).toEqual([[0], []]);
  });

  test('reports an entity that is no object, and no other', async () => {
    const { client, execution } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    client.calls[0]?.answer({ data: { products: products('1', '2') } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }, ['stock']] } });
    await waitForTurns();
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
    client.calls[0]?.answer({ data: { products: products('1', '2') } });
    await waitForTurns();
    client.calls[1]?.answer({ data, errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }] });
    await waitForTurns();
    expect(execution.errors.map(({ path }) => path.join('.'))).toEqual(paths);
  });
});

describe('a Defer node', () => {
  const node: PlanNode = {
    kind: 'Defer',
    primary: { node: rootFetch('product{__typename id}', { id: '0' }) },
    deferred: [
      {
        depends: [{ id: '0' }],
        label: '1',
        queryPath: ['product'],
        node: flattenAt('product', entityFetch('stock')),
      },
      { depends: [{ id: '0' }], label: '2', queryPath: ['product'] },
    ],
  };
  test('completes its groups one by one, and a block without a fetch together with the fetch that it depends on', async () => {
    const { client, completedGroups } = runPlan(node, { groupCount: 3 });
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 2]);
    expect(client.calls.map(({ request }) => request.priority)).toEqual(['primary', 'critical']);
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 2, 1]);
  });

  test('starts a block without dependencies after what precedes the node', async () => {
    const { client, completedGroups } = runPlan(
      sequence(rootFetch('first'), {
        kind: 'Defer',
        primary: {},
        deferred: [
          { depends: [], label: '1', queryPath: [], node: rootFetch('after', { serviceName: 'others' }) },
        ],
      }),
      { groupCount: 2 },
    );
    await waitForTurns();
    expect(client.calls).toHaveLength(1);
    client.calls[0]?.answer({ data: { first: 1 } });
    await waitForTurns();
    expect([completedGroups, client.calls[1]?.request.subgraph]).toEqual([[0], 'others']);
  });

  test('waits in a block for all parts of a fetch that was divided', async () => {
    const { client, completedGroups } = runPlan(
      {
        kind: 'Defer',
        primary: {
          node: parallel(
            rootFetch('product{__typename id}', { id: '0' }),
            rootFetch('other', { id: '0', serviceName: 'others' }),
          ),
        },
        deferred: [
          {
            depends: [{ id: '0' }],
            label: '1',
            queryPath: [],
            node: rootFetch('after', { serviceName: 'stock' }),
          },
        ],
      },
      { groupCount: 2 },
    );
    client.calls[1]?.answer({ data: { other: 1 } });
    await waitForTurns();
    expect(client.calls).toHaveLength(2);
    client.calls[0]?.answer({ data: { product: null } });
    await waitForTurns();
    expect([completedGroups, client.calls[2]?.request.subgraph]).toEqual([[0], 'stock']);
  });

  test('reports the error of a block in the delivery group of the block', async () => {
    const { client, execution } = runPlan(node, { groupCount: 3 });
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: null, errors: [{ message: 'no' }] });
    await waitForTurns();
    expect(execution.errors).toEqual([
      {
        path: ['product'],
        subgraph: 'stock',
        reason: { message: 'no' },
        group: 1,
        missing: new Set(['stock']),
        step: 1,
      },
    ]);
  });
});

describe('an entity at several paths', () => {
  const twice = (): PlanNode =>
    sequence(
      rootFetch('products{__typename id} product{__typename id}'),
      flattenAt('products.@', entityFetch('vendor{__typename id}')),
      flattenAt('product', entityFetch('vendor{__typename id}')),
    );

  test('is fetched once, and each path gets a separate object', async () => {
    const { client, execution, completedGroups } = runPlan(twice());
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1'), product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
    await waitForTurns();
    expect(client.calls).toHaveLength(2);
    expect(completedGroups).toEqual([0]);
    const vendor = { __typename: 'Vendor', id: 'v' };
    const product = { __typename: 'Product', id: '1', vendor };
    expect(execution.tree).toEqual({ products: [product], product });
    const { products: [first] = [], product: second } = execution.tree as {
      products: { vendor: object }[];
      product: { vendor: object };
    };
    expect(first?.vendor).not.toBe(second.vendor);
  });

  test('is merged into all objects of one path that differ in other fields', async () => {
    const { client, execution } = runPlan(
      sequence(rootFetch('products{__typename id name}'), flattenAt('products.@', entityFetch('stock'))),
    );
    const named = products('1', '1', '1').map((product, name) => ({ ...product, name }));
    client.calls[0]?.answer({ data: { products: named } });
    await waitForTurns();
    expect(representations(client)[1]).toEqual(products('1'));
    client.calls[1]?.answer({ data: { _entities: [{ stock: 7 }] } });
    await waitForTurns();
    expect(execution.tree).toEqual({ products: named.map((product) => ({ ...product, stock: 7 })) });
  });

  test('is fetched for objects that an earlier step has added at a path that was read before', async () => {
    const ofVendor = (field: string) =>
      entityFetch(field, {
        requires: productInputs('id').map((input) => ({ ...input, typeCondition: 'Vendor' })),
      });
    const { client } = runPlan(
      sequence(
        rootFetch('products{__typename id vendor{__typename id}}'),
        flattenAt('products.@.vendor', ofVendor('name')),
        flattenAt('products.@', entityFetch('vendor{__typename id}')),
        flattenAt('products.@.vendor', ofVendor('logo')),
      ),
    );
    const vendors = (...ids: string[]): object[] => ids.map((id) => ({ __typename: 'Vendor', id }));
    const [one, two] = products('1', '2');
    const answers = [
      {
        products: [
          { ...one, vendor: vendors('v1')[0] },
          { ...two, vendor: null },
        ],
      },
      { _entities: [{ name: 'n' }] },
      { _entities: [{}, { vendor: vendors('v2')[0] }] },
    ];
    for (const [number, data] of answers.entries()) {
      client.calls[number]?.answer({ data });
      await waitForTurns();
    }
    expect(representations(client)).toEqual(['root', vendors('v1'), products('1', '2'), vendors('v1', 'v2')]);
  });

  test.each([
    ['becomes one object at the paths of one list', false],
    ['stays the objects of a tree that is resumed, which the first response refers to', true],
  ])('%s', async (_, isResumed) => {
    const list = products('1', '1');
    const tree = { products: [...list] };
    const { client, execution } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
      isResumed ? { resume: { tree, steps: new Set([1]), errors: [] } } : {},
    );
    if (!isResumed) client.calls[0]?.answer({ data: tree });
    await waitForTurns();
    client.calls.at(-1)?.answer({ data: { _entities: [{ stock: 7 }] } });
    await waitForTurns();
    const [first, second] = execution.tree.products as object[];
    expect([first, second]).toEqual(products('1', '1').map((product) => ({ ...product, stock: 7 })));
    expect([first === list[0], second === list[1]]).toEqual([true, isResumed]);
  });

  test('is another one if its key differs in its second field', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('products{__typename id size row}'),
        flattenAt('products.@', entityFetch('stock', { requires: productInputs('id', 'size') })),
      ),
    );
    const sized = [1, 2, 1].map((size) => ({ ...products('1')[0], size }));
    client.calls[0]?.answer({ data: { products: sized.map((product, row) => ({ ...product, row })) } });
    await waitForTurns();
    expect(representations(client)[1]).toEqual(sized.slice(0, 2));
    client.calls[1]?.answer({ data: { _entities: [{ stock: 7 }, { stock: 8 }] } });
    await waitForTurns();
    expect(execution.tree).toMatchObject({ products: [{ stock: 7 }, { stock: 8 }, { stock: 7 }] });
  });

  test('is waited for by a step that also fetches other entities', async () => {
    const { client } = runPlan(
      parallel(
        sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
        sequence(
          rootFetch('more{__typename id}', { serviceName: 'others' }),
          flattenAt('more.@', entityFetch('stock')),
          rootFetch('after'),
        ),
      ),
    );
    client.calls[0]?.answer({ data: { products: products('1') } });
    await waitForTurns(3);
    client.calls[1]?.answer({ data: { more: products('1', '2') } });
    await waitForTurns();
    expect(representations(client).slice(2)).toEqual([products('1'), products('2')]);
    client.calls[3]?.answer({ data: { _entities: [{ stock: 2 }] } });
    await waitForTurns();
    expect(client.calls).toHaveLength(4);
    client.calls[2]?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    expect(client.calls).toHaveLength(5);
  });

  test('has its error at each path, also at a path that is reached after the failure', async () => {
    const { client, execution } = runPlan(twice());
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1', '1'), product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({
      data: { _entities: [null] },
      errors: [{ message: 'no', path: ['_entities', 0, 'vendor'] }],
    });
    await waitForTurns();
    expect(execution.errors.map(({ path }) => path)).toEqual([
      ['products', 0, 'vendor'],
      ['products', 1, 'vendor'],
      ['product', 'vendor'],
    ]);
  });

  test('has its error also at a path that is reached while the errors of its fetch are recorded in slices', async () => {
    const { client, execution } = runPlan(
      parallel(
        sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
        sequence(
          rootFetch('more{__typename id}', { serviceName: 'others' }),
          flattenAt('more', entityFetch('stock')),
        ),
      ),
    );
    const all = products(...Array.from({ length: 300 }, (_, id) => String(id)));
    client.calls[0]?.answer({ data: { products: all } });
    await waitForTurns(3);
    const clock = useUpTurns();
    client.calls[2]?.answer({
      data: { _entities: all.map(() => ({ stock: null })) },
      errors: all.map((_, index) => ({ message: 'no', path: ['_entities', index, 'stock'] })),
    });
    client.calls[1]?.answer({ data: { more: { ...all[299] } } });
    await waitForTurns(10);
    clock.mockRestore();
    expect(client.calls).toHaveLength(3);
    expect(execution.errors.map(({ path }) => path.join('.')).slice(299)).toEqual([
      'products.299.stock',
      'more.stock',
    ]);
  });

  test('has its own error beside an error of the whole fetch', async () => {
    const { client, execution } = runPlan(twice());
    client.calls[0]?.answer({ data: { products: products('1'), product: null } });
    await waitForTurns();
    client.calls[1]?.answer({
      data: { _entities: [null] },
      errors: [{ message: 'slow' }, { message: 'no', path: ['_entities', 0, 'vendor'] }],
    });
    await waitForTurns();
    expect(execution.errors.map(({ reason, path }) => [reason.message, path.join('.')])).toEqual([
      ['slow', 'products'],
      ['no', 'products.0.vendor'],
    ]);
  });

  test('has each of its errors at the path of its field', async () => {
    const { client, execution } = runPlan(twice());
    client.calls[0]?.answer({ data: { products: products('1'), product: null } });
    await waitForTurns();
    client.calls[1]?.answer({
      data: { _entities: [{ vendor: { id: null, name: null } }] },
      errors: ['id', 'name'].map((field) => ({ message: 'no', path: ['_entities', 0, 'vendor', field] })),
    });
    await waitForTurns();
    expect(execution.errors.map(({ path }) => path.join('.'))).toEqual([
      'products.0.vendor.id',
      'products.0.vendor.name',
    ]);
  });

  test.each([
    [['_entities', 0], ['product'], undefined],
    [['_entities', 0, 'vendor'], ['product', 'vendor'], ['product']],
  ])(
    'that is null with an error at %j lacks the fields of its fetch and of the fetches after it',
    async (path, ofError, lostObject) => {
      const { client, execution } = runPlan(
        sequence(
          rootFetch('product{__typename id}'),
          flattenAt('product', entityFetch('vendor{__typename id}')),
          flattenAt('product.vendor', entityFetch('rating{stars}', { serviceName: 'ratings' })),
        ),
      );
      client.calls[0]?.answer({ data: { product: products('1')[0] } });
      await waitForTurns();
      client.calls[1]?.answer({ data: { _entities: [null] }, errors: [{ message: 'no', path }] });
      await waitForTurns();
      expect(execution.errors).toMatchObject([
        { path: ofError, missing: new Set(['vendor', '__typename', 'id', 'rating', 'stars']) },
      ]);
      expect(execution.errors[0]?.lostObject).toEqual(lostObject);
    },
  );

  test('has the failure of its fetch at each path', async () => {
    const { client, execution } = runPlan(twice());
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1', '2'), product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: null, errors: [{ message: 'all' }] });
    await waitForTurns();
    expect(execution.errors.map(({ path }) => path)).toEqual([['products'], ['product']]);
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
    client.calls[0]?.answer({ data: { payloads: [{ id: '1' }, null, { id: '3' }] } });
    await waitForTurns();
    client.calls[1]?.answer({
      data: { shop__alias_0: 's' },
      errors: [{ message: 'no', path: ['shop__alias_0', 'name'] }],
    });
    await waitForTurns();
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
    client.calls[0]?.answer({ data: { products: listed, product: products('2')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [1, 2].map((stock) => ({ stock, name: 'n' })) } });
    await waitForTurns();
    expect(client.calls).toHaveLength(2);
    expect(pathsOf(execution)).toEqual(
      ['products.1', 'products.2', 'product'].flatMap((path) => [`0:${path}.stock`, `0:${path}.name`]),
    );
    expect(execution.errors).toEqual([]);
  });
});

describe('an entity of several delivery groups', () => {
  const node: PlanNode = {
    kind: 'Defer',
    primary: {
      node: sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
    },
    deferred: ['1', '2'].map((label) => ({
      depends: [],
      label,
      queryPath: [],
      node: sequence(
        rootFetch(`late${label}{__typename id}`, { serviceName: 'others' }),
        flattenAt(`late${label}`, entityFetch('stock')),
      ),
    })),
  };
  const answers = ['product', 'late1', 'late2'].map((field) => ({ [field]: products('1')[0] }));

  /** Responds to the calls with these numbers, in this order. */
  async function runInOrder(order: readonly number[]) {
    const run = runPlan(node, { groupCount: 3 });
    for (const number of order) {
      run.client.calls[number]?.answer({ data: answers[number] ?? { _entities: [{ stock: 1 }] } });
      await waitForTurns();
    }
    return run;
  }

  test('is fetched for each of them while a deferred fetch of it is under way, whose request may be slower', async () => {
    const { client, completedGroups } = await runInOrder([1, 2, 0, 5]);
    expect(representations(client)).toEqual(['root', 'root', 'root', ...Array(3).fill(products('1'))]);
    expect(completedGroups).toEqual([0]);
  });

  test.each([
    ['is for the primary data', [0, 1, 2, 3]],
    ['has ended', [1, 3, 0, 2]],
  ])('is fetched once if the first fetch of it %s', async (_, order) => {
    const { client, execution, completedGroups } = await runInOrder(order);
    expect([client.calls.length, completedGroups.toSorted()]).toEqual([4, [0, 1, 2]]);
    const product = { __typename: 'Product', id: '1', stock: 1 };
    expect(execution.tree).toEqual({ product, late1: product, late2: product });
  });

  test('is fetched once if the first fetch of it has ended with an error', async () => {
    const { client, execution } = await runInOrder([1]);
    client.calls[3]?.answer({
      data: { _entities: [{ stock: null }] },
      errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }],
    });
    await waitForTurns();
    for (const number of [0, 2]) {
      client.calls[number]?.answer({ data: answers[number] });
      await waitForTurns();
    }
    expect(client.calls).toHaveLength(4);
    expect(execution.errors.map(({ path }) => path.join('.'))).toEqual([
      'late1.stock',
      'product.stock',
      'late2.stock',
    ]);
  });

  test('is fetched once for several paths of a deferred one', async () => {
    const { client, completedGroups } = runPlan(
      {
        kind: 'Defer',
        primary: {},
        deferred: [
          {
            depends: [],
            label: '1',
            queryPath: [],
            node: sequence(
              rootFetch('product{__typename id} other{__typename id}'),
              parallel(flattenAt('product', entityFetch('stock')), flattenAt('other', entityFetch('stock'))),
            ),
          },
        ],
      },
      { groupCount: 2 },
    );
    const [product] = products('1');
    client.calls[0]?.answer({ data: { product, other: { ...product } } });
    await waitForTurns();
    expect(representations(client)).toEqual(['root', products('1')]);
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 1]);
  });
});

describe('an execution after releaseCompleted()', () => {
  test('still has the entities that remaining steps may need', async () => {
    const { client, execution, completedGroups } = runPlan(
      sequence(
        rootFetch('products{__typename id} product{__typename id}'),
        flattenAt('products.@', entityFetch('stock')),
        rootFetch('slow', { serviceName: 'others' }),
        flattenAt('product', entityFetch('stock')),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1'), product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ stock: 7 }] } });
    await waitForTurns();
    execution.releaseCompleted();
    client.calls[2]?.answer({ data: { slow: true } });
    await waitForTurns();
    expect(client.calls).toHaveLength(3);
    expect(completedGroups).toEqual([0]);
    expect(execution.tree).toMatchObject({ product: { id: '1', stock: 7 } });
  });

  test('still accepts results of fetches in flight', async () => {
    const { client, execution, completedGroups } = runPlan(
      sequence(
        rootFetch('products{__typename id}'),
        flattenAt('products.@', entityFetch('vendor{__typename id}')),
        flattenAt('products.@', entityFetch('stock')),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1') } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
    await waitForTurns();
    execution.releaseCompleted();
    client.calls[2]?.answer({ data: { _entities: [{ stock: 7 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0]);
    expect(execution.tree).toMatchObject({ products: [{ id: '1', vendor: { id: 'v' }, stock: 7 }] });
  });
});

describe('objects whose type the schema alone decides', () => {
  const rootTypes = `
    type Query { products: [Product] book: Book media: Media }
  `;
  const media = {
    requires: [
      {
        kind: 'InlineFragment' as const,
        typeCondition: 'Media',
        selections: [
          { kind: 'Field' as const, name: '__typename' },
          { kind: 'Field' as const, name: 'id' },
        ],
      },
    ],
  };

  test('are fetched without __typename, and their representations have it', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('products{__typename id}'),
        flattenAt('products.@', entityFetch('vendor{__typename id}')),
      ),
      { rootTypes },
    );
    await waitForTurns();
    expect(client.calls[0]?.body.query).toBe('{products{id}}');
    client.calls[0]?.answer({ data: { products: [{ id: '1' }, { id: '2' }, { id: '1' }, null] } });
    await waitForTurns();
    expect(representations(client)[1]).toEqual(products('1', '2'));
    client.calls[1]?.answer({ data: { _entities: [{ vendor: null }, { vendor: { id: 'v' } }] } });
    await waitForTurns();
    const [first, second] = [
      { id: '1', vendor: null },
      { id: '2', vendor: { id: 'v' } },
    ];
    expect(execution.tree).toEqual({ products: [first, second, first, null] });
  });

  test('have it in the representations for a subgraph that knows their interface as an @interfaceObject', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('book{__typename id} media{__typename id}'),
        parallel(
          flattenAt('book', entityFetch('stars', media)),
          flattenAt(
            'book',
            entityFetch('rank', {
              ...media,
              serviceName: 'ranks',
              inputRewrites: [
                { kind: 'ValueSetter', path: ['... on Book', '__typename'], setValueTo: 'Media' },
              ],
            }),
          ),
          flattenAt('media', entityFetch('likes', { ...media, serviceName: 'likes' })),
        ),
      ),
      { rootTypes },
    );
    await waitForTurns();
    expect(client.calls[0]?.body.query).toBe('{book{id} media{__typename id}}');
    client.calls[0]?.answer({ data: { book: { id: 'b' }, media: { __typename: 'Film', id: 'f' } } });
    await waitForTurns();
    expect(representations(client).slice(1)).toEqual([
      [{ __typename: 'Book', id: 'b' }],
      [{ __typename: 'Media', id: 'b' }],
      [{ __typename: 'Film', id: 'f' }],
    ]);
    client.calls[1]?.answer({ data: { _entities: [{ stars: 5 }] } });
    await waitForTurns();
    expect(execution.tree).toMatchObject({ book: { id: 'b', stars: 5 } });
  });

  test('have it in representations after the fetch of an optional input has failed', async () => {
    const [{ typeCondition, selections }] = media.requires as [(typeof media.requires)[0]];
    const pages = { kind: 'Field' as const, name: 'pages', isOptional: true };
    const requires = [{ kind: 'InlineFragment' as const, typeCondition, selections: [...selections, pages] }];
    const { client } = runPlan(
      sequence(
        rootFetch('book{__typename id pages}'),
        flattenAt('book', entityFetch('pages', { ...media, serviceName: 'pages' })),
        flattenAt('book', entityFetch('stars', { requires })),
      ),
      { rootTypes },
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { book: { id: 'b', pages: 7 } } });
    await waitForTurns();
    client.calls[1]?.answer({ errors: [{ message: 'broken' }] });
    await waitForTurns();
    expect(representations(client)[2]).toEqual([{ __typename: 'Book', id: 'b', pages: 7 }]);
  });
});

describe('merging into the response tree', () => {
  test('never replaces a value by null, and ignores missing values', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('product{__typename id size{w}}'),
        flattenAt('product', entityFetch('size{w h} name', { serviceName: 'a' })),
        flattenAt('product', entityFetch('size{w h} name', { serviceName: 'b' })),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: { ...products('1')[0], size: { w: 1 } } } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ size: { w: null, h: 2 }, name: 'n' }] } });
    await waitForTurns();
    client.calls[2]?.answer({ data: { _entities: [{ size: null }] } });
    await waitForTurns();
    expect(execution.tree).toEqual({
      product: { __typename: 'Product', id: '1', size: { w: 1, h: 2 }, name: 'n' },
    });
  });

  test("never replaces a runtime type by an @interfaceObject's __typename, but the other way round", async () => {
    const requires = [
      {
        kind: 'InlineFragment' as const,
        typeCondition: 'Media',
        selections: [
          { kind: 'Field' as const, name: '__typename' },
          { kind: 'Field' as const, name: 'id' },
        ],
      },
    ];
    const { client, execution } = runPlan(
      sequence(
        rootFetch('media{__typename id}'),
        flattenAt('media', entityFetch('__typename title', { serviceName: 'owner', requires })),
        flattenAt('media', entityFetch('__typename stars', { serviceName: 'ratings', requires })),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { media: { __typename: 'Media', id: '1' } } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ __typename: 'Book', title: 't' }] } });
    await waitForTurns();
    client.calls[2]?.answer({ data: { _entities: [{ __typename: 'Media', stars: 5 }] } });
    await waitForTurns();
    expect(execution.tree).toEqual({ media: { __typename: 'Book', id: '1', title: 't', stars: 5 } });
  });

  test('applies input rewrites to representations only, and output rewrites to the result', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt(
          'product',
          entityFetch('name__alias_0:name', {
            inputRewrites: [
              { kind: 'ValueSetter', path: ['... on Product', '__typename'], setValueTo: 'Thing' },
            ],
            outputRewrites: [
              { kind: 'KeyRenamer', path: ['... on Vendor', 'name__alias_0'], renameKeyTo: 'firm' },
              { kind: 'KeyRenamer', path: ['... on Product', 'name__alias_0'], renameKeyTo: 'name' },
            ],
          }),
        ),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(representations(client)[1]).toEqual([{ __typename: 'Thing', id: '1' }]);
    client.calls[1]?.answer({ data: { _entities: [{ name__alias_0: 'n' }] } });
    await waitForTurns();
    expect(execution.tree).toEqual({ product: { __typename: 'Product', id: '1', name: 'n' } });
  });

  test('treats keys such as __proto__ and toString as ordinary keys', async () => {
    const { client, execution } = runPlan(
      sequence(
        rootFetch('product{__typename id}'),
        flattenAt(
          'product',
          entityFetch('name', {
            operation:
              'query($representations:[_Any!]!){_entities(representations:$representations){...on Product{__proto__:name constructor:name}}}',
          }),
        ),
      ),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({
      data: { _entities: [JSON.parse('{"__proto__":{"polluted":true},"constructor":"c"}')] },
    });
    await waitForTurns();
    expect(JSON.stringify(execution.tree)).toBe(
      '{"product":{"__typename":"Product","id":"1","__proto__":{"polluted":true},"constructor":"c"}}',
    );
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
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
  client.calls[0]?.answer({ data: { product: products('1')[0] } });
  await waitForTurns();
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

describe('a cancelled execution', () => {
  test('does not send fetches that are collected but not sent yet', async () => {
    const { execution, client, completedGroups } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    client.calls[0]?.answer({ data: { products: products('1') } });
    execution.cancel();
    await waitForTurns(2);
    expect(client.calls).toHaveLength(1);
    expect(completedGroups).toEqual([]);
  });

  test('does not start the next step', async () => {
    const { execution, client } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1') } });
    execution.cancel();
    await waitForTurns(2);
    expect(client.calls).toHaveLength(1);
  });

  test('cancels its calls under way, and none that have ended', async () => {
    const { execution, client } = runPlan(
      sequence(
        rootFetch('products{__typename id}'),
        parallel(
          flattenAt('products.@', entityFetch('stock')),
          flattenAt('products.@', entityFetch('price', { serviceName: 'prices' })),
        ),
      ),
    );
    client.calls[0]?.answer({ data: { products: products('1') } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    execution.cancel();
    expect(client.calls.map(({ isCancelled }) => isCancelled)).toEqual([false, false, true]);
  });
});

test('a released execution ignores the results of its fetches', async () => {
  const { execution, client, completedGroups } = runPlan(
    sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
  );
  execution.release();
  client.calls[0]?.answer({ data: { products: products('1') } });
  await waitForTurns(2);
  expect([client.calls.length, execution.tree, completedGroups]).toEqual([1, {}, []]);
});

describe('a plan that splitProgramByPaths divides for @defer', () => {
  const schema = schemaOf(`
    type Query { product: Product reviews: [Review] }
    type Product { id: ID! stock: Int slow: Int }
    type Review { id: ID! product: Product }
  `);

  test('lets each payload wait for its own fetches, and starts fetches when their inputs are there', async () => {
    const { root, deferred } = normalizeText(
      schema,
      '{ product { stock ... @defer { slow } } ... @defer { reviews { product { stock } } } }',
    );
    const { client, completedGroups } = runPlan(
      sequence(
        parallel(
          rootFetch('product{__typename id}'),
          rootFetch('reviews{product{__typename id}}', { serviceName: 'reviews' }),
        ),
        parallel(
          flattenAt('product', entityFetch('stock')),
          flattenAt('product', entityFetch('slow', { serviceName: 'slow' })),
          flattenAt('reviews.@.product', entityFetch('stock')),
        ),
      ),
      { root, groupCount: deferred.length + 1 },
    );
    await waitForTurns();
    expect(client.calls.map(({ request }) => request.subgraph)).toEqual(['products', 'reviews']);
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(
      client.calls
        .map(({ request }) => request.subgraph)
        .slice(2)
        .sort(),
    ).toEqual(['slow', 'stock']);
    const callTo = (subgraph: string) => client.calls.find(({ request }) => request.subgraph === subgraph);
    callTo('stock')?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0]);
    callTo('slow')?.answer({ data: { _entities: [{ slow: 1 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 2]);
    callTo('reviews')?.answer({ data: { reviews: [{ product: products('1')[0] }] } });
    await waitForTurns();
    expect([...completedGroups].sort()).toEqual([0, 1, 2]);
    expect(client.calls).toHaveLength(4);
  });
});

test('a step with @fromContext arguments waits for all steps before it', async () => {
  const schema = schemaOf(
    'type Query { user: User } type User { locale: String product: Product } type Product { id: ID! text: String }',
  );
  const { root, deferred } = normalizeText(schema, '{ user { locale ... @defer { product { text } } } }');
  const { client } = runPlan(
    sequence(
      rootFetch('user{product{__typename id}}'),
      rootFetch('user{locale}', { serviceName: 'locales' }),
      flattenAt(
        'user.product',
        entityFetch('text(l:$ctx)', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{text(l:$ctx)}}}',
        }),
      ),
    ),
    { root, groupCount: deferred.length + 1 },
  );
  await waitForTurns();
  const callTo = (subgraph: string) => client.calls.find(({ request }) => request.subgraph === subgraph);
  callTo('products')?.answer({ data: { user: { product: products('1')[0] } } });
  await waitForTurns();
  expect(callTo('stock')).toBeUndefined();
  callTo('locales')?.answer({ data: { user: { locale: 'de' } } });
  await waitForTurns();
  expect(callTo('stock')?.body.variables).toEqual({ representations: products('1'), ctx: 'de' });
});

test('a @fromContext argument is read from the entity of the fetch when the context is the entity itself', async () => {
  const schema = schemaOf(
    'type Query { user: User } type User { product: Product } type Product { id: ID! locale: String label: Label } type Label { text: String }',
  );
  const { root } = normalizeText(schema, '{ user { product { label { text } } } }');
  const { client } = runPlan(
    sequence(
      rootFetch('user{product{__typename id locale}}'),
      flattenAt(
        'user.product',
        entityFetch('label{text(l:$ctx)}', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{label{text(l:$ctx)}}}}',
        }),
      ),
    ),
    { root },
  );
  await waitForTurns();
  client.calls[0]?.answer({ data: { user: { product: { __typename: 'Product', id: '1', locale: 'de' } } } });
  await waitForTurns();
  expect(client.calls[1]?.body.variables).toEqual({ representations: products('1'), ctx: 'de' });
});

test('objects of one entity have separate values where a @fromContext argument differs', async () => {
  const { client, execution } = runPlan(
    sequence(
      rootFetch('users{locale product{__typename id}}'),
      flattenAt('users.@.product', entityFetch('vendor{__typename id}')),
      flattenAt(
        'users.@.product.vendor',
        entityFetch('text(l:$ctx)', {
          requires: productInputs('id').map((fragment) => ({ ...fragment, typeCondition: 'Vendor' })),
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', '..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Vendor{text(l:$ctx)}}}',
        }),
      ),
    ),
  );
  const users = ['de', 'en'].map((locale) => ({ locale, product: { ...products('1')[0] } }));
  client.calls[0]?.answer({ data: { users } });
  await waitForTurns();
  client.calls[1]?.answer({ data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
  await waitForTurns();
  client.calls[2]?.answer({ data: { _e0: [{ text: 'de' }], _e1: [{ text: 'en' }] } });
  await waitForTurns();
  expect(execution.tree).toMatchObject({
    users: [{ product: { vendor: { text: 'de' } } }, { product: { vendor: { text: 'en' } } }],
  });
});

test('only objects whose @fromContext arguments have a value, or null, are fetched', async () => {
  const { client, completedGroups } = runPlan(
    sequence(
      rootFetch('users{locale product{__typename id}}'),
      flattenAt(
        'users.@.product',
        entityFetch('text(l:$ctx)', {
          contextRewrites: [{ kind: 'KeyRenamer', path: ['..', 'locale'], renameKeyTo: 'ctx' }],
          variableUsages: ['ctx'],
          operation:
            'query($representations:[_Any!]!,$ctx:String){_entities(representations:$representations){...on Product{text(l:$ctx)}}}',
        }),
      ),
    ),
  );
  await waitForTurns();
  const [one, two] = products('1', '2');
  client.calls[0]?.answer({ data: { users: [{ product: one }, { locale: null, product: two }] } });
  await waitForTurns();
  expect(client.calls.slice(1).map(({ body }) => body.variables)).toEqual([
    { representations: products('2'), ctx: null },
  ]);
  client.calls[1]?.answer({ data: { _entities: [{ text: 'two' }] } });
  await waitForTurns();
  expect(completedGroups).toEqual([0]);
});

test('the source of a field that was not fetched, because no fetch brings its input, is the fetch of the field', async () => {
  const { client, execution } = runPlan(
    sequence(rootFetch('product{__typename}'), flattenAt('product', entityFetch('id stock'))),
  );
  const product = { __typename: 'Product' };
  client.calls[0]?.answer({ data: { product } });
  await waitForTurns();
  expect(client.calls).toHaveLength(1);
  expect(execution.sourceOf('product.stock', product)).toEqual({ path: 'product.stock', subgraph: 'stock' });
});

test.each([
  ['none of its strings needs an escape sequence', true, true, true],
  ['a string of a root field needs one', false, true, false],
  ['a string of an entity needs one', true, false, false],
])('the response tree knows whether %s', async (_, ofRoot, ofEntity, expected) => {
  const { client, execution } = runPlan(
    sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
  );
  client.calls[0]?.answer({ data: { product: products('1')[0] }, isEscapeFree: ofRoot });
  await waitForTurns();
  client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }] }, isEscapeFree: ofEntity });
  await waitForTurns();
  expect(execution.isEscapeFree).toBe(expected);
  execution.addToTree({ __schema: { description: '"quoted"' } });
  expect(execution.isEscapeFree).toBe(false);
});
