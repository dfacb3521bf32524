import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { readManifests } from '../../../gateway/admission/documents/documentManifest.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';

function read(...contents: readonly unknown[]) {
  return runToCompletion(
    readManifests(
      contents.map((content, index) => ({
        path: `${index + 1}.json`,
        text: typeof content === 'string' ? content : JSON.stringify(content),
      })),
    ),
  );
}

function documentsOf(...contents: readonly unknown[]) {
  const { manifest } = read(...contents) as Extract<ReturnType<typeof read>, { manifest: unknown }>;
  return manifest;
}

const problemsOf = (...contents: readonly unknown[]) =>
  (read(...contents).problems ?? []).map(({ file, problem }) => `${file} ${problem}`);

const apollo = (...operations: readonly unknown[]) => ({
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations,
});
const price = 'query Price {\n  price\n}';
const sha256 = createHash('sha256').update(price).digest('hex');

describe('a manifest of trusted documents', () => {
  test("is read from Apollo's format, with the names of the operations", () => {
    const manifest = documentsOf(apollo({ id: 'a', name: 'Price', type: 'query', body: price }));
    const document = { id: 'a', name: 'Price', text: price, file: '1.json' };
    expect(manifest.documents).toEqual([document]);
    expect([...manifest.byId]).toEqual([
      ['a', document],
      [sha256, document],
    ]);
    expect([...manifest.byText.keys()]).toEqual([price, 'query Price{price}']);
  });

  test('is read from a map of ids or hashes to texts, as Relay and graphql-codegen write it', () => {
    const { documents } = documentsOf(`\uFEFF{ "md5": ${JSON.stringify(price)}, "${sha256}": "{ price }" }`);
    expect(documents).toEqual([
      { id: 'md5', name: 'Price', text: price, file: '1.json' },
      { id: sha256, name: undefined, text: '{ price }', file: '1.json' },
    ]);
  });

  test('finds the document of an id before that of an equal hash', () => {
    const { byId } = documentsOf({ first: price, [sha256]: '{ price }' });
    expect(byId.get(sha256)?.text).toBe('{ price }');
  });

  test('is joined from several files, which may repeat a document', () => {
    const { documents } = documentsOf(
      apollo({ id: 'a', body: price }),
      { a: price, b: '{ price }' },
      { c: '{ __typename }' },
    );
    expect(documents.map(({ id, file }) => [id, file])).toEqual([
      ['a', '1.json'],
      ['b', '2.json'],
      ['c', '3.json'],
    ]);
  });

  test.each([
    ['', '1.json is empty'],
    [[], '1.json is not a JSON object'],
    [{}, '1.json has no documents'],
    [apollo(), '1.json has no documents'],
    [{ ...apollo(), version: 2 }, '1.json has the format "apollo-persisted-query-manifest", version 2'],
    [{ format: 'other' }, '1.json has the format "other", version none, and no list of operations'],
    [apollo({ id: 'a', body: price }, { id: 'b' }), '1.json has no text for `id` or `body` in operations[1]'],
    [{ a: price, b: 5 }, '1.json has no text for the id "b"'],
    [
      apollo({ id: 'a', body: price }, { id: 'a', body: '{ price }' }),
      '1.json has the id "a" twice, with different texts',
    ],
    [{ a: 'fragment F on Query { price }' }, '1.json has the document "a", which has no operation'],
    [
      { a: 'query {\n  price' },
      '1.json has the document "a", which is no GraphQL: Syntax Error: Expected Name, found <EOF>. (line 2, column 8)',
    ],
  ])('is refused for a problem: %j', (content, problem) => {
    expect(problemsOf(content)).toEqual([problem]);
  });

  test('is refused for what is nested too deep to be read', () => {
    const levels = 50_000;
    const deep = `query { ${'a { '.repeat(levels)} b ${'}'.repeat(levels)} }`;
    const format = `${'{"1":'.repeat(levels)}1${'}'.repeat(levels)}`;
    expect(problemsOf({ a: deep }, `{"format":${format}}`)).toEqual([
      '1.json has the document "a", which is nested too deep to be parsed',
      '2.json has the format {…}, version none, and no list of operations',
    ]);
  });

  test('is refused with every problem of every file, each with what to do', () => {
    expect(problemsOf('{', { a: price }, { a: '{ price }', b: 'query (' })).toEqual([
      expect.stringMatching(/^1\.json is not JSON \(.+\)$/),
      '3.json has the id "a" with another text than 2.json',
      expect.stringContaining('3.json has the document "b", which is no GraphQL: '),
    ]);
    for (const { whatToDo } of read('{', { a: 'query (' }).problems ?? []) {
      expect(whatToDo).toMatch(/^(Write a|Extract the|Give each) .+\.$/);
    }
  });
});
