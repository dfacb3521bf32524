import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { applyRewrites, rewritePath } from '../../../gateway/execution/rewrites.ts';
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
