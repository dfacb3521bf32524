import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { chunked, json, text } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, ok, okResponse, withStatus } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

describe('a response of a subgraph', () => {
  test('may arrive in chunks that split a character', async () => {
    await using under = createClientFixture(subgraph.url);
    const body = Buffer.from('{"data":{"name":"Zoë"}}');
    const split = body.indexOf(0xc3) + 1;
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(chunked([body.subarray(0, split), gate.promise, body.subarray(split)]));

    const answer = under.send();
    await subgraph.waitForRequests(1);
    gate.resolve();

    expect(await answer.outcome).toEqual({ ...okResponse, data: { name: 'Zoë' } });
  });

  test('reports whether a string in it is escaped', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json({ data: { quote: 'a "word"' } }));

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: { quote: 'a "word"' },
      isEscapeFree: false,
    });
  });

  test('has normalised errors, and a malformed entry is still an error', async () => {
    await using under = createClientFixture(subgraph.url);
    const errors = [
      { message: 'no stock', path: ['a', 0], extensions: { code: 'X' }, locations: [{ line: 1, column: 1 }] },
      { message: 'no field', locations: [{ line: 1, column: 1 }] },
      { message: 7, path: 'a.b' },
      'boom',
      null,
    ];
    subgraph.enqueueScripts(json({ data: null, errors, extensions: { cost: 1 } }));

    expect(await under.send().outcome).toEqual({
      data: null,
      errors: [
        { message: 'no stock', path: ['a', 0], extensions: { code: 'X' } },
        { message: 'no field', isRequestError: true },
        { message: 'The subgraph reported an error without a message.' },
        { message: 'The subgraph reported an error without a message.' },
        { message: 'The subgraph reported an error without a message.' },
      ],
      extensions: { cost: 1 },
      isEscapeFree: true,
    });
  });

  test('has no extensions that are nested more than 100 levels deep, and is not affected otherwise', async () => {
    await using under = createClientFixture(subgraph.url);
    const nested = (levels: number) => '{"1":'.repeat(levels) + 7 + '}'.repeat(levels);
    const error = (levels: number) => `{"message":"no stock","path":["a"],"extensions":${nested(levels)}}`;
    subgraph.enqueueScripts(
      text(`{"data":{"b":1},"errors":[${error(101)},${error(100)}],"extensions":${nested(10_000)}}`),
      text(`{"data":{"b":1},"extensions":${nested(10_000)}}`),
    );
    const known = { message: 'no stock', path: ['a'] };

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: { b: 1 },
      errors: [known, { ...known, extensions: JSON.parse(nested(100)) }],
    });
    expect(await under.send().outcome).toEqual({ ...okResponse, data: { b: 1 } });
  });

  test.each(['["a",1e400]', '["a",-1]', '["a",0.5]', '["a",null]', '{"0":"a"}'])(
    'has errors without a path where it can be none: %s',
    async (path) => {
      await using under = createClientFixture(subgraph.url);
      subgraph.enqueueScripts(text(`{"errors":[{"message":"no","path":${path}}]}`));

      expect(await under.send().outcome).toEqual({
        ...okResponse,
        data: undefined,
        errors: [{ message: 'no' }],
      });
    },
  );

  test.each([
    [
      '400 in the GraphQL media type',
      withStatus(400, '{"errors":[{"message":"no"}]}', {
        'content-type': 'application/graphql-response+json; charset=utf-8',
      }),
      { failureStatus: 400 },
    ],
    [
      '500 with readable GraphQL errors in plain JSON',
      withStatus(500, '{"errors":[{"message":"no"}]}'),
      { failureStatus: 500 },
    ],
    ['200 with another content type', text('{"errors":[{"message":"no"}]}', 'text/plain'), {}],
    ['200 with a byte order mark', text('\ufeff{"errors":[{"message":"no"}]}'), {}],
  ])('is accepted as GraphQL: %s', async (_name, script, metadata) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(script);

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: undefined,
      errors: [{ message: 'no', ...metadata }],
      ...metadata,
    });
  });

  test('of a hundred kilobytes arrives completely', async () => {
    await using under = createClientFixture(subgraph.url, { at: { maxResponseBytes: 200_000 } });
    const data = { list: Array.from({ length: 5_000 }, (_, index) => `item number ${index}`) };
    subgraph.enqueueScripts(json({ data }));

    expect(await under.send().outcome).toEqual({ ...okResponse, data });
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ])('is decompressed: %s', async (coding, compress) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(withStatus(200, compress(JSON.stringify(ok)), { 'content-encoding': coding }));

    expect(await under.send().outcome).toEqual(okResponse);
  });

  test('with keys such as `__proto__` changes no other object', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(
      text('{"data":{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}},"__proto__":{"errors":[]}}'),
    );

    const outcome = await under.send().outcome;

    expect(outcome).toMatchObject({ errors: undefined, isEscapeFree: true });
    const data = 'data' in outcome ? outcome.data : undefined;
    expect(Object.keys(data ?? {})).toEqual(['__proto__', 'constructor']);
    expect('x' in {}).toBe(false);
  });
});

test('a result that a hook returns replaces a failed response, as a successful one', async () => {
  await using under = createClientFixture(subgraph.url, {
    hooks: { afterResponse: async ({ status }) => (status === 503 ? JSON.stringify(ok) : undefined) },
  });
  subgraph.enqueueScripts(
    withStatus(503, '<html>', { 'content-type': 'text/html' }),
    json({ data: { n: 1 } }),
  );

  expect(await under.send().outcome).toEqual(okResponse);
  expect(await under.send().outcome).toEqual({ ...okResponse, data: { n: 1 } });
});
