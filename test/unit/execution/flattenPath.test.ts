import { describe, expect, test } from '@jest/globals';
import {
  collectTargets,
  createTargetCollector,
  parseFlattenPath,
  pathKeyOf,
} from '../../../gateway/execution/flattenPath.ts';

const pathOf = (text: string) => parseFlattenPath(text.split('.'));

describe('the objects at a path', () => {
  const book = { __typename: 'Book' };
  const film = { __typename: 'Film' };
  const untyped = {};

  test.each([
    ['all elements of a list', 'media.@', { media: [book, null, film] }, [book, film]],
    ['no list where the path has none', 'media', { media: [book] }, []],
    ['no object where the path has a list', 'media.@', { media: book }, []],
    ['elements of nested lists', 'media.@.@', { media: [[book], null, [film]] }, [book, film]],
    ['objects of some types', 'media|[Book, Album]', { media: book }, [book]],
    ['no objects of other types', 'media|[Album,Film]', { media: book }, []],
    ['objects without a type', 'media|[Album]', { media: untyped }, [untyped]],
    ['a typed list', 'media|[Book].@', { media: [book] }, [book]],
    ['objects below a type', 'media|[Book, Film].author', { media: { ...film, author: book } }, [book]],
  ])('are %s', (_, path, root, expected) => {
    expect(createTargetCollector(pathOf(path))(root)).toEqual(expected);
    expect(collectTargets(root, pathOf(path))).toEqual(expected);
  });

  test('have different keys for different types', () => {
    const keys = ['media', 'media|[Book]', 'media|[Film]', 'media.@'].map((path) => pathKeyOf(pathOf(path)));
    expect(new Set(keys).size).toBe(4);
    expect(pathKeyOf(pathOf('media|[Book, Film]'))).toBe(pathKeyOf(pathOf('media|[Book,Film]')));
  });
});
