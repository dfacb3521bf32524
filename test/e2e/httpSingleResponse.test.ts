import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { ApolloServerPluginUsageReporting } from '@apollo/server/plugin/usageReporting';
import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { ApolloServerPlugin, GatewayContext } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { CorsPolicy, corsOptionsOf } from '../../gateway/transport/http/cors.ts';
import { exchange, RawConnection, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import {
  FakeSupergraphView,
  singleOutcome,
  startScriptedServer,
  supergraphOf,
  testSdl,
} from '../harness/scriptedServer.ts';
import { operationRequest, reserveStream } from '../harness/singleConnection.ts';

const json = { 'content-type': 'application/json' };
const graphqlResponse = { ...json, accept: 'application/graphql-response+json' };
const hello = JSON.stringify({ query: '{ greeting }' });

/** The status, media type and JSON body of a response. */
function essence({ status, headers, body }: RawResponse): unknown {
  return { status, type: headers.get('content-type'), body: body === '' ? undefined : JSON.parse(body) };
}

const error = (message: string, code: string): unknown => ({ errors: [{ message, extensions: { code } }] });

describe('an operation over POST', () => {
  test('is answered with a complete response in the order errors, data, extensions', async () => {
    await using server = await startScriptedServer(() =>
      singleOutcome('{"greeting":null}', {
        errors: [
          {
            message: 'no',
            path: ['greeting'],
            locations: [{ line: 1, column: 3 }],
            extensions: { code: 'SUBGRAPH_ERROR' },
          },
        ],
        extensions: { note: 1 },
      }),
    );
    const { status, headers, body } = await exchange(server.url, { headers: json, body: hello });
    expect({ status, body }).toEqual({
      status: 200,
      body: '{"errors":[{"message":"no","path":["greeting"],"locations":[{"line":1,"column":3}],"extensions":{"code":"SUBGRAPH_ERROR"}}],"data":{"greeting":null},"extensions":{"note":1}}',
    });
    expect(headers.get('content-length')).toBe(String(body.length));
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('reaches the pipeline parsed, with its variables, name, headers and request id', async () => {
    await using server = await startScriptedServer();
    await exchange(server.url, {
      headers: { ...json, authorization: 'Bearer x', 'x-request-id': 'abc-1' },
      body: JSON.stringify({
        query: 'query A($n: String) { greeting(name: $n) } query B { greeting }',
        operationName: 'A',
        variables: { n: 'é' },
      }),
    });
    const [request] = server.receivedOperations;
    expect({
      names: request?.document.definitions.length,
      operationName: request?.operationName,
      variables: request?.variables,
      authorization: request?.headers.get('authorization'),
      sentId: request?.headers.get('x-request-id'),
      requestId: request?.requestId,
      incremental: request?.incrementalFormat,
    }).toEqual({
      names: 2,
      operationName: 'A',
      variables: { n: 'é' },
      authorization: 'Bearer x',
      sentId: 'abc-1',
      requestId: 'abc-1',
      incremental: undefined,
    });
  });

  test('has a content-length in bytes, not characters', async () => {
    await using server = await startScriptedServer(() => singleOutcome('{"greeting":"grüße 🎉"}'));
    const { body } = await exchange(server.url, { headers: json, body: hello });
    expect(JSON.parse(body)).toEqual({ data: { greeting: 'grüße 🎉' } });
  });

  test('gets a new request id when its own is missing or unsafe to log', async () => {
    await using server = await startScriptedServer();
    const kept = await exchange(server.url, { headers: { ...json, 'x-request-id': 'a.b:c/1' }, body: hello });
    const unfit = await exchange(server.url, { headers: { ...json, 'x-request-id': 'a "b"' }, body: hello });
    expect(kept.headers.get('x-request-id')).toBe('a.b:c/1');
    expect(unfit.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(server.receivedOperations[1]?.requestId).toBe(unfit.headers.get('x-request-id'));
  });

  test('keeps the connection open for the next operation', async () => {
    await using server = await startScriptedServer();
    await using connection = await RawConnection.open(server.url);
    for (let round = 0; round < 2; round++) {
      connection.send({ headers: json, body: hello });
      expect((await connection.readResponse()).body).toBe('{"data":{"greeting":"hello"}}');
    }
  });
});

describe('the media type of a response', () => {
  test.each([
    [undefined, 'application/json; charset=utf-8'],
    ['*/*', 'application/json; charset=utf-8'],
    ['application/json', 'application/json; charset=utf-8'],
    ['application/graphql-response+json', 'application/graphql-response+json; charset=utf-8'],
    [
      'application/graphql-response+json,application/json;q=0.9',
      'application/graphql-response+json; charset=utf-8',
    ],
    ['application/json, application/graphql-response+json', 'application/json; charset=utf-8'],
    ['multipart/mixed, application/json', 'application/json; charset=utf-8'],
    [
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
      'application/graphql-response+json; charset=utf-8',
    ],
  ])('is, for accept %s, %s', async (accept, type) => {
    await using server = await startScriptedServer();
    const headers = accept === undefined ? json : { ...json, accept };
    expect(essence(await exchange(server.url, { headers, body: hello }))).toEqual({
      status: 200,
      type,
      body: { data: { greeting: 'hello' } },
    });
  });

  test('is rejected with 406 before execution when the gateway does not support it', async () => {
    await using server = await startScriptedServer();
    expect(
      essence(await exchange(server.url, { headers: { ...json, accept: 'image/png' }, body: hello })),
    ).toEqual({
      status: 406,
      type: 'application/json; charset=utf-8',
      body: error(
        'The accept header allows no media type of the gateway. Accept application/graphql-response+json, application/json, multipart/mixed, or text/event-stream.',
        'BAD_REQUEST',
      ),
    });
    expect(server.receivedOperations).toEqual([]);
  });
});

describe('a request that is not executed', () => {
  const rows: [string, unknown, number, unknown][] = [
    [
      'a syntax error',
      { query: '{' },
      400,
      [['Syntax Error: Expected Name, found <EOF>.', 'GRAPHQL_PARSE_FAILED']],
    ],
    [
      'an unknown field',
      { query: '{ greetin }' },
      400,
      [['Cannot query field "greetin" on type "Query".', 'GRAPHQL_VALIDATION_FAILED']],
    ],
    [
      'an unknown operation',
      { query: 'query A { greeting }', operationName: 'B' },
      400,
      [['Unknown operation named "B".', 'OPERATION_RESOLUTION_FAILURE']],
    ],
    [
      'an empty operation name, which only GET equates with none',
      { query: '{ greeting }', operationName: '' },
      400,
      [['Unknown operation named "".', 'OPERATION_RESOLUTION_FAILURE']],
    ],
    [
      'several operations without an operation name',
      { query: 'query A { greeting } query B { greeting }' },
      400,
      [
        [
          'Must provide operation name if query contains multiple operations.',
          'OPERATION_RESOLUTION_FAILURE',
        ],
      ],
    ],
    [
      'variables that are not an object',
      { query: '{ greeting }', variables: [1] },
      400,
      [['`variables` in a POST body must be an object if provided.', 'BAD_REQUEST']],
    ],
    ...[{}, 5, 'query', null].map((body): [string, unknown, number, unknown] => [
      `${JSON.stringify(body)} as its body`,
      body,
      400,
      [['The request body must be a JSON object with a `query`: {"query": "…"}.', 'BAD_REQUEST']],
    ]),
    [
      'a query that is not a string',
      { query: 5 },
      400,
      [['GraphQL queries must be strings.', 'BAD_REQUEST']],
    ],
    [
      'no query',
      { operationName: 'A' },
      400,
      [
        [
          'GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension.',
          'BAD_REQUEST',
        ],
      ],
    ],
    [
      'the id of a document while trusted documents are off',
      { documentId: 'abc' },
      400,
      [
        [
          'The request has the id of a document in place of a `query`, but trusted documents are turned off (security.trustedDocuments.mode). Send the text of the operation, or turn them on.',
          'BAD_REQUEST',
        ],
      ],
    ],
  ];
  test.each(rows)('because of %s gets an error in either media type', async (_, body, status, messages) => {
    await using server = await startScriptedServer();
    for (const headers of [json, graphqlResponse]) {
      const response = await exchange(server.url, { headers, body: JSON.stringify(body) });
      const { errors } = JSON.parse(response.body);
      expect({
        status: response.status,
        type: response.headers.get('content-type'),
        messages: errors.map(({ message, extensions }: { message: string; extensions: { code: string } }) => [
          message,
          extensions.code,
        ]),
      }).toEqual({
        status,
        type: `${'accept' in headers ? headers.accept : 'application/json'}; charset=utf-8`,
        messages,
      });
    }
    expect(server.receivedOperations).toEqual([]);
  });

  const notAtRoot =
    'Root fields of a mutation cannot be deferred. Use @defer inside the fields that they return.';
  test.each([
    [
      'two equal labels',
      '{ ... @defer(label: "a") { greeting } node { ... @defer(label: "a") { id } } }',
      'Two uses of @defer have the label "a"; give each its own.',
    ],
    [
      'a label from a variable',
      'query ($label: String) { ... @defer(label: $label) { greeting } }',
      'The label of a @defer must be a string literal, not a variable.',
    ],
    ['root fields of a mutation', 'mutation { ... @defer { greet(name: "a") } }', notAtRoot],
    [
      'root fields of a mutation in a fragment',
      'mutation { ...A } fragment A on Mutation { ...B @defer(if: true) } fragment B on Mutation { greet(name: "a") }',
      notAtRoot,
    ],
    [
      'root fields of a subscription',
      'subscription { ... @defer { greetings } }',
      'Root fields of a subscription cannot be deferred. Use @defer inside the fields that they return.',
    ],
  ])('because of @defer with %s gets a validation error', async (_, query, message) => {
    await using server = await startScriptedServer();
    const response = await exchange(server.url, { headers: json, body: JSON.stringify({ query }) });
    expect([response.status, JSON.parse(response.body).errors]).toEqual([
      400,
      [
        {
          message,
          locations: expect.any(Array),
          extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
        },
      ],
    ]);
    expect(server.receivedOperations).toEqual([]);
  });

  test.each([
    [
      'on a fragment that is spread twice',
      '{ node { ...A node { ...A } } } fragment A on Node { ... @defer(label: "a") { id } }',
    ],
    [
      'that a literal turns off at the root of a mutation',
      'mutation { ... @defer(if: false) { greet(name: "a") } }',
    ],
    ['without labels', '{ node { ... @defer { id } ... @defer(label: null) { name } } }'],
  ])('does not include an operation with @defer %s', async (_, query) => {
    await using server = await startScriptedServer();
    expect((await exchange(server.url, { headers: json, body: JSON.stringify({ query }) })).status).toBe(200);
  });

  test('is an introspection query when introspection is off', async () => {
    const body = JSON.stringify({ query: '{ __schema { queryType { name } } }' });
    await using closed = await startScriptedServer();
    await using open = await startScriptedServer(undefined, { security: { introspection: true } });
    const rejected = await exchange(closed.url, { headers: json, body });
    expect([rejected.status, (await exchange(open.url, { headers: json, body })).status]).toEqual([400, 200]);
    expect(JSON.parse(rejected.body).errors[0].message).toBe(
      'Introspection is off: `__schema` and `__type` are not answered (security.introspection).',
    );
  });

  test.each([
    ['BAD_USER_INPUT', 400],
    ['PLANNING_FAILED', 500],
    ['SUBGRAPH_UNREACHABLE', 502],
    ['DEADLINE_EXCEEDED', 504],
  ] as const)(
    'because of an error in the pipeline has the status of the error code: %s is %i',
    async (code, status) => {
      const errors = [{ message: 'why', extensions: { code } }];
      await using returned = await startScriptedServer(() => ({
        kind: 'single',
        data: undefined,
        errors,
        extensions: undefined,
        caching: undefined,
      }));
      await using thrown = await startScriptedServer(() => {
        throw new GatewayError(code, 'why');
      });
      const expected = { status, type: 'application/json; charset=utf-8', body: { errors } };
      expect(essence(await exchange(returned.url, { headers: json, body: hello }))).toEqual(expected);
      expect(essence(await exchange(thrown.url, { headers: json, body: hello }))).toEqual(expected);
    },
  );

  test('because of an unexpected error has the details in the log and not in the response', async () => {
    await using server = await startScriptedServer(() => {
      throw new Error('password=1');
    });
    expect(essence(await exchange(server.url, { headers: json, body: hello }))).toEqual({
      status: 500,
      type: 'application/json; charset=utf-8',
      body: error('Internal server error', 'INTERNAL_SERVER_ERROR'),
    });
    expect(server.logLines).toEqual(['A request failed with an unexpected error']);
  });

  test("ignores and removes a subgraph's extensions.http", async () => {
    await using server = await startScriptedServer(() =>
      singleOutcome('null', {
        errors: [
          {
            message: 'no',
            extensions: {
              code: 'X',
              http: { status: 302, headers: { location: 'http://evil.test' } },
            },
          },
        ],
      }),
    );
    const response = await exchange(server.url, { headers: json, body: hello });
    expect(response.status).toBe(200);
    expect(response.headers.has('location')).toBe(false);
  });
});

describe('the request body', () => {
  const tooLarge = error(
    'The request body is larger than 100 bytes, the maximum (limits.bodySize).',
    'BAD_REQUEST',
  );

  test.each([
    ['{"query":}', 'The request body is not valid JSON: unexpected "}" at position 9 (line 1, column 10).'],
    [
      '{"query":\n"{ greeting }"',
      'The request body is not valid JSON: unexpected end of the text at position 24 (line 2, column 15).',
    ],
    ['', 'The request body is not valid JSON: unexpected end of the text at position 0 (line 1, column 1).'],
  ])('%j is rejected with the position of the problem', async (body, message) => {
    await using server = await startScriptedServer();
    expect(essence(await exchange(server.url, { headers: json, body }))).toEqual({
      status: 400,
      type: 'application/json; charset=utf-8',
      body: error(message, 'BAD_REQUEST'),
    });
  });

  test('that is not UTF-8 by its bytes or charset is rejected', async () => {
    await using server = await startScriptedServer();
    const bytes = Buffer.from('{"query":"{ greeting(name: \\"\xe9\\") }"}', 'latin1');
    expect(essence(await exchange(server.url, { headers: json, body: bytes }))).toMatchObject({
      status: 400,
      body: error('The request body is not valid UTF-8.', 'BAD_REQUEST'),
    });
    const utf16 = { 'content-type': 'application/json; charset=utf-16le' };
    expect(
      essence(await exchange(server.url, { headers: utf16, body: Buffer.from(hello, 'utf16le') })),
    ).toMatchObject({
      status: 415,
      body: error('The request body must be application/json in UTF-8.', 'BAD_REQUEST'),
    });
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/json'])(
    'of type %s is accepted',
    async (type) => {
      await using server = await startScriptedServer();
      expect((await exchange(server.url, { headers: { 'content-type': type }, body: hello })).status).toBe(
        200,
      );
    },
  );

  test.each(['application/xml', 'application/graphql', 'application/json, text/plain'])(
    'of type %s is rejected with 415',
    async (type) => {
      await using server = await startScriptedServer();
      expect((await exchange(server.url, { headers: { 'content-type': type }, body: hello })).status).toBe(
        415,
      );
    },
  );

  test('with files is rejected with 415 and a pointer to signed URLs', async () => {
    await using server = await startScriptedServer();
    const operations = JSON.stringify({
      query: 'mutation($f: Upload) { upload(f: $f) }',
      variables: { f: null },
    });
    const form = new FormData();
    form.set('operations', operations);
    form.set('map', '{"0":["variables.f"]}');
    form.set('0', new Blob(['content']), 'a.txt');
    const response = await fetch(server.url, { method: 'POST', body: form });
    expect([response.status, await response.json()]).toEqual([
      415,
      {
        errors: [
          {
            message:
              'The gateway accepts no file uploads (multipart/form-data). Upload the file to a signed URL of your storage, and send the URL or a key in application/json (docs/uploads.md).',
            extensions: { code: 'BAD_REQUEST' },
          },
        ],
      },
    ]);
    expect(server.receivedOperations).toEqual([]);
  });

  test('that is too large is rejected by its content-length, while it arrives, and after decompression', async () => {
    await using server = await startScriptedServer(undefined, { limits: { bodySize: 100 } });
    const large = JSON.stringify({ query: `{ greeting } ${' '.repeat(10_000)}` });
    const rejected = { status: 413, type: 'application/json; charset=utf-8', body: tooLarge };
    expect(essence(await exchange(server.url, { headers: json, body: large }))).toEqual(rejected);
    const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(
      essence(
        await exchange(server.url, { headers: { ...json, 'transfer-encoding': 'chunked' }, body: chunked }),
      ),
    ).toEqual(rejected);
    const zipped = gzipSync(large);
    expect(zipped.length).toBeLessThan(100);
    expect(
      essence(await exchange(server.url, { headers: { ...json, 'content-encoding': 'gzip' }, body: zipped })),
    ).toEqual(rejected);
  });

  test('that is too large leaves the connection usable', async () => {
    await using server = await startScriptedServer(undefined, { limits: { bodySize: 100 } });
    await using connection = await RawConnection.open(server.url);
    connection.send({ headers: json, body: ' '.repeat(300_000) });
    connection.send({ headers: json, body: hello });
    expect([(await connection.readResponse()).status, (await connection.readResponse()).status]).toEqual([
      413, 200,
    ]);
  });

  test('may be compressed with gzip, br, zstd or deflate only', async () => {
    await using server = await startScriptedServer();
    const send = (encoding: string, body: Uint8Array): Promise<RawResponse> =>
      exchange(server.url, { headers: { ...json, 'content-encoding': encoding }, body });
    const statuses = [
      (await send('gzip', gzipSync(hello))).status,
      (await send('br', brotliCompressSync(hello))).status,
      (await send('zstd', zstdCompressSync(hello))).status,
      (await send('deflate', deflateSync(hello))).status,
      (await send('gzip', Buffer.from(hello))).status,
    ];
    expect(statuses).toEqual([200, 200, 200, 200, 400]);
    const unknown = await send('zip', Buffer.from(hello));
    expect([unknown.status, unknown.headers.get('accept-encoding')]).toEqual([
      415,
      'gzip, br, zstd, deflate',
    ]);
  });

  test('that breaks off is not logged as an error', async () => {
    await using server = await startScriptedServer();
    const connection = await RawConnection.open(server.url);
    connection.send({ headers: { ...json, 'content-length': '500' }, body: hello });
    await connection[Symbol.asyncDispose]();
    expect((await exchange(server.url, { headers: json, body: hello })).status).toBe(200);
    expect(server.logLines).toEqual([]);
  });
});

describe('HTTP methods and CSRF prevention', () => {
  const get = (query: string): string => `/graphql?${new URLSearchParams({ query })}`;
  const preflighted = { 'apollo-require-preflight': '1' };

  test.each(['PATCH', 'OPTIONS'])('%s is rejected with the allowed methods', async (method) => {
    await using server = await startScriptedServer();
    const { status, headers } = await exchange(server.url, { method, headers: json, body: hello });
    expect([status, headers.get('allow')]).toEqual([405, 'GET, POST, PUT, DELETE']);
  });

  test('GET executes a query with variables and an operation name', async () => {
    await using server = await startScriptedServer();
    const path = `/graphql?${new URLSearchParams({
      query: 'query A($n: String) { greeting(name: $n) } query B { greeting }',
      operationName: 'A',
      variables: '{"n":"x"}',
    })}`;
    expect((await exchange(server.url, { method: 'GET', path, headers: preflighted })).status).toBe(200);
    expect([server.receivedOperations[0]?.operationName, server.receivedOperations[0]?.variables]).toEqual([
      'A',
      { n: 'x' },
    ]);
  });

  test('GET with an empty operation name executes the only operation, also when it is known', async () => {
    await using server = await startScriptedServer();
    const path = `/graphql?${new URLSearchParams({ query: 'query A { greeting }', operationName: '' })}`;
    for (let i = 0; i < 2; i++)
      expect((await exchange(server.url, { method: 'GET', path, headers: preflighted })).status).toBe(200);
    expect(server.receivedOperations.map(({ operationName }) => operationName)).toEqual([
      undefined,
      undefined,
    ]);
    const several = `/graphql?${new URLSearchParams({ query: 'query A { greeting } query B { greeting }', operationName: '' })}`;
    const refused = await exchange(server.url, { method: 'GET', path: several, headers: preflighted });
    expect([refused.status, refused.body]).toEqual([
      400,
      expect.stringContaining('Must provide operation name'),
    ]);
    const repeated = await exchange(server.url, {
      method: 'GET',
      path: `${path}&operationName=A`,
      headers: preflighted,
    });
    expect([repeated.status, repeated.body]).toEqual([
      400,
      expect.stringContaining('only be specified once'),
    ]);
  });

  test('GET rejects a mutation', async () => {
    await using server = await startScriptedServer();
    const path = get('mutation { greet(name: "x") }');
    const response = await exchange(server.url, { method: 'GET', path, headers: preflighted });
    const message = 'GET requests only support query operations, not mutation operations';
    expect([response.status, response.headers.get('allow'), JSON.parse(response.body)]).toEqual([
      405,
      'POST',
      error(message, 'BAD_REQUEST'),
    ]);
  });

  test.each([
    'application/json',
    'application/graphql-response+json, text/event-stream',
    'multipart/mixed;subscriptionSpec=1.0',
  ])('GET with accept: %s rejects a subscription, and says what to accept', async (accept) => {
    await using server = await startScriptedServer();
    // The second one is in Apollo Server's store of documents.
    for (let i = 0; i < 2; i++) {
      const path = get('subscription { greetings }');
      const headers = { ...preflighted, accept };
      const response = await exchange(server.url, { method: 'GET', path, headers });
      const { errors } = JSON.parse(response.body);
      expect([response.status, response.headers.get('allow'), errors]).toEqual([
        400,
        undefined,
        [
          {
            message: expect.stringContaining('With GET, accept text/event-stream and nothing else.'),
            extensions: { code: 'BAD_REQUEST' },
          },
        ],
      ]);
    }
    expect(server.receivedOperations).toEqual([]);
  });

  test.each([
    [
      'GET without a header that makes a browser send a preflight',
      { method: 'GET', path: get('{ greeting }') },
      400,
    ],
    [
      'GET with x-apollo-operation-name',
      { method: 'GET', path: get('{ greeting }'), headers: { 'x-apollo-operation-name': 'A' } },
      200,
    ],
    [
      'GET with an empty apollo-require-preflight',
      { method: 'GET', path: get('{ greeting }'), headers: { 'apollo-require-preflight': '' } },
      400,
    ],
    [
      'GET with content-type application/json',
      { method: 'GET', path: get('{ greeting }'), headers: json },
      200,
    ],
    [
      'GET with another content-type',
      { method: 'GET', path: get('{ greeting }'), headers: { 'content-type': 'application/graphql' } },
      415,
    ],
    ['POST as text/plain', { headers: { 'content-type': 'text/plain' }, body: hello }, 400],
    [
      'POST as a form',
      { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: hello },
      400,
    ],
    ['POST without a content-type', { body: hello }, 400],
    [
      'GET that a browser sends for a page of the same origin',
      { method: 'GET', path: get('{ greeting }'), headers: { 'sec-fetch-site': 'same-origin' } },
      200,
    ],
    [
      'GET that a browser sends for a page of another subdomain',
      { method: 'GET', path: get('{ greeting }'), headers: { 'sec-fetch-site': 'same-site' } },
      400,
    ],
    [
      'GET that a browser sends for a page of another site',
      {
        method: 'GET',
        path: get('{ greeting }'),
        headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' },
      },
      400,
    ],
    [
      "GET from the gateway's own host",
      {
        method: 'GET',
        path: get('{ greeting }'),
        headers: { origin: 'https://gateway.test', host: 'gateway.test' },
      },
      200,
    ],
    [
      'POST as text/plain, preflighted',
      { headers: { 'content-type': 'text/plain', ...preflighted }, body: hello },
      415,
    ],
  ])('CSRF prevention decides the status of a %s', async (_, request, status) => {
    await using server = await startScriptedServer();
    expect((await exchange(server.url, request)).status).toBe(status);
  });

  test('a blocked request gets an error that says what to send', async () => {
    await using server = await startScriptedServer();
    const { body } = await exchange(server.url, { headers: { 'content-type': 'text/plain' }, body: hello });
    expect(JSON.parse(body).errors[0].message).toMatch(
      /^This operation has been blocked as a potential Cross-Site Request Forgery \(security\.csrf\)/,
    );
    expect(server.receivedOperations).toEqual([]);
  });

  test.each([
    ['https://shop.test', {}, false, 200],
    ['https://eu.shop.test', { cookie: 'a=b' }, true, 200],
    ['https://eu.shop.test', { cookie: 'a=b' }, false, 400],
    ['https://evil.test', {}, false, 400],
    ['https://evil.test', { cookie: 'a=b' }, true, 400],
  ])(
    'a GET from a page of %s with %j gets, with credentials %j, %d when CORS allows some origins',
    async (origin, own, credentials, status) => {
      await using server = await startScriptedServer(undefined, {
        security: { cors: { origins: ['https://shop.test', 'https://*.shop.test'], credentials } },
      });
      const request = { method: 'GET', path: get('{ greeting }'), headers: { origin, ...own } };
      expect((await exchange(server.url, request)).status).toBe(status);
    },
  );

  test.each([
    [{}, 200],
    [{ cookie: 'a=b' }, 400],
    [{ authorization: 'Basic YTpi' }, 400],
  ])('a GET from any page with %j gets %d when CORS allows all origins', async (own, status) => {
    await using server = await startScriptedServer(undefined, { security: { cors: { origins: ['*'] } } });
    const headers = { origin: 'https://any.test', ...own };
    expect((await exchange(server.url, { method: 'GET', path: get('{ greeting }'), headers })).status).toBe(
      status,
    );
  });

  test("an operation for an event stream is blocked: the stream in the URL may be another client's", async () => {
    await using server = await startScriptedServer();
    const { body: token } = await exchange(server.url, { method: 'PUT' });
    const extensions = JSON.stringify({ operationId: '1' });
    const path = `/graphql?${new URLSearchParams({ query: '{ greeting }', extensions, token })}`;
    expect((await exchange(server.url, { method: 'GET', path })).status).toBe(400);
    const own = { 'sec-fetch-site': 'same-origin' };
    expect((await exchange(server.url, { method: 'GET', path, headers: own })).status).toBe(202);
    expect(server.receivedOperations).toHaveLength(1);
  });

  test('a GET without special headers is executed when CSRF prevention is off', async () => {
    await using server = await startScriptedServer(undefined, { security: { csrf: false } });
    expect((await exchange(server.url, { method: 'GET', path: get('{ greeting }') })).status).toBe(200);
  });
});

describe('CORS', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: {
      origin: 'https://shop.test',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-request-id',
    },
  };
  const corsOf = ({ status, headers }: RawResponse): unknown => [
    status,
    Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control') || name === 'vary')),
  ];

  test('lets pages of listed origins read responses', async () => {
    await using server = await startScriptedServer(undefined, {
      security: { cors: { origins: ['https://shop.test'] } },
    });
    expect(corsOf(await exchange(server.url, preflight))).toEqual([
      204,
      {
        'access-control-allow-origin': 'https://shop.test',
        'access-control-allow-methods': 'GET, POST, PUT, DELETE',
        'access-control-allow-headers':
          'accept-language, apollo-require-preflight, apollographql-client-name, apollographql-client-version, authorization, content-encoding, content-type, last-event-id, traceparent, tracestate, tributary-budget, tributary-defer, tributary-explain, tributary-priority, x-apollo-operation-name, x-graphql-event-stream-token, x-request-id',
        'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy',
        'access-control-max-age': '0',
        vary: 'origin',
      },
    ]);
    expect(
      corsOf(await exchange(server.url, { headers: { ...json, origin: 'https://shop.test' }, body: hello })),
    ).toEqual([
      200,
      {
        'access-control-allow-origin': 'https://shop.test',
        'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy',
        vary: 'origin',
      },
    ]);
    expect(
      corsOf(await exchange(server.url, { headers: { ...json, origin: 'https://evil.test' }, body: hello })),
    ).toEqual([200, { vary: 'origin' }]);
  });

  test('answers every preflight with the configured headers and lifetime', async () => {
    await using server = await startScriptedServer(undefined, {
      security: {
        cors: {
          origins: ['https://shop.test'],
          credentials: true,
          allowHeaders: ['x-tenant', 'content-type'],
          exposeHeaders: ['etag'],
          maxAge: 600_000,
        },
      },
    });
    const headers = { ...preflight.headers, 'access-control-request-headers': 'x-anything' };
    const [status, answer] = corsOf(await exchange(server.url, { ...preflight, headers })) as [
      number,
      Record<string, string>,
    ];
    const { 'access-control-allow-headers': allowed = '', ...others } = answer;
    expect([status, others]).toEqual([
      204,
      {
        'access-control-allow-origin': 'https://shop.test',
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET, POST, PUT, DELETE',
        'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy, etag',
        'access-control-max-age': '600',
        vary: 'origin',
      },
    ]);
    const names = allowed.split(', ');
    expect(names.filter((name) => /^(x-tenant|content-type|x-anything)$/.test(name))).toEqual([
      'content-type',
      'x-tenant',
    ]);
  });

  test('allows the headers in which clients name themselves, by default and as configured', () => {
    const allowed = (record: object): string | undefined => {
      const config = parseConfig({ supergraph: { file: 'supergraph.graphql' }, contracts: { record } });
      const policy = new CorsPolicy({ ...corsOptionsOf(config), origins: ['https://shop.test'] });
      return policy.preflightHeaders(preflight.headers, 'GET')?.['access-control-allow-headers'];
    };
    expect(allowed({})).toMatch(/, graphql-client-name, graphql-client-version$/);
    const own = { clientNameHeaders: ['x-app'], clientVersionHeaders: ['x-app-version'] };
    expect(allowed(own)).toMatch(/, x-app, x-app-version$/);
  });

  test('allows the headers that subgraphs receive and send, and stores preflights for a day by default', () => {
    const config = parseConfig({
      supergraph: { file: 'supergraph.graphql' },
      subgraphs: {
        all: { headers: { forward: ['x-all'], respond: ['x-node', 'set-cookie'] } },
        reviews: {
          headers: { forward: ['x-tenant'], rules: [{ rename: 'x-a', to: 'x-b' }, { forward: 'x-c' }] },
        },
      },
      security: { cors: { origins: ['https://shop.test'] } },
    });
    const policy = new CorsPolicy(corsOptionsOf(config));
    const answer = policy.preflightHeaders(preflight.headers, 'GET') ?? {};
    expect(answer['access-control-allow-headers']).toMatch(/, x-all, x-tenant, x-a, x-c$/);
    expect(answer['access-control-expose-headers']).toMatch(/, ratelimit-policy, x-node$/);
    expect(answer['access-control-max-age']).toBe('86400');
  });

  test.each([
    ['https://eu.shop.test', true],
    ['https://a.b.shop.test', true],
    ['https://shop.test', false],
    ['https://evilshop.test', false],
    ['https://eu.shop.test.evil', false],
    ['https://evil.test/.shop.test', false],
    ['http://eu.shop.test', false],
    ['https://eu.shop.test:8443', false],
    ['https://.shop.test', false],
    ['null', false],
  ])('for https://*.shop.test allows %s: %s', async (origin, isAllowed) => {
    await using server = await startScriptedServer(undefined, {
      security: { cors: { origins: ['https://*.shop.test'] } },
    });
    const { headers } = await exchange(server.url, { headers: { ...json, origin }, body: hello });
    expect([headers.get('access-control-allow-origin'), headers.get('vary')]).toEqual([
      isAllowed ? origin : undefined,
      'origin',
    ]);
  });

  test('sends no headers when no origin is listed', async () => {
    await using server = await startScriptedServer();
    const refused = await exchange(server.url, preflight);
    expect(corsOf(refused)).toEqual([405, {}]);
    expect(refused.body).toContain('Pages of this origin may not send requests');
  });
});

describe('the security headers', () => {
  const strict = { policy: "default-src 'none'; frame-ancestors 'none'", sniffing: 'nosniff' };
  const securityOf = ({ headers }: RawResponse): unknown => ({
    policy: headers.get('content-security-policy'),
    sniffing: headers.get('x-content-type-options'),
  });

  test.each<[string, number, RawRequest]>([
    ['an answer', 200, { headers: json, body: hello }],
    ['server-sent events', 200, { headers: { ...json, accept: 'text/event-stream' }, body: hello }],
    ['an invalid operation', 400, { headers: json, body: '{"query":"{ nothing }"}' }],
    ['a refused request', 400, { body: hello }],
    ['another method', 405, { method: 'PATCH' }],
    ['a reserved event stream', 201, { method: 'PUT' }],
    ['the health of the gateway', 200, { method: 'GET', path: '/health/live' }],
    ['an unknown path', 404, { method: 'GET', path: '/nothing' }],
    ['a path that is no URL', 400, { method: 'GET', path: '/%zz' }],
  ])('are on the response to %s', async (_, status, request) => {
    await using server = await startScriptedServer();
    const response = await exchange(server.url, request);
    expect([response.status, securityOf(response)]).toEqual([status, strict]);
  });

  test('are on the responses of the admin listener', async () => {
    await using server = await startScriptedServer();
    for (const path of ['/supergraph', '/plan', '/nothing']) {
      expect(securityOf(await exchange(server.adminUrl, { method: 'GET', path }))).toEqual(strict);
    }
  });

  test('are on the response to bytes that are not a valid HTTP request', async () => {
    await using server = await startScriptedServer();
    await using connection = await RawConnection.open(server.url);
    connection.socket.write('POST! / HTTP/1.1\r\n\r\n');
    expect(securityOf(await connection.readResponse())).toEqual(strict);
  });
});

describe('a request target in absolute form', () => {
  const query = new URLSearchParams({ query: '{ greeting }' });
  const preflighted = { 'apollo-require-preflight': '1' };

  test.each<[string, number, RawRequest]>([
    ['an operation over POST', 200, { path: 'http://gateway.test/graphql', headers: json, body: hello }],
    [
      'an operation over GET',
      200,
      { method: 'GET', path: `HTTP://gateway.test:4000/graphql?${query}`, headers: preflighted },
    ],
    ['a preflight', 405, { method: 'OPTIONS', path: 'http://gateway.test/graphql' }],
    ['another route', 200, { method: 'GET', path: 'http://gateway.test/health/live' }],
    ['another method of another route', 405, { method: 'PATCH', path: 'http://gateway.test/health/live' }],
    ['the root', 404, { method: 'GET', path: 'http://gateway.test' }],
    ['the root with a query string', 404, { method: 'GET', path: 'http://gateway.test?a=/graphql' }],
    ['another path', 404, { path: 'http://gateway.test/nothing', headers: json, body: hello }],
  ])('is accepted for %s', async (_, status, request) => {
    await using server = await startScriptedServer();
    expect((await exchange(server.url, request)).status).toBe(status);
  });

  test('has the host that counts, and not the header', async () => {
    await using server = await startScriptedServer();
    await exchange(server.url, {
      path: 'http://gateway.test:4000/graphql',
      headers: { ...json, host: 'other.test' },
      body: hello,
    });
    expect(server.receivedOperations[0]?.headers.get('host')).toBe('gateway.test:4000');
  });
});

describe('bytes that are not a valid HTTP request', () => {
  test.each([
    [
      'an unknown method',
      'POST! / HTTP/1.1\r\n\r\n',
      400,
      'The request is not valid HTTP: Expected space after method.',
    ],
    [
      'a length that is no number',
      'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n',
      400,
      'The request is not valid HTTP: Invalid character in Content-Length.',
    ],
    [
      'headers that are too large',
      `POST /graphql HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      431,
      'The request headers are larger than 16384 bytes, the maximum.',
    ],
  ])(
    'get an error with the reason before the connection is closed: %s',
    async (_, bytes, status, message) => {
      await using server = await startScriptedServer();
      await using connection = await RawConnection.open(server.url);
      connection.socket.write(bytes);
      const response = await connection.readResponse();
      expect([response.status, JSON.parse(response.body)]).toEqual([status, error(message, 'BAD_REQUEST')]);
      await connection.waitForClose();
    },
  );
});

describe('an invalid operation with http.requestErrorStatus: 200', () => {
  const variable = 'query ($name: String) { greeting(name: $name) }';
  const invalidVariable = singleOutcome('', {
    data: undefined,
    errors: [{ message: 'no', extensions: { code: 'BAD_USER_INPUT' } }],
  });
  const events = { ...json, accept: 'text/event-stream' };

  test.each<[string, number, RawRequest]>([
    ['a syntax error in JSON', 200, { headers: json, body: '{"query":"{"}' }],
    ['an unknown field in JSON', 200, { headers: json, body: '{"query":"{ nothing }"}' }],
    [
      'a subscription with a condition at its root in JSON',
      200,
      { headers: json, body: '{"query":"subscription ($a: Boolean!) { ticks @skip(if: $a) }"}' },
    ],
    [
      'an unknown operation name in JSON',
      200,
      { headers: json, body: '{"query":"{ greeting }","operationName":"A"}' },
    ],
    ['an invalid variable in JSON', 200, { headers: json, body: JSON.stringify({ query: variable }) }],
    [
      'an unknown field in the media type of GraphQL',
      400,
      { headers: graphqlResponse, body: '{"query":"{ nothing }"}' },
    ],
    [
      'an operation beyond the limits',
      400,
      { headers: json, body: '{"query":"{ node { node { node { id } } } }"}' },
    ],
    ['a body without an operation', 400, { headers: json, body: '{}' }],
    ['a batch', 400, { headers: json, body: '[{"query":"{ nothing }"}]' }],
    [
      'an EventSource, which would reconnect',
      400,
      {
        method: 'GET',
        path: '/graphql?query={nothing}',
        headers: { ...events, 'apollo-require-preflight': '1' },
      },
    ],
  ])('has for %s the status %d', async (_, status, request) => {
    await using server = await startScriptedServer(() => invalidVariable, {
      requestErrorStatus: 200,
      limits: { depth: 2, batchedOperations: 2 },
    });
    // The second time, operations that are valid bypass Apollo Server.
    for (let count = 0; count < 2; count++) {
      expect((await exchange(server.url, request)).status).toBe(status);
    }
  });

  test('has, in the answer to an operation on an event stream, the status 400', async () => {
    await using server = await startScriptedServer(undefined, { requestErrorStatus: 200 });
    const token = await reserveStream(server.url);
    const { status } = await exchange(server.url, operationRequest(token, { query: '{ nothing }' }));
    expect(status).toBe(400);
  });
});

describe('an automatic persisted query', () => {
  const query = '{ greeting }';
  const hash = createHash('sha256').update(query).digest('hex');
  const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };

  test('is not found, then registered, then found over POST', async () => {
    await using server = await startScriptedServer();
    const send = (body: object): Promise<RawResponse> =>
      exchange(server.url, { headers: json, body: JSON.stringify(body) });
    const missed = await send({ extensions });
    expect([missed.status, missed.headers.get('cache-control'), JSON.parse(missed.body)]).toEqual([
      200,
      'private, no-cache, must-revalidate',
      error('PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND'),
    ]);
    expect((await send({ query, extensions })).body).toBe('{"data":{"greeting":"hello"}}');
    expect((await send({ extensions })).body).toBe('{"data":{"greeting":"hello"}}');
  });

  test('can be registered over GET', async () => {
    await using server = await startScriptedServer();
    const send = (parameters: Record<string, string>): Promise<RawResponse> =>
      exchange(server.url, {
        method: 'GET',
        path: `/graphql?${new URLSearchParams({ ...parameters, extensions: JSON.stringify(extensions) })}`,
        headers: { 'apollo-require-preflight': '1' },
      });
    const bodies = [await send({}), await send({ query }), await send({})].map(({ body }) =>
      JSON.parse(body),
    );
    expect(bodies).toEqual([
      error('PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND'),
      { data: { greeting: 'hello' } },
      { data: { greeting: 'hello' } },
    ]);
  });

  test('is rejected with a wrong hash or version', async () => {
    await using server = await startScriptedServer();
    const send = (persistedQuery: object): Promise<RawResponse> =>
      exchange(server.url, {
        headers: json,
        body: JSON.stringify({ query, extensions: { persistedQuery } }),
      });
    const asHash =
      'extensions.persistedQuery.sha256Hash must be the SHA-256 of the query in lower-case hexadecimal digits.';
    const otherVersion =
      'The version of the persisted query is not supported. Send version 1 (extensions.persistedQuery.version).';
    const rows: [object, string][] = [
      [
        { version: 1, sha256Hash: 'no' },
        `The hash of the persisted query does not match the query: ${asHash}`,
      ],
      [{ version: 2, sha256Hash: hash }, otherVersion],
      [{ sha256Hash: hash }, otherVersion],
      [{ version: 1, sha256Hash: { toString: 1 } }, `The persisted query has no hash: ${asHash}`],
    ];
    for (const [persistedQuery, message] of rows) {
      const response = await send(persistedQuery);
      expect([response.status, JSON.parse(response.body)]).toEqual([400, error(message, 'BAD_REQUEST')]);
    }
    expect(server.receivedOperations).toEqual([]);
  });

  test('is never registered when its operation exceeds a limit', async () => {
    const deep = '{ node { node { id } } }';
    const persistedQuery = { version: 1, sha256Hash: createHash('sha256').update(deep).digest('hex') };
    await using server = await startScriptedServer(undefined, { limits: { depth: 2 } });
    const send = async (body: object): Promise<string> =>
      JSON.parse((await exchange(server.url, { headers: json, body: JSON.stringify(body) })).body).errors[0]
        .extensions.code;
    expect([
      await send({ query: deep, extensions: { persistedQuery } }),
      await send({ extensions: { persistedQuery } }),
    ]).toEqual(['OPERATION_TOO_COMPLEX', 'PERSISTED_QUERY_NOT_FOUND']);
  });
});

describe('the operation limits', () => {
  const tooComplex = {
    errors: [
      {
        message: 'The operation is nested at least 3 levels deep; at most 2 are allowed (limits.depth).',
        extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'depth', value: 3, allowed: 2 },
      },
    ],
  };
  const query = '{ node { node { id } } }';

  test('reject an operation over POST, over GET and in a batch', async () => {
    await using server = await startScriptedServer(undefined, { limits: { depth: 2, batchedOperations: 5 } });
    const requests = [
      { headers: json, body: JSON.stringify({ query }) },
      { method: 'GET', path: `/graphql?${new URLSearchParams({ query })}`, headers: json },
      { headers: json, body: JSON.stringify([{ query: '{ greeting }' }, { query }]) },
    ];
    for (const request of requests) {
      expect(essence(await exchange(server.url, request))).toEqual({
        status: 400,
        type: 'application/json; charset=utf-8',
        body: tooComplex,
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
    for (const request of [post(deep), get, post([{ query: '{ greeting }' }, deep])]) {
      const response = await exchange(server.url, request);
      expect([response.status, JSON.parse(response.body)]).toEqual([
        400,
        {
          errors: [
            {
              message: 'The variable "name" is nested more than 2 levels deep (limits.depth).',
              extensions: { limit: 'depth', value: 3, allowed: 2, code: 'OPERATION_TOO_COMPLEX' },
            },
          ],
        },
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
      const response = await exchange(server.url, { headers: json, body: JSON.stringify({ query }) });
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
    const response = await exchange(server.url, { headers: json, body: JSON.stringify({ query }) });
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
      const { status, body } = await exchange(server.url, {
        headers: json,
        body: JSON.stringify({ query: text }),
      });
      expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([400, 'OPERATION_TOO_COMPLEX']);
    }
  });
});

describe('a batch (JSON array) of operations', () => {
  const batch = (count: number): string =>
    JSON.stringify(Array.from({ length: count }, () => ({ query: '{ greeting }' })));

  test('is rejected when batches are off', async () => {
    await using server = await startScriptedServer();
    expect(essence(await exchange(server.url, { headers: json, body: batch(1) }))).toMatchObject({
      status: 400,
      body: error(
        'The request body is a JSON array, but batches of operations are turned off (limits.batchedOperations). Send one JSON object.',
        'BAD_REQUEST',
      ),
    });
  });

  test('is answered with an array in the same order, never in several payloads', async () => {
    let count = 0;
    await using server = await startScriptedServer(() => singleOutcome(`{"greeting":"${++count}"}`), {
      limits: { batchedOperations: 3 },
    });
    expect(
      essence(
        await exchange(server.url, {
          headers: { ...json, accept: 'multipart/mixed;deferSpec=20220824, application/json' },
          body: batch(3),
        }),
      ),
    ).toEqual({
      status: 200,
      type: 'application/json; charset=utf-8',
      body: [{ data: { greeting: '1' } }, { data: { greeting: '2' } }, { data: { greeting: '3' } }],
    });
    expect(server.receivedOperations.map((request) => request.incrementalFormat)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('is rejected when the client accepts only multipart', async () => {
    await using server = await startScriptedServer(undefined, { limits: { batchedOperations: 3 } });
    const headers = { ...json, accept: 'multipart/mixed' };
    const response = await exchange(server.url, { headers, body: '[{ "query": "{ greeting }" }]' });
    expect([response.status, JSON.parse(response.body)]).toEqual([
      406,
      error(
        'The response to a JSON array of operations is one JSON document, which the accept header does not allow. Accept application/json.',
        'BAD_REQUEST',
      ),
    ]);
    expect(server.receivedOperations).toEqual([]);
  });

  test('has one status: an invalid operation makes it 400', async () => {
    await using server = await startScriptedServer(undefined, { limits: { batchedOperations: 3 } });
    const body = JSON.stringify([{ query: '{ greeting }' }, { query: '{' }]);
    expect(essence(await exchange(server.url, { headers: json, body }))).toMatchObject({
      status: 400,
      body: [{ data: { greeting: 'hello' } }, { errors: [{ extensions: { code: 'GRAPHQL_PARSE_FAILED' } }] }],
    });
  });

  test('with something else than an operation is rejected before any of its operations is executed', async () => {
    await using server = await startScriptedServer(undefined, { limits: { batchedOperations: 3 } });
    const query = 'mutation { greet(name: "Ada") }';
    const answers: unknown[] = [];
    for (const item of [
      null,
      {},
      { query: 5 },
      { query, operationName: 5 },
      { query, variables: '{}' },
      { query, extensions: [] },
    ]) {
      const { status, body } = await exchange(server.url, {
        headers: json,
        body: JSON.stringify([{ query }, item]),
      });
      answers.push([status, JSON.parse(body).errors[0].message]);
    }
    const object = 'Operation 2 of the batch must be a JSON object with a `query`: {"query": "…"}.';
    expect(answers).toEqual([
      [400, object],
      [400, object],
      [400, 'Operation 2 of the batch is malformed: `query` must be a string.'],
      [400, 'Operation 2 of the batch is malformed: `operationName` must be a string.'],
      [400, 'Operation 2 of the batch is malformed: `variables` must be an object.'],
      [400, 'Operation 2 of the batch is malformed: `extensions` must be an object.'],
    ]);
    expect(server.receivedOperations).toEqual([]);
  });

  test('with more operations than allowed is rejected as a whole', async () => {
    await using server = await startScriptedServer(undefined, { limits: { batchedOperations: 3 } });
    expect(essence(await exchange(server.url, { headers: json, body: batch(4) }))).toMatchObject({
      status: 400,
      body: error(
        'The request has 4 operations; at most 3 are allowed (limits.batchedOperations).',
        'OPERATION_TOO_COMPLEX',
      ),
    });
  });
});

describe('the supergraph', () => {
  test('is required: without one, operations get 503 and readiness reports the reason', async () => {
    const supergraphs = new FakeSupergraphView();
    supergraphs.refuse('The composer says no.');
    await using server = await startScriptedServer(undefined, { supergraphs });
    expect(essence(await exchange(server.url, { headers: graphqlResponse, body: hello }))).toMatchObject({
      status: 503,
      body: { errors: [{ extensions: { code: 'SUPERGRAPH_UNAVAILABLE' } }] },
    });
    const ready = { method: 'GET', path: '/health/ready' };
    const { body: toClients } = await exchange(server.url, ready);
    expect(JSON.parse(toClients)).toEqual({
      status: 'not ready',
      reasons: [{ code: 'SUPERGRAPH_UNAVAILABLE' }],
    });
    expect(essence(await exchange(server.adminUrl, ready))).toMatchObject({
      status: 503,
      body: {
        status: 'not ready',
        reasons: [{ code: 'SUPERGRAPH_UNAVAILABLE', message: 'The composer says no.' }],
      },
    });
    supergraphs.set(supergraphOf(testSdl));
    expect((await exchange(server.url, { headers: json, body: hello })).status).toBe(200);
    expect(essence(await exchange(server.url, ready))).toMatchObject({
      status: 200,
      body: { status: 'ready', supergraph: 'first' },
    });
    expect(essence(await exchange(server.url, { method: 'GET', path: '/health/live' }))).toMatchObject({
      status: 200,
      body: { status: 'live' },
    });
  });

  test('validates new operations after an update, while a running operation keeps the previous one', async () => {
    const entered = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await using server = await startScriptedServer(async (request, supergraph) => {
      if (request.operationName === 'Slow') {
        entered.resolve();
        await released.promise;
      }
      return singleOutcome(JSON.stringify({ id: supergraph.id }));
    });
    const slow = exchange(server.url, {
      headers: json,
      body: JSON.stringify({ query: 'query Slow { greeting }', operationName: 'Slow' }),
    });
    await entered.promise;
    server.supergraphs.set(supergraphOf('type Query { farewell: String }', 'second'));
    const old = await exchange(server.url, { headers: json, body: hello });
    const fresh = await exchange(server.url, {
      headers: json,
      body: JSON.stringify({ query: '{ farewell }' }),
    });
    released.resolve();
    expect([old.status, fresh.body, (await slow).body]).toEqual([
      400,
      '{"data":{"id":"second"}}',
      '{"data":{"id":"first"}}',
    ]);
  });

  test('is shown on the admin listener with its subgraphs and the newest refusal', async () => {
    await using server = await startScriptedServer();
    server.supergraphs.refuse('Cannot compose.');
    const { body } = await exchange(server.adminUrl, { method: 'GET', path: '/supergraph' });
    const shown = JSON.parse(body);
    expect(shown).toEqual({
      supergraph: {
        id: 'first',
        loadedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        subgraphs: [{ name: 'greetings', url: 'http://greetings.test/graphql' }],
        sdl: testSdl,
      },
      lastRefusal: 'Cannot compose.',
      sourceProblem: null,
    });
    const onPublic = await exchange(server.url, { method: 'GET', path: '/supergraph' });
    expect(onPublic.status).toBe(404);
  });

  test('has its query plans shown on the admin listener', async () => {
    await using server = await startScriptedServer(undefined, {
      explain: (operation) =>
        operation === '{'
          ? Promise.reject(new GatewayError('BAD_REQUEST', 'No such thing.'))
          : Promise.resolve(`plan of ${operation}`),
    });
    const plan = (search: string): Promise<RawResponse> =>
      exchange(server.adminUrl, { method: 'GET', path: `/plan${search}` });
    const answers = [await plan('?operation=%7Ba%7D'), await plan('?operation=%7B'), await plan('')];
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, 'plan of {a}'],
      [400, '{"error":"No such thing."}'],
      [400, '{"error":"The query parameter operation is missing: /plan?operation=… (URL-encoded GraphQL)."}'],
    ]);
  });
});

describe('Apollo Server plugins of a library user', () => {
  test('can read the context and change errors and extensions', async () => {
    await using server = await startScriptedServer(undefined, {
      plugins: [
        {
          requestDidStart: async ({ contextValue }) => ({
            willSendResponse: async ({ response }) => {
              if (response.body.kind === 'single') {
                response.body.singleResult.extensions = { seen: contextValue.client.requestId };
              }
            },
          }),
        },
      ],
    });
    const { body } = await exchange(server.url, { headers: { ...json, 'x-request-id': 'r1' }, body: hello });
    expect(body).toBe('{"data":{"greeting":"hello"},"extensions":{"seen":"r1"}}');
  });

  test('can replace the errors of a response, as `formatError` of Apollo Server does', async () => {
    const plugin: ApolloServerPlugin<GatewayContext> = {
      requestDidStart: async () => ({
        async willSendResponse({ response: { body } }) {
          if (body.kind !== 'single') return;
          const { errors = [] } = body.singleResult;
          body.singleResult.errors = errors.map(({ message }) => ({ message: `Sorry: ${message}` }));
        },
      }),
    };
    const outcome = singleOutcome('{"greeting":null}', { errors: [{ message: 'no', path: ['greeting'] }] });
    await using server = await startScriptedServer(() => outcome, { plugins: [plugin] });
    const bodies: string[] = [];
    for (const query of ['{ greeting }', '{ greting }', '{']) {
      const { body } = await exchange(server.url, { headers: json, body: JSON.stringify({ query }) });
      bodies.push(body);
    }
    expect(bodies).toEqual([
      '{"errors":[{"message":"Sorry: no"}],"data":{"greeting":null}}',
      '{"errors":[{"message":"Sorry: Cannot query field \\"greting\\" on type \\"Query\\"."}]}',
      '{"errors":[{"message":"Sorry: Syntax Error: Expected Name, found <EOF>."}]}',
    ]);
  });

  test('report operations to GraphOS if one is that for usage reporting', async () => {
    const reported = Promise.withResolvers<string>();
    const graphos = createServer(async (request, response) => {
      reported.resolve(gunzipSync(await buffer(request)).toString());
      response.end();
    });
    await once(graphos.listen(0, '127.0.0.1'), 'listening');
    const endpointUrl = `http://127.0.0.1:${(graphos.address() as AddressInfo).port}`;
    process.env.APOLLO_KEY = 'service:shop:key';
    process.env.APOLLO_GRAPH_REF = 'shop@current';
    const plugin = ApolloServerPluginUsageReporting({ sendReportsImmediately: true, endpointUrl });
    await using server = await startScriptedServer(undefined, { plugins: [plugin] });
    await exchange(server.url, {
      headers: json,
      body: JSON.stringify({ query: 'query Hello { greeting }' }),
    });
    const report = await reported.promise;
    expect(report).toContain('shop@current');
    expect(report).toContain('# Hello\nquery Hello{greeting}');
    graphos.close();
  });

  test('log texts, errors and fields with a message, at each level', async () => {
    const lines: unknown[] = [];
    const logger = createLogger('debug', {
      write: (text) => {
        const { time, ...line } = JSON.parse(text);
        lines.push(line);
      },
    });
    const plugin: ApolloServerPlugin<GatewayContext> = {
      requestDidStart: async ({ logger: { debug, info, warn, error } }) => {
        debug('details');
        info({ msg: 'Reports are sent', interval: 10 });
        warn(Object.assign(new Error('slow'), { secret: 'canary' }));
        error({ error: new Error('no') });
      },
    };
    await using server = await startScriptedServer(undefined, { plugins: [plugin], log: logger });
    await exchange(server.url, { headers: json, body: hello });
    const stack = expect.any(String);
    expect(lines).toEqual([
      { level: 20, msg: 'details' },
      { level: 30, interval: 10, msg: 'Reports are sent' },
      {
        level: 40,
        err: { type: 'Error', message: 'slow', stack },
        msg: 'A plugin of Apollo Server reports an error',
      },
      {
        level: 50,
        error: { type: 'Error', message: 'no', stack },
        msg: 'A plugin of Apollo Server reports',
      },
    ]);
  });
});

describe('a plugin that sets an invalid response header', () => {
  test('fails only that request and not the process', async () => {
    let isBroken = true;
    await using server = await startScriptedServer(undefined, {
      plugins: [
        {
          requestDidStart: async () => ({
            willSendResponse: async ({ response }) => {
              if (isBroken) response.http.headers.set('x-broken', 'line\nbreak');
            },
          }),
        },
      ],
    });
    const broken = await exchange(server.url, { headers: json, body: hello });
    isBroken = false;
    const next = await exchange(server.url, { headers: json, body: hello });
    expect([broken.status, next.status]).toEqual([500, 200]);
    expect(server.logLines).toEqual(['A request failed with an unexpected error']);
  });
});
