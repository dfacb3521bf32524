import { describe, expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { parseFlattenPath } from '../../../gateway/execution/flattenPath.ts';
import { omitTypenames } from '../../../gateway/execution/omitTypenames.ts';
import type { FetchNode, RequiresSelection } from '../../../gateway/planning/queryPlan.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';

const schema = buildSchema(`
  type Query { product: Product products: [[Product!]!] media: Media search: [Found] node: Node }
  type Mutation { rename: Renamed }
  type Subscription { renamed: Product }
  type Renamed { product: Product query: Query }
  type Product { id: ID! name: String vendor: Vendor size: Size media: Media }
  type Vendor { id: ID! name: String products: [Product] }
  type Size { w: Int }
  interface Media { id: ID! vendor: Vendor }
  type Book implements Media { id: ID! vendor: Vendor pages: Int }
  type Film implements Media { id: ID! vendor: Vendor }
  union Found = Product | Vendor
  interface Node { id: ID! owner: Owner }
  interface Owner { id: ID! }
  type User implements Owner { id: ID! }
  type Team implements Owner { id: ID! }
  type Post implements Node { id: ID! owner: User }
  type Page implements Node { id: ID! owner: Team }
`);

type Located = FetchNode | readonly [path: string, fetch: FetchNode];

function omit(...located: Located[]) {
  return omitTypenames(
    located.map((one) => {
      const [path, fetch] = 'kind' in one ? ['', one] : one;
      return { fetch, path: parseFlattenPath(path === '' ? [] : path.split('.')) };
    }),
    schema,
  );
}

/** The operations that are sent; of entity fetches, what they select of the entities. */
const operationsOf = (...located: Located[]): string[] =>
  omit(...located).map(({ fetch }) => fetch.operation.replace(/^.*_entities\(.*?\)\{(.*)\}\}$/, '$1'));

const keyOf = (typeCondition: string, ...more: RequiresSelection[]): Partial<FetchNode> => ({
  requires: [
    {
      kind: 'InlineFragment',
      typeCondition,
      selections: [{ kind: 'Field', name: '__typename' }, { kind: 'Field', name: 'id' }, ...more],
    },
  ],
});

const entitiesOn = (type: string, fields: string, options: Partial<FetchNode> = {}): FetchNode =>
  entityFetch('', {
    operation: `query($representations:[_Any!]!){_entities(representations:$representations){...on ${type}{${fields}}}}`,
    ...options,
  });

test('__typename is removed from objects whose type the schema alone decides, at any depth and in lists', () => {
  expect(
    operationsOf(rootFetch('product{__typename id vendor{id __typename name}} products{name __typename}')),
  ).toEqual(['{product{id vendor{id name}} products{name }}']);
  expect(
    operationsOf(
      rootFetch('product{__typename id}'),
      ['product', entitiesOn('Product', '__typename vendor{__typename id}')],
      ['product.vendor', entitiesOn('Vendor', 'products{__typename id}', keyOf('Vendor'))],
    ),
  ).toEqual(['{product{id}}', '...on Product{vendor{id}}', '...on Vendor{products{id}}']);
});

test.each([
  ['of a mutation', 'mutation', 'rename{__typename product{__typename id}}', 'rename{product{id}}'],
  ['of a subscription', 'subscription', '__typename renamed{__typename id}', 'renamed{id}'],
])('__typename is removed from the objects %s', (_, operationKind, before, after) => {
  const fetch = { operationKind } as Pick<FetchNode, 'operationKind'>;
  expect(operationsOf(rootFetch('', { ...fetch, operation: `${operationKind} Name{${before}}` }))).toEqual([
    `${operationKind} Name{${after}}`,
  ]);
});

test('__typename is removed from the objects of a root fetch below the root', () => {
  expect(
    operationsOf(
      rootFetch('', { operationKind: 'mutation', operation: 'mutation{rename{query{__typename}}}' }),
      ['rename.query', rootFetch('product{__typename id}')],
    ),
  ).toEqual(['mutation{rename{query{__typename}}}', '{product{id}}']);
});

describe('__typename is kept', () => {
  test.each([
    ['of an interface', 'media{__typename id}'],
    ['of a union, and in fragments on its members', 'search{__typename ...on Product{__typename id}}'],
    ['where it is all that is selected', 'product{__typename}'],
    ['where it is all that a fragment selects', 'product{...on Product{__typename} id}'],
    ['where it has an alias or a directive', 'product{id a:__typename __typename@include(if:true)}'],
    ['of a type that the API schema hides, and below it', 'hidden{__typename id product{__typename id}}'],
    ['of a hidden type in a fragment', 'media{...on Hidden{product{__typename id}}}'],
  ])('%s', (_, fields) => {
    expect(operationsOf(rootFetch(fields))).toEqual([`{${fields}}`]);
  });

  test('at a path where objects have different types by the types of their parents', () => {
    const fields = 'node{__typename ...on Post{owner{__typename id}} ...on Page{owner{__typename id}}}';
    expect(operationsOf(rootFetch(fields))).toEqual([`{${fields}}`]);
    expect(
      operationsOf(
        rootFetch('node{__typename id}'),
        ['node', entitiesOn('Post', 'owner{__typename id}', keyOf('Post'))],
        ['node', entitiesOn('Page', 'owner{__typename id}', keyOf('Page'))],
      ),
    ).toEqual([
      '{node{__typename id}}',
      '...on Post{owner{__typename id}}',
      '...on Page{owner{__typename id}}',
    ]);
    expect(operationsOf(rootFetch('node{__typename ...on Post{owner{__typename id}}}'))).toEqual([
      '{node{__typename ...on Post{owner{id}}}}',
    ]);
  });

  test('of an entity that a subgraph with an @interfaceObject fetches the type of, but not of objects below it', () => {
    expect(
      operationsOf(rootFetch('media{__typename id}'), [
        'media',
        entitiesOn('Media', '__typename vendor{__typename id}', keyOf('Media')),
      ]),
    ).toEqual(['{media{__typename id}}', '...on Media{__typename vendor{id}}']);
  });

  test('at a path with a type condition', () => {
    const [root] = operationsOf(rootFetch('product{__typename vendor{__typename id}}'), [
      'product.vendor|[Vendor]',
      entitiesOn('Vendor', 'name', keyOf('Vendor')),
    ]);
    expect(root).toBe('{product{vendor{__typename id}}}');
  });

  test.each([
    ['a type', [{ kind: 'Field', name: '__typename' }]],
    ['a fragment', [{ kind: 'InlineFragment', typeCondition: 'Size', selections: [] }]],
  ] as [string, RequiresSelection[]][])('in an input whose selection has %s', (_, selections) => {
    const size = (inner: RequiresSelection[]): RequiresSelection => ({
      kind: 'Field',
      name: 'size',
      selections: inner,
    });
    const rootOf = (inner: RequiresSelection[]) =>
      operationsOf(rootFetch('product{__typename id size{__typename w}}'), [
        'product',
        entitiesOn('Product', 'name', keyOf('Product', size(inner))),
      ])[0];
    expect(rootOf(selections)).toBe('{product{id size{__typename w}}}');
    expect(rootOf([{ kind: 'Field', name: 'w' }])).toBe('{product{id size{w}}}');
  });

  test.each([
    ['output rewrites', { outputRewrites: [{ kind: 'KeyRenamer', path: ['name_0'], renameKeyTo: 'name' }] }],
    ['context', { contextRewrites: [{ kind: 'KeyRenamer', path: ['..', 'id'], renameKeyTo: 'c' }] }],
  ] as [string, Partial<FetchNode>][])('in all fetches of a program with %s', (_, rewrites) => {
    const reduced = omit(rootFetch('product{__typename id}'), [
      'product',
      entitiesOn('Product', 'vendor{__typename id}', rewrites),
    ]);
    expect(reduced.map(({ fetch }) => fetch.operation)).toEqual([
      '{product{__typename id}}',
      expect.stringContaining('vendor{__typename id}'),
    ]);
    expect(reduced.map(({ objectType }) => objectType)).toStrictEqual([undefined, undefined]);
  });

  test('in all fetches of a program with a named fragment, which may be used at several paths', () => {
    const operation = '{product{...F} media{...F}} fragment F on Product{__typename id}';
    expect(operationsOf(rootFetch('', { operation }), rootFetch('product{__typename id}'))).toEqual([
      operation,
      '{product{__typename id}}',
    ]);
  });
});

test('fetches with equal operations stay equal, without the number of the planner in their names', () => {
  const named = (number: number): FetchNode =>
    entityFetch('', {
      operationName: `Page__stock__${number}`,
      operation: `query Page__stock__${number}($representations:[_Any!]!){_entities(representations:$representations){...on Vendor{products{__typename id}}}}`,
      ...keyOf('Vendor'),
    });
  const [, first, second] = omit(
    rootFetch('product{__typename id vendor{__typename id}} media{__typename vendor{__typename id}}'),
    ['product.vendor', named(1)],
    ['media.vendor', named(2)],
    // Only the objects below `media` need their `__typename`.
    ['media.vendor.products|[Product].@', entitiesOn('Product', 'name')],
  );
  expect(first?.fetch.operation).toBe(second?.fetch.operation);
  expect(first?.fetch.operation).toMatch(/^query Page__stock\(.*products\{__typename id\}/);
});

test('fetches with equal operations have each __typename that one of them needs, in any order', () => {
  const products = entitiesOn('Vendor', 'products{__typename id}', keyOf('Vendor'));
  const root = rootFetch('product{id vendor{__typename id}} media{__typename vendor{__typename id}}');
  for (const paths of [
    ['product.vendor', 'media.vendor'],
    ['media.vendor', 'product.vendor'],
  ]) {
    const [, ...operations] = operationsOf(root, ...paths.map((path) => [path, products] as const), [
      'media.vendor.products|[Product].@',
      entitiesOn('Product', 'name'),
    ]);
    expect(operations.slice(0, 2)).toEqual(Array(2).fill('...on Vendor{products{__typename id}}'));
  }
});

test('a text with the name as a value is not changed', () => {
  const fields = 'product(name:"{__typename id}"){__typename id}';
  expect(operationsOf(rootFetch(fields))).toEqual(['{product(name:"{__typename id}"){id}}']);
});

test('the type of the objects of each fetch is returned where it is known', () => {
  const found = omit(
    rootFetch('product{__typename id} media{__typename id vendor{__typename id}}'),
    ['product', entitiesOn('Product', 'name')],
    ['media', entitiesOn('Media', 'id', keyOf('Media'))],
    ['media.vendor', entitiesOn('Vendor', 'name', keyOf('Vendor'))],
    ['other', entitiesOn('Vendor', 'name', keyOf('Vendor'))],
  );
  expect(found.map(({ objectType }) => objectType)).toStrictEqual([
    'Query',
    'Product',
    undefined,
    'Vendor',
    undefined,
  ]);
});
