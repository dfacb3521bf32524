import { describe, expect, test } from '@jest/globals';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';
import { flattenAt, parallel, products, representations, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

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
    await client.answer(0, { data: { products: products('1', '2') } });
    expect(representations(client)).toEqual(['root', products('1', '2')]);
    expect(completedGroups).toEqual([]);
    await client.answer(1, { data: { _entities: [{ stock: 1 }, { stock: 2 }] } });
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
    await client.answer(2, { errors: [{ message: 'broken' }] });
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
    await client.answer(0, { data: { product: products('1')[0] } });
    expect(client.calls).toHaveLength(2);
    await client.answer(1, { data: { other: 1 } });
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
      await client.answer(number, { data });
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
        await client.answer(index, { data }, 3);
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
      await client.answer(0, { data: { first: null }, errors: [{ message: 'broken', path: ['first'] }] }, 3);
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
      await client.answer(0, { data: { payload } });
      await client.answer(1, { data: { after: 1 } });
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
    await client.answer(0, { data: { payloads: [{ id: '1' }, { id: '2' }] } });
    await client.answer(1, { data: { shop: { name: 'n' } } });
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
    await client.answer(0, { data: { product: null } });
    expect(client.calls.map(({ request }) => request.subgraph)).toEqual(['products', 'others']);
    await client.answer(1, { data: { after: 1 } });
    expect(completedGroups).toEqual([0]);
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
    await client.answer(0, { data: { product: products('1')[0] } });
    expect(completedGroups).toEqual([0, 2]);
    expect(client.calls.map(({ request }) => request.priority)).toEqual(['primary', 'critical']);
    await client.answer(1, { data: { _entities: [{ stock: 1 }] } });
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
    await client.answer(0, { data: { first: 1 } });
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
    await client.answer(1, { data: { other: 1 } });
    expect(client.calls).toHaveLength(2);
    await client.answer(0, { data: { product: null } });
    expect([completedGroups, client.calls[2]?.request.subgraph]).toEqual([[0], 'stock']);
  });

  test('reports the error of a block in the delivery group of the block', async () => {
    const { client, execution } = runPlan(node, { groupCount: 3 });
    await waitForTurns();
    await client.answer(0, { data: { product: products('1')[0] } });
    await client.answer(1, { data: null, errors: [{ message: 'no' }] });
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
    await client.answer(0, { data: { products: products('1'), product: products('1')[0] } });
    await client.answer(1, { data: { _entities: [{ stock: 7 }] } });
    execution.releaseCompleted();
    await client.answer(2, { data: { slow: true } });
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
    await client.answer(0, { data: { products: products('1') } });
    await client.answer(1, { data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
    execution.releaseCompleted();
    await client.answer(2, { data: { _entities: [{ stock: 7 }] } });
    expect(completedGroups).toEqual([0]);
    expect(execution.tree).toMatchObject({ products: [{ id: '1', vendor: { id: 'v' }, stock: 7 }] });
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
    await client.answer(0, { data: { product: { ...products('1')[0], size: { w: 1 } } } });
    await client.answer(1, { data: { _entities: [{ size: { w: null, h: 2 }, name: 'n' }] } });
    await client.answer(2, { data: { _entities: [{ size: null }] } });
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
    await client.answer(0, { data: { media: { __typename: 'Media', id: '1' } } });
    await client.answer(1, { data: { _entities: [{ __typename: 'Book', title: 't' }] } });
    await client.answer(2, { data: { _entities: [{ __typename: 'Media', stars: 5 }] } });
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
    await client.answer(0, { data: { product: products('1')[0] } });
    expect(representations(client)[1]).toEqual([{ __typename: 'Thing', id: '1' }]);
    await client.answer(1, { data: { _entities: [{ name__alias_0: 'n' }] } });
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
    await client.answer(0, { data: { product: products('1')[0] } });
    await client.answer(1, {
      data: { _entities: [JSON.parse('{"__proto__":{"polluted":true},"constructor":"c"}')] },
    });
    expect(JSON.stringify(execution.tree)).toBe(
      '{"product":{"__typename":"Product","id":"1","__proto__":{"polluted":true},"constructor":"c"}}',
    );
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
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
    await client.answer(0, { data: { products: products('1') } });
    await client.answer(1, { data: { _entities: [{ stock: 1 }] } });
    execution.cancel();
    expect(client.calls.map(({ isCancelled }) => isCancelled)).toEqual([false, false, true]);
  });
});

test('a released execution ignores the results of its fetches', async () => {
  const { execution, client, completedGroups } = runPlan(
    sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
  );
  execution.release();
  await client.answer(0, { data: { products: products('1') } }, 2);
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
    await client.answer(0, { data: { product: products('1')[0] } });
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

test.each([
  ['none of its strings needs an escape sequence', true, true, true],
  ['a string of a root field needs one', false, true, false],
  ['a string of an entity needs one', true, false, false],
])('the response tree knows whether %s', async (_, ofRoot, ofEntity, expected) => {
  const { client, execution } = runPlan(
    sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
  );
  await client.answer(0, { data: { product: products('1')[0] }, isEscapeFree: ofRoot });
  await client.answer(1, { data: { _entities: [{ stock: 1 }] }, isEscapeFree: ofEntity });
  expect(execution.isEscapeFree).toBe(expected);
  execution.addToTree({ __schema: { description: '"quoted"' } });
  expect(execution.isEscapeFree).toBe(false);
});
