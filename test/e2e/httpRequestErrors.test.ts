import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import {
  exchange,
  exchangeJson,
  parseJsonResponse,
  RawConnection,
  type RawRequest,
  type RawResponse,
} from '../harness/rawHttp.ts';
import { singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';
import { operationRequest, reserveStream } from '../harness/singleConnection.ts';

const json = { 'content-type': 'application/json' };
const graphqlResponse = { ...json, accept: 'application/graphql-response+json' };
const greeting = { query: '{ greeting }' };
const hello = JSON.stringify(greeting);

const error = (message: string, code: string): unknown => ({ errors: [{ message, extensions: { code } }] });

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
    const response = await exchangeJson(server.url, { query });
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
    expect((await exchangeJson(server.url, { query })).status).toBe(200);
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
      expect(parseJsonResponse(await exchangeJson(returned.url, greeting))).toEqual(expected);
      expect(parseJsonResponse(await exchangeJson(thrown.url, greeting))).toEqual(expected);
    },
  );

  test('because of an unexpected error has the details in the log and not in the response', async () => {
    await using server = await startScriptedServer(() => {
      throw new Error('password=1');
    });
    expect(parseJsonResponse(await exchangeJson(server.url, greeting))).toEqual({
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
    const response = await exchangeJson(server.url, greeting);
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
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body }))).toEqual({
      status: 400,
      type: 'application/json; charset=utf-8',
      body: error(message, 'BAD_REQUEST'),
    });
  });

  test('that is not UTF-8 by its bytes or charset is rejected', async () => {
    await using server = await startScriptedServer();
    const bytes = Buffer.from('{"query":"{ greeting(name: \\"\xe9\\") }"}', 'latin1');
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: bytes }))).toMatchObject({
      status: 400,
      body: error('The request body is not valid UTF-8.', 'BAD_REQUEST'),
    });
    const utf16 = { 'content-type': 'application/json; charset=utf-16le' };
    expect(
      parseJsonResponse(await exchange(server.url, { headers: utf16, body: Buffer.from(hello, 'utf16le') })),
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
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: large }))).toEqual(rejected);
    const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(
      parseJsonResponse(
        await exchange(server.url, { headers: { ...json, 'transfer-encoding': 'chunked' }, body: chunked }),
      ),
    ).toEqual(rejected);
    const zipped = gzipSync(large);
    expect(zipped.length).toBeLessThan(100);
    expect(
      parseJsonResponse(
        await exchange(server.url, { headers: { ...json, 'content-encoding': 'gzip' }, body: zipped }),
      ),
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
    expect((await exchangeJson(server.url, greeting)).status).toBe(200);
    expect(server.logLines).toEqual([]);
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
      expect(parseJsonResponse(await exchange(server.url, request))).toEqual({
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
