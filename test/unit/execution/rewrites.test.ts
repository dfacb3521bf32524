import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { parseFlattenPath } from '../../../gateway/execution/flattenPath.ts';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import { applyRewrites, ContextReader, rewritePath } from '../../../gateway/execution/rewrites.ts';
import { TypeConditions } from '../../../gateway/execution/typeConditions.ts';
import type { FetchDataRewrite } from '../../../gateway/planning/queryPlan.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';

const conditions = new TypeConditions(
  readSupergraphNames(
    parse('interface Media { id: ID! } type Book implements Media { id: ID! } type Film { id: ID! }'),
  ),
);
const rename = (path: string[], renameKeyTo: string): FetchDataRewrite => ({
  kind: 'KeyRenamer',
  path,
  renameKeyTo,
});

describe('output rewrites', () => {
  const rewrites = [rename(['items', '... on Book', 'id__alias_0'], 'id')];

  test.each([
    ['in a list', ['items', 3, 'id__alias_0', 'x'], ['items', 3, 'id', 'x']],
    ['without a list', ['items', 'id__alias_0'], ['items', 'id']],
    ['below another field', ['other', 'items', 'id__alias_0'], ['other', 'items', 'id__alias_0']],
    ['deeper than the renamed field', ['items', 'author', 'id__alias_0'], ['items', 'author', 'id__alias_0']],
    ['above the renamed field', ['items', 0], ['items', 0]],
  ])('rename the path of an error %s as they rename the data', (_, path, expected) => {
    expect(rewritePath(rewrites, path)).toEqual(expected);
  });

  test('rename the keys of objects of their type, and of objects without a type', () => {
    const of = (typename: string | undefined) => ({ __typename: typename, id__alias_0: 1 });
    const data = { items: [of('Book'), [of('Film')], of(undefined), null] };
    applyRewrites(rewrites, data, undefined, conditions);
    expect(data.items).toEqual([
      { __typename: 'Book', id: 1 },
      [{ __typename: 'Film', id__alias_0: 1 }],
      { id: 1 },
      null,
    ]);
  });
});

describe('values from context', () => {
  const read = (path: string[], root: object): unknown[] => {
    const reader = new ContextReader([{ kind: 'KeyRenamer', path, renameKeyTo: 'ctx' }]);
    const targets = (root as { media: { author: object }[] }).media.map(({ author }) => author);
    const values = reader.read(
      root as ResponseObject,
      parseFlattenPath(['media', '@', 'author']),
      conditions,
    );
    return targets.map((target) => (values.has(target) ? values.get(target)?.ctx : 'none'));
  };
  const root = () => ({
    title: 'of all',
    media: [
      { __typename: 'Book', title: 'of a book', tags: [{ name: 'a' }, { name: 'b' }], author: {} },
      { __typename: 'Film', title: 'of a film', tags: [], author: {} },
    ],
  });

  test.each([
    ['an object of one type', ['..', '... on Book', 'title'], ['of a book', 'none']],
    ['an object further above', ['..', '..', 'title'], ['of all', 'of all']],
    ['each element of a list', ['..', 'tags', 'name'], [['a', 'b'], []]],
    ['no inherited field', ['..', 'toString'], ['none', 'none']],
  ])('are those of %s', (_, path, expected) => {
    expect(read(path, root())).toEqual(expected);
  });

  test('are found for each of several arguments', () => {
    const reader = new ContextReader(
      ['title', '__typename'].map((name) => ({ kind: 'KeyRenamer', path: ['..', name], renameKeyTo: name })),
    );
    const author = {};
    const tree = { media: { __typename: 'Book', title: 'a', author } };
    const values = reader.read(tree, parseFlattenPath(['media', 'author']), conditions);
    expect({ ...values.get(author) }).toEqual({ __typename: 'Book', title: 'a' });
  });
});
