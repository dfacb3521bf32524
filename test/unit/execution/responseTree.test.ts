import { describe, expect, test } from '@jest/globals';
import { createObjectMerger, type ResponseObject } from '../../../gateway/execution/responseTree.ts';

function merge(target: ResponseObject, source: ResponseObject): ResponseObject {
  createObjectMerger(Object.keys(source))(target, source, (typename) => typename !== 'Media');
  return target;
}

describe('merging into an object of the response tree', () => {
  test.each([
    ['replaces a null', { a: null }, { a: 1 }, { a: 1 }],
    ['keeps a value', { a: 1 }, { a: 2 }, { a: 1 }],
    ['keeps a value for null', { a: 1 }, { a: null }, { a: 1 }],
    ['replaces a null below', { a: { b: null } }, { a: { b: 1, c: 2 } }, { a: { b: 1, c: 2 } }],
    ['keeps a value below', { a: { b: 1 } }, { a: { b: null } }, { a: { b: 1 } }],
    [
      'replaces a null in a list',
      { a: [null, { b: 1 }] },
      { a: [{ c: 1 }, { c: 2 }] },
      { a: [{ c: 1 }, { b: 1, c: 2 }] },
    ],
    ['keeps a list of another length', { a: [{ b: 1 }] }, { a: [{ c: 1 }, { c: 2 }] }, { a: [{ b: 1 }] }],
    ['keeps a value of another kind', { a: { b: 1 } }, { a: [{ c: 1 }] }, { a: { b: 1 } }],
    [
      'replaces the name of an interface',
      { a: { __typename: 'Media' } },
      { a: { __typename: 'Book' } },
      { a: { __typename: 'Book' } },
    ],
    [
      'keeps the name of a type',
      { a: { __typename: 'Book' } },
      { a: { __typename: 'Media' } },
      { a: { __typename: 'Book' } },
    ],
  ])('%s', (_, target, source, expected) => {
    expect(merge(target, source)).toEqual(expected);
  });
});
