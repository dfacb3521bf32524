import { expect, test } from '@jest/globals';
import {
  type ConfiguredMutation,
  type ConfiguredMutations,
  compileMutationInvalidations,
} from '../../../../gateway/cache/invalidation/mutationInvalidations.ts';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import {
  customTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { parseExactJson } from '../../../../gateway/json/exactJson.ts';
import { runToCompletion } from '../../../../gateway/time/slicedTask.ts';
import {
  composeCachedDocument,
  entityShape,
  rootShape,
  withCached,
} from '../../../harness/cachedSubgraphs.ts';
import { entityTag } from '../../../harness/entityTag.ts';

const graph = readCacheGraph(
  await composeCachedDocument({
    shop: withCached(`
      type Query { product: Product }
      type Mutation {
        addReview(productId: ID, input: ReviewInput, stars: Int, isLoud: Boolean, tone: Tone): Review
        rename(id: ID, name: String): [Product]
        ping: Int
      }
      enum Tone { KIND RUDE }
      input ReviewInput { id: ID nested: ReviewInput ids: [ID] }
      type Review @key(fields: "id") { id: ID! text: String product: Product details: Details }
      type Details { author: User }
      type User @key(fields: "id") { id: ID! name: String }
      type Product @key(fields: "id") @key(fields: "sku vendor { code }") { id: ID! sku: String vendor: Vendor name: String }
      type Vendor { code: ID }
    `),
    reviews: withCached('type Product @key(fields: "id") { id: ID! stars: Int }'),
  }),
);

const nothing: ConfiguredMutation = { result: false, types: [], entities: [], tags: [], subgraphs: [] };

function compile(configured: Readonly<Record<string, Partial<ConfiguredMutation>>>) {
  const complete: ConfiguredMutations = Object.fromEntries(
    Object.entries(configured).map(([name, mutation]) => [name, { ...nothing, ...mutation }]),
  );
  return compileMutationInvalidations(complete, graph);
}

function run(
  configured: Readonly<Record<string, Partial<ConfiguredMutation>>>,
  operation: string | FetchShape,
  data: Record<string, unknown> | null | undefined,
  variables: Readonly<Record<string, unknown>> = {},
): { tags: readonly string[]; skipped: readonly string[] } {
  const { invalidations, unknown } = compile(configured);
  expect(unknown).toEqual([]);
  const shape = typeof operation === 'string' ? rootShape('shop', operation, 'mutation') : operation;
  const skipped: string[] = [];
  const read = (name: string) => (Object.hasOwn(variables, name) ? variables[name] : undefined);
  const tags = runToCompletion(
    invalidations.tagsOf(shape, read, data, (coordinate, reason) => skipped.push(`${coordinate}: ${reason}`)),
  );
  return { tags: [...tags].sort(), skipped };
}

const tagsOnly = (...list: string[]) => ({ tags: list.sort(), skipped: [] });

const productWith = (id: string) => [
  entityTag('Product', { id }),
  unknownEntityTag('Product'),
  unknownEntityTag('Product', ['{ sku vendor { code } }']),
];

test('a mutation invalidates the entities in its result at any depth and under aliases, and their types if keys are missing', () => {
  expect(
    run(
      { 'Mutation.addReview': { result: true } },
      'mutation { mine: addReview { text product { key: id } details { author { name } } } ping }',
      { mine: { text: 'a', product: { key: 7 }, details: { author: { name: 'b' } } }, ping: 1 },
    ),
  ).toEqual(tagsOnly(typeTag('Review'), ...productWith('7'), typeTag('User')));
});

test('result: false keeps the entities of the result, and mutations without configuration invalidate nothing', () => {
  const operation = 'mutation { addReview { id } rename { id } }';
  const data = { addReview: { id: '1' }, rename: [{ id: '2' }] };
  expect(run({ 'Mutation.addReview': { tags: ['reviews'] } }, operation, data)).toEqual(
    tagsOnly(customTag('reviews')),
  );
});

test('a mutation invalidates the configured types, subgraphs, tags and entities', () => {
  expect(
    run(
      {
        'Mutation.addReview': {
          types: ['User'],
          subgraphs: ['reviews'],
          tags: ['reviews', 'product-{args.productId}-{args.input.nested.id}'],
          entities: [
            { __typename: 'Product', id: '{args.productId}' },
            { __typename: 'Product', sku: 's-{args.stars}', vendor: { code: '{args.input.id}' } },
            { __typename: 'Review', id: 5 },
          ],
        },
      },
      'mutation($p: ID, $n: ID) { addReview(productId: $p, stars: 4, input: { id: "v", nested: { id: $n } }) { id } }',
      { addReview: null },
      { p: 'p1', n: 8 },
    ),
  ).toEqual(
    tagsOnly(
      typeTag('User'),
      subgraphTag('reviews'),
      customTag('reviews'),
      customTag('product-p1-8'),
      ...productWith('p1'),
      entityTag('Product', { sku: 's-4', vendor: { code: 'v' } }),
      unknownEntityTag('Product', ['{ id }']),
      entityTag('Review', { id: '5' }),
      unknownEntityTag('Review'),
    ),
  );
});

test('templates render integers of any length as the client wrote them', () => {
  expect(
    run(
      { 'Mutation.addReview': { tags: ['{args.productId} {args.input.nested.id}'] } },
      'mutation { addReview(productId: 9007199254740993, input: { nested: { id: 12345678901234567890 } }) { id } }',
      { addReview: null },
    ),
  ).toEqual(tagsOnly(customTag('9007199254740993 12345678901234567890')));
});

test('templates render the default of a variable that the client did not send, and no default instead of a null', () => {
  const configured = { 'Mutation.addReview': { tags: ['{args.productId} {args.input.id}'] } };
  const operation = `mutation($p: ID = 9007199254740993, $i: ReviewInput = { id: "v" }) {
    addReview(productId: $p, input: $i) { id }
  }`;
  const data = { addReview: null };
  expect(run(configured, operation, data)).toEqual(tagsOnly(customTag('9007199254740993 v')));
  const exact = parseExactJson('{"p":9007199254740993}') as { p: unknown };
  expect(run(configured, operation, data, exact)).toEqual(tagsOnly(customTag('9007199254740993 v')));
  expect(run(configured, operation, data, { p: 'p1' })).toEqual(tagsOnly(customTag('p1 v')));
  expect(run(configured, operation, data, { p: null }).skipped).toEqual([
    'Mutation.addReview: {args.productId} is null',
  ]);
});

test('templates render booleans and enum values as text', () => {
  expect(
    run(
      { 'Mutation.addReview': { tags: ['{args.isLoud} {args.tone}'] } },
      'mutation { addReview(isLoud: false, tone: RUDE) { id } }',
      { addReview: null },
    ),
  ).toEqual(tagsOnly(customTag('false RUDE')));
});

test.each<[string, string, Record<string, unknown>, string]>([
  ['is missing', 'addReview', {}, '{args.productId} is missing'],
  ['is an absent variable', 'addReview(productId: $p)', {}, '{args.productId} is missing'],
  [
    'is a variable named like a prototype property',
    'addReview(productId: $toString)',
    {},
    '{args.productId} is missing',
  ],
  ['is null', 'addReview(productId: null)', {}, '{args.productId} is null'],
  ['is a null variable', 'addReview(productId: $p)', { p: null }, '{args.productId} is null'],
  ['is a list', 'addReview(productId: $p)', { p: ['1'] }, '{args.productId} is not a scalar'],
  ['is an object', 'addReview(productId: $p)', { p: { id: '1' } }, '{args.productId} is not a scalar'],
])('items with a template are skipped and reported when the argument %s', (_, field, variables, reason) => {
  expect(
    run(
      {
        'Mutation.addReview': {
          tags: ['p-{args.productId}', 'reviews'],
          entities: [
            { __typename: 'Product', id: '{args.productId}' },
            { __typename: 'Product', sku: 'a', vendor: { code: '{args.productId}' } },
          ],
        },
      },
      `mutation($p: ID, $toString: ID) { ${field} { id } }`,
      { addReview: { id: '1' } },
      variables,
    ),
  ).toEqual({ tags: [customTag('reviews')], skipped: Array(3).fill(`Mutation.addReview: ${reason}`) });
});

test.each([
  ['a list within its path', '{args.input.ids.id}'],
  ['the name of a prototype property', '{args.input.constructor}'],
])('a template with %s is skipped and reported', (_, text) => {
  expect(
    run({ 'Mutation.addReview': { tags: [text] } }, 'mutation { addReview(input: { ids: ["a"] }) { id } }', {
      addReview: null,
    }),
  ).toEqual({ tags: [], skipped: [`Mutation.addReview: ${text} is missing`] });
});

test.each([' ', 'a\0'])(
  'a tag that an argument %j would make invalid is skipped, and the report does not contain the argument',
  (id) => {
    expect(
      run(
        { 'Mutation.addReview': { tags: ['{args.productId}'] } },
        'mutation($p: ID) { addReview(productId: $p) { id } }',
        { addReview: null },
        { p: id },
      ),
    ).toEqual({
      tags: [],
      skipped: ['Mutation.addReview: {args.productId} renders to a blank string, or to one with a NUL'],
    });
  },
);

test.each([[null], [undefined]])(
  'a mutation with data %p still invalidates by its arguments, because it may have taken effect',
  (data) => {
    expect(
      run(
        { 'Mutation.rename': { result: true, types: ['Vendor'], tags: ['{args.id}'] } },
        'mutation { rename(id: 1) { id } }',
        data,
      ),
    ).toEqual(tagsOnly(typeTag('Vendor'), customTag('1')));
  },
);

test('a field excluded by a directive invalidates nothing, fields in fragments and each alias do', () => {
  expect(
    run(
      { 'Mutation.rename': { tags: ['p-{args.id}'] } },
      'mutation($no: Boolean!) { a: rename(id: 1) @include(if: $no) { id } ... on Mutation { b: rename(id: 2) { id } } c: rename(id: 3) { id } }',
      { b: null, c: [] },
    ),
  ).toEqual(tagsOnly(customTag('p-2'), customTag('p-3')));
});

test('a result with too many entities invalidates the whole type, and is processed in slices', () => {
  const shape = rootShape('shop', 'mutation { rename { id } }', 'mutation');
  const rename = Array.from({ length: 100_000 }, (_, index) => ({ id: String(index) }));
  const { invalidations } = compile({ 'Mutation.rename': { result: true } });
  const work = invalidations.tagsOf(
    shape,
    () => undefined,
    { rename },
    () => {},
  );
  let pauses = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) pauses++;
  expect(step.value).toEqual([typeTag('Product')]);
  expect(pauses).toBeGreaterThan(1_000);
});

test.each([
  ['a query', rootShape('shop', '{ product { id } }')],
  ['an entity fetch', entityShape('shop', '... on Product { name }')],
])('%s invalidates nothing', (_, shape) => {
  const mutations = { 'Mutation.addReview': { result: true, tags: ['a'] } };
  expect(run(mutations, shape, { product: { id: '1' } })).toEqual(tagsOnly());
});

test('names that the supergraph lacks are reported, and the other items apply', () => {
  const { invalidations, unknown } = compile({
    'Mutation.addReviw': { tags: ['a'] },
    'Query.product': { tags: ['b'] },
    'Mutation.addReview': {
      types: ['Produkt', 'User'],
      subgraphs: ['shopp'],
      tags: ['{args.produktId}', 'c'],
      entities: [
        { __typename: 'Produkt', id: '1' },
        { __typename: 'Product', sku: '{args.productId}' },
        { __typename: 'Vendor', code: '1' },
        { __typename: 'Review', id: '{args.reviewId}' },
      ],
    },
  });
  expect(unknown).toEqual([
    'cache.mutations["Mutation.addReviw"]: there is no mutation Mutation.addReviw; did you mean `Mutation.addReview`?',
    'cache.mutations["Query.product"]: there is no mutation Query.product',
    'cache.mutations["Mutation.addReview"]: there is no object type, interface or union Produkt; did you mean `Product`?',
    'cache.mutations["Mutation.addReview"]: there is no subgraph "shopp"; did you mean `shop`?',
    'cache.mutations["Mutation.addReview"]: there is no argument produktId; did you mean `productId`?',
    'cache.mutations["Mutation.addReview"]: there is no object type, interface or union Produkt; did you mean `Product`?',
    'cache.mutations["Mutation.addReview"]: Product has no key { sku }. Its keys: { id }, { sku vendor { code } }',
    'cache.mutations["Mutation.addReview"]: Vendor has no keys; invalidate its type instead',
    'cache.mutations["Mutation.addReview"]: there is no argument reviewId',
  ]);
  const shape = rootShape('shop', 'mutation { addReview { id } }', 'mutation');
  const tags = runToCompletion(
    invalidations.tagsOf(
      shape,
      () => undefined,
      { addReview: null },
      () => {},
    ),
  );
  expect([...tags].sort()).toEqual([typeTag('User'), customTag('c')].sort());
});

test('every configured mutation is unknown to a supergraph without mutations', async () => {
  const without = readCacheGraph(await composeCachedDocument({ shop: 'type Query { a: Int }' }));
  const { unknown } = compileMutationInvalidations({ 'Mutation.a': nothing }, without);
  expect(unknown).toEqual(['cache.mutations["Mutation.a"]: there is no mutation Mutation.a']);
});
