import { describe, expect, test } from '@jest/globals';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import type { FakeSubgraphClient } from '../../harness/fakeSubgraphClient.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';
import { flattenAt, parallel, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const products = (...ids: string[]): object[] => ids.map((id) => ({ __typename: 'Product', id }));
const representations = (client: FakeSubgraphClient): unknown[] =>
  client.calls.map(({ body }) => body.variables.representations ?? 'root');

describe('the order of fetches', () => {
  test('Sequence: what follows waits for what comes before', async () => {
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

  test('Parallel: all at once, and what follows waits for the last', async () => {
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

  test.each([
    [{ v: true }, ['yes']],
    [{ v: false }, ['no']],
    [{}, ['no']],
  ])('Condition: %j', async (booleans, asked) => {
    const { client } = runPlan(
      { kind: 'Condition', condition: 'v', ifClause: rootFetch('yes'), elseClause: rootFetch('no') },
      { booleans },
    );
    await waitForTurns();
    expect(client.calls.map(({ body }) => body.query)).toEqual(asked.map((field) => `{${field}}`));
  });

  test('Condition: nothing to do is done at once', () => {
    const { completedGroups } = runPlan({
      kind: 'Condition',
      condition: 'v',
      ifClause: rootFetch('yes'),
    });
    expect(completedGroups).toEqual([0]);
  });

  test('a step whose objects are all absent asks nothing, and what follows it goes on', async () => {
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

describe('an answer that is not what was asked for', () => {
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
  ])('has no entities where the plan sees an object and there is %s', async (_, product) => {
    const { client, completedGroups, faults } = runPlan(
      sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product } });
    await waitForTurns();
    expect([client.calls.length, completedGroups, faults]).toEqual([1, [0], []]);
  });

  test('fails the fetch that would have to merge lists deeper than a stack', async () => {
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

  test('tells an entity that is no object', async () => {
    const { client, execution } = runPlan(
      sequence(rootFetch('product{__typename id}'), flattenAt('product', entityFetch('stock'))),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: { _entities: [['stock']] } });
    await waitForTurns();
    expect(execution.errors).toEqual([
      expect.objectContaining({
        path: ['product'],
        reason: expect.objectContaining({ code: 'SUBGRAPH_INVALID_RESPONSE' }),
      }),
    ]);
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
  test('completes its groups one by one: a block without a fetch with the one that it depends on', async () => {
    const { client, completedGroups } = runPlan(node, { groupCount: 3 });
    await waitForTurns();
    client.calls[0]?.answer({ data: { product: products('1')[0] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 2]);
    client.calls[1]?.answer({ data: { _entities: [{ stock: 1 }] } });
    await waitForTurns();
    expect(completedGroups).toEqual([0, 2, 1]);
  });

  test('gives the error of a block to the group of the block', async () => {
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

describe('an entity that is asked for at several places', () => {
  const twice = (): PlanNode =>
    sequence(
      rootFetch('products{__typename id} product{__typename id}'),
      flattenAt('products.@', entityFetch('vendor{__typename id}')),
      flattenAt('product', entityFetch('vendor{__typename id}')),
    );

  test('is asked for once, and each place has an object of its own', async () => {
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

  test('tells its error at each place, also at one that asks when it has failed already', async () => {
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

  test('tells the failure of its fetch at each path', async () => {
    const { client, execution } = runPlan(twice());
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1', '2'), product: products('1')[0] } });
    await waitForTurns();
    client.calls[1]?.answer({ data: null, errors: [{ message: 'all' }] });
    await waitForTurns();
    expect(execution.errors.map(({ path }) => path)).toEqual([['products'], ['product']]);
  });
});

describe('an execution that lets go of what has ended', () => {
  test('still knows the entities that a step which is left may ask for again', async () => {
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

  test('takes what was under way', async () => {
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

describe('what is merged', () => {
  test('a null that arrives later replaces nothing, and a missing value is no value', async () => {
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

  test("an @interfaceObject's __typename never replaces a runtime type, and gives way to one", async () => {
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

  test('input rewrites change what is sent and not what is there; output rewrites the answer', async () => {
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

  test('keys that every object has mean nothing but themselves', async () => {
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

describe('a client that leaves', () => {
  test('before the collected fetches are sent: they are not sent', async () => {
    const { execution, client, completedGroups } = runPlan(rootFetch('products{__typename id}'));
    execution.cancel();
    await waitForTurns(2);
    expect(client.calls).toHaveLength(0);
    expect(completedGroups).toEqual([]);
  });

  test('between two steps: the second is not sent', async () => {
    const { execution, client } = runPlan(
      sequence(rootFetch('products{__typename id}'), flattenAt('products.@', entityFetch('stock'))),
    );
    await waitForTurns();
    client.calls[0]?.answer({ data: { products: products('1') } });
    execution.cancel();
    await waitForTurns(2);
    expect(client.calls).toHaveLength(1);
  });
});

describe('a plan that the executor divides by itself', () => {
  const schema = schemaOf(`
    type Query { product: Product reviews: [Review] }
    type Product { id: ID! stock: Int slow: Int }
    type Review { id: ID! product: Product }
  `);

  test('lets each payload wait for what feeds it, and fetches start when their inputs are there', async () => {
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

test('a step with values from context waits for all that the plan runs before it', async () => {
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
