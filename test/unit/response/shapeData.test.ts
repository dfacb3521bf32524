import { expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import type { ResponseObject } from '../../../gateway/execution/responseTree.ts';
import { SentNulls } from '../../../gateway/response/sentNulls.ts';
import { shapeData } from '../../../gateway/response/shapeData.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf('type Query { items: [Item] } type Item { code: Int! }');
const { root } = normalizeText(schema, '{ items { code } }');

test.each([
  ['a forbidden null', null],
  ['an invalid value', 'x'],
])('a response whose errors alone exceed the size of a response ends at the limit: %s', (_, code) => {
  const queryType = schema.getQueryType() as GraphQLObjectType;
  const shape = (count: number) => {
    const tree = { items: new Array(count).fill({ code }) };
    return runToCompletion(shapeData(schema, root, queryType, tree, [], { maxBytes: 10_000 }));
  };
  expect(shape(50).errors.length).toBeGreaterThanOrEqual(50);
  expect(() => shape(500)).toThrow('The response exceeds 10000 bytes (limits.responseSize).');
});

test.each([
  ['a number that is too large', JSON.parse('1e400'), 'expected a finite number'],
  ['one in an object in a list', JSON.parse('[1,{"a":-1e400}]'), 'expected a finite number'],
  [
    'lists that are nested too deep',
    JSON.parse('['.repeat(1_001) + ']'.repeat(1_001)),
    'a less deeply nested Json',
  ],
])('a custom scalar that JSON cannot express is null with an error: %s', (_, value, problem) => {
  const custom = schemaOf('scalar Json type Query { value: Json }');
  const { root: selection } = normalizeText(custom, '{ value }');
  const shaped = runToCompletion(
    shapeData(custom, selection, custom.getQueryType() as GraphQLObjectType, { value }, []),
  );
  expect({ ...shaped.data }).toEqual({ value: null });
  expect(shaped.errors).toMatchObject([
    { kind: 'invalid', path: ['value'], message: expect.stringContaining(problem) },
  ]);
});

test('what an earlier payload had as null stays null, at the same path only', () => {
  const library = schemaOf(`
    type Query { book: Book other: Book books: [Book] }
    type Book { author: Author }
    type Author { name: String }
  `);
  const sentNulls = new SentNulls();
  const shape = (query: string, tree: ResponseObject): unknown => {
    const { root: selection } = normalizeText(library, query);
    const type = library.getQueryType() as GraphQLObjectType;
    const { data } = runToCompletion(shapeData(library, selection, type, tree, [], { sentNulls }));
    return JSON.parse(JSON.stringify(data));
  };
  // An entity is one object at all its paths.
  const book: ResponseObject = { author: null };
  const books: unknown[] = [null];
  const tree = { book, other: book, books };
  const first = { book: { author: null }, books: [null] };
  expect(shape('{ book { author { name } } books { author { name } } }', tree)).toEqual(first);

  const author = { name: 'Le Guin' };
  book.author = author;
  books[0] = book;
  const all = '{ book { author { name } } books { author { name } } other { author { name } } }';
  expect(shape(all, tree)).toEqual({ ...first, other: { author } });
});
