import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import {
  exchange,
  exchangeJson,
  parseJsonResponse,
  RawConnection,
  type RawRequest,
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
      'The URL and the headers of the request are larger than 16384 bytes, the maximum. Send a long operation by POST.',
    ],
    [
      'an operation in a URL that is too long',
      `GET /graphql?query=${'y'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
      431,
      'The URL and the headers of the request are larger than 16384 bytes, the maximum. Send a long operation by POST.',
    ],
    [
      'HTTP/2 without TLS',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      400,
      'The gateway accepts HTTP/2 only with TLS (listen.tls). Send the request with HTTP/1.1.',
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
