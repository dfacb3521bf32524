import { expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

const problemsOf = (mutation: unknown) =>
  findConfigProblems({ supergraph, cache: { mutations: { 'Mutation.addReview': mutation } } });

test('an empty entry in cache.mutations invalidates by the result of the mutation', () => {
  expect(parseConfig({ supergraph }).cache.mutations).toEqual({});
  expect(parseConfig({ supergraph, cache: { mutations: { 'Mutation.a': {} } } }).cache.mutations).toEqual({
    'Mutation.a': { result: true, types: [], entities: [], tags: [], subgraphs: [] },
  });
});

test('a parsed configuration with cache.mutations can be parsed again', () => {
  const config = parseConfig({
    supergraph,
    cache: {
      mutations: {
        'Mutation.addReview': {
          result: false,
          types: ['Review'],
          entities: [
            {
              __typename: 'Product',
              id: '{args.input.id}',
              vendor: { codes: [1, 'a-{args.b}', null, true] },
            },
          ],
          tags: ['product-{args.id}'],
          subgraphs: ['reviews'],
        },
      },
    },
  });
  expect(parseConfig(config)).toEqual(config);
});

test.each(['addReview', 'Mutation', 'Mutation.', 'Mutation.a.b', 'Mutation a'])(
  '"%s" is no field of a mutation',
  (name) => {
    expect(findConfigProblems({ supergraph, cache: { mutations: { [name]: {} } } })).toEqual([
      expect.objectContaining({ expected: 'a field such as `Mutation.addReview`' }),
    ]);
  },
);

test.each([
  ['text', 'Product:1'],
  ['no type', { id: '1' }],
  ['a type that is no text', { __typename: 1, id: '1' }],
  ['a type that depends on an argument', { __typename: '{args.type}', id: '1' }],
  ['no key', { __typename: 'Product' }],
  ['a placeholder with an unknown name', { __typename: 'Product', id: '{arg.id}' }],
  ['a placeholder for all arguments', { __typename: 'Product', id: '{args}' }],
  ['an unclosed brace', { __typename: 'Product', id: '{args.id' }],
  ['an invalid placeholder in a nested value', { __typename: 'Product', vendor: [{ code: 'a}' }] }],
])('an entity of cache.mutations with %s is refused with its path', (_, entity) => {
  expect(problemsOf({ entities: [{ __typename: 'Product', id: '{args.id}' }, entity] })).toEqual([
    expect.objectContaining({
      path: 'cache.mutations["Mutation.addReview"].entities[1]',
      expected: expect.stringContaining("an entity such as { __typename: Product, id: '{args.productId}' }"),
    }),
  ]);
});

test('an entity of cache.mutations that contains itself is refused', () => {
  const entity: Record<string, unknown> = { __typename: 'Product' };
  entity.vendor = entity;
  expect(problemsOf({ entities: [entity] })).toHaveLength(1);
});

test.each(['', ' ', 'a\0', '{args.}', '{args.id', 'a}', '{args.1}', '{args.a b}'])(
  'the tag %j is refused',
  (tag) => {
    expect(problemsOf({ tags: [tag] })).toEqual([
      expect.objectContaining({ path: 'cache.mutations["Mutation.addReview"].tags[0]' }),
    ]);
  },
);
