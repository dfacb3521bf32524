import { describe, expect, test } from '@jest/globals';
import { exchange, exchangeJson, parseJsonResponse, type RawRequest } from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const json = { 'content-type': 'application/json' };

const error = (message: string, code: string): unknown => ({ errors: [{ message, extensions: { code } }] });

describe('the operation limits', () => {
  const inBatch = 'Operation 2 of the batch: ';
  const extensions = { code: 'OPERATION_TOO_COMPLEX', limit: 'depth', value: 3, allowed: 2 };
  const query = '{ node { node { id } } }';

  test('reject an operation over POST, over GET and in a batch', async () => {
    await using server = await startScriptedServer(undefined, { limits: { depth: 2, batchedOperations: 5 } });
    const message = 'The operation is nested at least 3 levels deep; at most 2 are allowed (limits.depth).';
    const rows: [RawRequest, string][] = [
      [{ headers: json, body: JSON.stringify({ query }) }, message],
      [{ method: 'GET', path: `/graphql?${new URLSearchParams({ query })}`, headers: json }, message],
      [{ headers: json, body: JSON.stringify([{ query: '{ greeting }' }, { query }]) }, inBatch + message],
    ];
    for (const [request, message] of rows) {
      expect(parseJsonResponse(await exchange(server.url, request))).toEqual({
        status: 400,
        type: 'application/json; charset=utf-8',
        body: { errors: [{ message, extensions }] },
      });
    }
    expect(server.receivedOperations).toEqual([]);
  });

  test('reject variables that are nested too deep over POST, over GET and in a batch', async () => {
    await using server = await startScriptedServer(undefined, { limits: { depth: 2, batchedOperations: 2 } });
    const query = 'query ($name: String) { greeting(name: $name) }';
    const post = (body: unknown): RawRequest => ({ headers: json, body: JSON.stringify(body) });
    const deep = { query, variables: { name: [{ a: [] }] } };
    const get: RawRequest = {
      method: 'GET',
      path: `/graphql?${new URLSearchParams({ query, variables: JSON.stringify(deep.variables) })}`,
      headers: { 'apollo-require-preflight': '1' },
    };
    const message = 'The variable "name" is nested more than 2 levels deep (limits.depth).';
    const rows: [RawRequest, string][] = [
      [post(deep), message],
      [get, message],
      [post([{ query: '{ greeting }' }, deep]), inBatch + message],
    ];
    for (const [request, message] of rows) {
      const response = await exchange(server.url, request);
      expect([response.status, JSON.parse(response.body)]).toEqual([
        400,
        { errors: [{ message, extensions }] },
      ]);
    }
    expect(server.receivedOperations).toEqual([]);
    expect(
      (await exchange(server.url, post({ query, variables: { name: 'a', rest: [{ a: 1 }] } }))).status,
    ).toBe(200);
  });

  test('reject deeply nested literals and texts that spreads expand too far, but not long variables', async () => {
    await using server = await startScriptedServer(undefined, {
      limits: { literalDepth: 2, expandedSize: 100 },
    });
    const long = 'x'.repeat(40);
    const rows: [string, string, object][] = [
      [
        '{ greeting(name: [[["a"]]]) }',
        'has a literal that is nested at least 3 levels deep; at most 2 are allowed (limits.literalDepth).',
        { limit: 'literalDepth', value: 3, allowed: 2 },
      ],
      [
        `{ ...F ...F } fragment F on Query { greeting(name: "${long}") }`,
        'has 108 characters in its names and literals with its fragments expanded; at most 100 are allowed (limits.expandedSize).',
        { limit: 'expandedSize', value: 108, allowed: 100 },
      ],
    ];
    for (const [query, message, extensions] of rows) {
      const response = await exchangeJson(server.url, { query });
      expect([response.status, JSON.parse(response.body)]).toEqual([
        400,
        {
          errors: [
            {
              message: `The operation ${message}`,
              extensions: { ...extensions, code: 'OPERATION_TOO_COMPLEX' },
            },
          ],
        },
      ]);
    }
    expect(server.receivedOperations).toEqual([]);
    const query = 'query ($name: String) { ...F ...F } fragment F on Query { greeting(name: $name) }';
    const body = JSON.stringify({ query, variables: { name: long.repeat(10), rest: [[[1]]] } });
    expect((await exchange(server.url, { headers: json, body })).status).toBe(200);
  });

  test('reject texts whose fields take too long to compare', async () => {
    await using server = await startScriptedServer();
    const query = `{ node { ${'id '.repeat(1_500)} } }`;
    const response = await exchangeJson(server.url, { query });
    expect([response.status, JSON.parse(response.body)]).toEqual([
      400,
      error(
        'The operation selects too many fields under the same names: comparing them takes more than 500000 steps. Select each field once.',
        'OPERATION_TOO_COMPLEX',
      ),
    ]);
  });

  test("reject texts that would exhaust the parser's stack", async () => {
    await using server = await startScriptedServer(undefined, { limits: { tokens: 1_000_000 } });
    for (const text of [
      `{ greeting(name: ${'['.repeat(200_000)}`,
      '{ node '.repeat(100_000),
      'query($a: '.concat('['.repeat(200_000)),
    ]) {
      const { status, body } = await exchangeJson(server.url, { query: text });
      expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([400, 'OPERATION_TOO_COMPLEX']);
    }
  });
});
