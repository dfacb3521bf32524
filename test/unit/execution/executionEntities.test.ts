import { describe, expect, test } from '@jest/globals';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { entityFetch, productInputs, rootFetch } from '../../harness/fetchNodes.ts';
import { flattenAt, parallel, products, representations, runPlan, sequence } from '../../harness/runPlan.ts';
import { useUpTurns } from '../../harness/useUpTurns.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

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
    await client.answer(0, { data: { products: products('1'), product: products('1')[0] } });
    await client.answer(1, { data: { _entities: [{ vendor: { __typename: 'Vendor', id: 'v' } }] } });
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
    await client.answer(0, { data: { products: named } });
    expect(representations(client)[1]).toEqual(products('1'));
    await client.answer(1, { data: { _entities: [{ stock: 7 }] } });
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
      await client.answer(number, { data });
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
    await client.answer(0, { data: { products: sized.map((product, row) => ({ ...product, row })) } });
    expect(representations(client)[1]).toEqual(sized.slice(0, 2));
    await client.answer(1, { data: { _entities: [{ stock: 7 }, { stock: 8 }] } });
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
    await client.answer(0, { data: { products: products('1') } }, 3);
    await client.answer(1, { data: { more: products('1', '2') } });
    expect(representations(client).slice(2)).toEqual([products('1'), products('2')]);
    await client.answer(3, { data: { _entities: [{ stock: 2 }] } });
    expect(client.calls).toHaveLength(4);
    await client.answer(2, { data: { _entities: [{ stock: 1 }] } });
    expect(client.calls).toHaveLength(5);
  });

  test('has its error at each path, also at a path that is reached after the failure', async () => {
    const { client, execution } = runPlan(twice());
    await waitForTurns();
    await client.answer(0, { data: { products: products('1', '1'), product: products('1')[0] } });
    await client.answer(1, {
      data: { _entities: [null] },
      errors: [{ message: 'no', path: ['_entities', 0, 'vendor'] }],
    });
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
    await client.answer(0, { data: { products: all } }, 3);
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
    await client.answer(0, { data: { products: products('1'), product: null } });
    await client.answer(1, {
      data: { _entities: [null] },
      errors: [{ message: 'slow' }, { message: 'no', path: ['_entities', 0, 'vendor'] }],
    });
    expect(execution.errors.map(({ reason, path }) => [reason.message, path.join('.')])).toEqual([
      ['slow', 'products'],
      ['no', 'products.0.vendor'],
    ]);
  });

  test('has each of its errors at the path of its field', async () => {
    const { client, execution } = runPlan(twice());
    await client.answer(0, { data: { products: products('1'), product: null } });
    await client.answer(1, {
      data: { _entities: [{ vendor: { id: null, name: null } }] },
      errors: ['id', 'name'].map((field) => ({ message: 'no', path: ['_entities', 0, 'vendor', field] })),
    });
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
      await client.answer(0, { data: { product: products('1')[0] } });
      await client.answer(1, { data: { _entities: [null] }, errors: [{ message: 'no', path }] });
      expect(execution.errors).toMatchObject([
        { path: ofError, missing: new Set(['vendor', '__typename', 'id', 'rating', 'stars']) },
      ]);
      expect(execution.errors[0]?.lostObject).toEqual(lostObject);
    },
  );

  test('has the failure of its fetch at each path', async () => {
    const { client, execution } = runPlan(twice());
    await waitForTurns();
    await client.answer(0, { data: { products: products('1', '2'), product: products('1')[0] } });
    await client.answer(1, { data: null, errors: [{ message: 'all' }] });
    expect(execution.errors.map(({ path }) => path)).toEqual([['products'], ['product']]);
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
    await client.answer(3, {
      data: { _entities: [{ stock: null }] },
      errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }],
    });
    for (const number of [0, 2]) {
      await client.answer(number, { data: answers[number] });
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
    await client.answer(0, { data: { product, other: { ...product } } });
    expect(representations(client)).toEqual(['root', products('1')]);
    await client.answer(1, { data: { _entities: [{ stock: 1 }] } });
    expect(completedGroups).toEqual([0, 1]);
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
    await client.answer(0, { data: { products: [{ id: '1' }, { id: '2' }, { id: '1' }, null] } });
    expect(representations(client)[1]).toEqual(products('1', '2'));
    await client.answer(1, { data: { _entities: [{ vendor: null }, { vendor: { id: 'v' } }] } });
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
    await client.answer(0, { data: { book: { id: 'b' }, media: { __typename: 'Film', id: 'f' } } });
    expect(representations(client).slice(1)).toEqual([
      [{ __typename: 'Book', id: 'b' }],
      [{ __typename: 'Media', id: 'b' }],
      [{ __typename: 'Film', id: 'f' }],
    ]);
    await client.answer(1, { data: { _entities: [{ stars: 5 }] } });
    expect(execution.tree).toMatchObject({ book: { id: 'b', stars: 5 } });
  });

  test('have it in representations after one of two fetches of an input has failed', async () => {
    const [{ typeCondition, selections }] = media.requires as [(typeof media.requires)[0]];
    const pages = { kind: 'Field' as const, name: 'pages' };
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
    await client.answer(0, { data: { book: { id: 'b', pages: 7 } } });
    await client.answer(1, { errors: [{ message: 'broken' }] });
    expect(representations(client)[2]).toEqual([{ __typename: 'Book', id: 'b', pages: 7 }]);
  });
});
