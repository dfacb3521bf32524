import { describe, expect, test } from '@jest/globals';
import { toInternalPath } from '../../../gateway/response/clientPaths.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { media: [Media!] }
  union Media = Book | Film
  type Book { id: ID! author: Person }
  type Film { id: ID! director: Person }
  type Person { name: String city: String }
`);
const { root } = normalizeText(
  schema,
  `{ media {
    ... on Book { name: author { id: name } }
    ... on Film { name: director { id: city } }
  } }`,
);

describe("a path of the client's names", () => {
  const inBook = ['_alias_6_author_name', '_alias_4_name_id'] as const;
  const inFilm = ['_alias_8_director_name', '_alias_4_city_id'] as const;
  const tree = {
    media: [
      { __typename: 'Book', [inBook[0]]: { [inBook[1]]: 'Le Guin' } },
      { __typename: 'Film', [inFilm[0]]: { [inFilm[1]]: 'Paris' } },
    ],
  };

  test('has the internal names of the fields that its objects have', () => {
    expect(toInternalPath(root, tree, ['media', 0, 'name', 'id'])).toEqual(['media', ...inBook]);
    expect(toInternalPath(root, tree, ['media', 1, 'name', 'id'])).toEqual(['media', ...inFilm]);
  });

  test('has the first possible names where there is no object', () => {
    expect(toInternalPath(root, {}, ['media', 1, 'name', 'id'])).toEqual(['media', ...inBook]);
    const missing = { media: [{ __typename: 'Film', [inFilm[0]]: null }] };
    expect(toInternalPath(root, missing, ['media', 0, 'name', 'id'])).toEqual(['media', ...inFilm]);
  });

  test('ends before a field that the client did not select', () => {
    expect(toInternalPath(root, tree, ['media', 0, 'director'])).toEqual(['media']);
  });
});
