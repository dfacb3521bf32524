import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import {
  exchange,
  exchangeJson,
  parseJsonResponse,
  RawConnection,
  type RawResponse,
} from '../harness/rawHttp.ts';
import {
  FakeSupergraphView,
  singleOutcome,
  startScriptedServer,
  supergraphOf,
  testSdl,
} from '../harness/scriptedServer.ts';

const json = { 'content-type': 'application/json' };
const graphqlResponse = { ...json, accept: 'application/graphql-response+json' };
const greeting = { query: '{ greeting }' };
const hello = JSON.stringify(greeting);

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
    const { status, headers, body } = await exchangeJson(server.url, greeting);
    expect({ status, body }).toEqual({
      status: 200,
      body: '{"errors":[{"message":"no","path":["greeting"],"locations":[{"line":1,"column":3}],"extensions":{"code":"SUBGRAPH_ERROR"}}],"data":{"greeting":null},"extensions":{"note":1}}',
    });
    expect(headers.get('content-length')).toBe(String(body.length));
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('reaches the pipeline parsed, with its variables, name, headers and request id', async () => {
    await using server = await startScriptedServer();
    await exchangeJson(
      server.url,
      {
        query: 'query A($n: String) { greeting(name: $n) } query B { greeting }',
        operationName: 'A',
        variables: { n: 'é' },
      },
      { authorization: 'Bearer x', 'x-request-id': 'abc-1' },
    );
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
    const { body } = await exchangeJson(server.url, greeting);
    expect(JSON.parse(body)).toEqual({ data: { greeting: 'grüße 🎉' } });
  });

  test('gets a new request id when its own is missing or unsafe to log', async () => {
    await using server = await startScriptedServer();
    const kept = await exchangeJson(server.url, greeting, { 'x-request-id': 'a.b:c/1' });
    const unfit = await exchangeJson(server.url, greeting, { 'x-request-id': 'a "b"' });
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
    expect(parseJsonResponse(await exchange(server.url, { headers, body: hello }))).toEqual({
      status: 200,
      type,
      body: { data: { greeting: 'hello' } },
    });
  });

  test('is rejected with 406 before execution when the gateway does not support it', async () => {
    await using server = await startScriptedServer();
    expect(parseJsonResponse(await exchangeJson(server.url, greeting, { accept: 'image/png' }))).toEqual({
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

describe('an automatic persisted query', () => {
  const query = '{ greeting }';
  const hash = createHash('sha256').update(query).digest('hex');
  const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };

  test('is not found, then registered, then found over POST', async () => {
    await using server = await startScriptedServer();
    const send = (body: object): Promise<RawResponse> => exchangeJson(server.url, body);
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
      exchangeJson(server.url, { query, extensions: { persistedQuery } });
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
      JSON.parse((await exchangeJson(server.url, body)).body).errors[0].extensions.code;
    expect([
      await send({ query: deep, extensions: { persistedQuery } }),
      await send({ extensions: { persistedQuery } }),
    ]).toEqual(['OPERATION_TOO_COMPLEX', 'PERSISTED_QUERY_NOT_FOUND']);
  });
});

describe('a batch (JSON array) of operations', () => {
  const batch = (count: number): string =>
    JSON.stringify(Array.from({ length: count }, () => ({ query: '{ greeting }' })));

  test('is rejected when batches are off', async () => {
    await using server = await startScriptedServer();
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: batch(1) }))).toMatchObject({
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
      parseJsonResponse(
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
    expect(server.receivedOperations.map((request) => request.incrementalFormat)).toStrictEqual([
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
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body }))).toMatchObject({
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
      const { status, body } = await exchangeJson(server.url, [{ query }, item]);
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

  test.each([
    ['limits', { query: '{ a: greeting b: greeting }' }, 'The operation has 2 aliases'],
    ['the depth of variables', { query: '{ greeting }', variables: { a: [[[]]] } }, 'The variable "a" is'],
    ['persisted queries', { extensions: { persistedQuery: { version: 2 } } }, 'The version of the persisted'],
    ['ids of documents', { documentId: 'greeting' }, 'The request has the id of a document'],
  ])('is rejected with the number of the operation that is not allowed: %s', async (_, item, message) => {
    await using server = await startScriptedServer(undefined, {
      limits: { batchedOperations: 3, aliases: 1, depth: 2 },
    });
    const { status, body } = await exchangeJson(server.url, [{ query: '{ greeting }' }, item]);
    const errors = [{ message: expect.stringContaining(`Operation 2 of the batch: ${message}`) }];
    expect([status, JSON.parse(body)]).toMatchObject([400, { errors }]);
    expect(server.receivedOperations).toEqual([]);
  });

  test('with more operations than allowed is rejected as a whole', async () => {
    await using server = await startScriptedServer(undefined, { limits: { batchedOperations: 3 } });
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: batch(4) }))).toMatchObject({
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
    expect(
      parseJsonResponse(await exchange(server.url, { headers: graphqlResponse, body: hello })),
    ).toMatchObject({
      status: 503,
      body: { errors: [{ extensions: { code: 'SUPERGRAPH_UNAVAILABLE' } }] },
    });
    const ready = { method: 'GET', path: '/health/ready' };
    const { body: toClients } = await exchange(server.url, ready);
    expect(JSON.parse(toClients)).toEqual({
      status: 'not ready',
      reasons: [{ code: 'SUPERGRAPH_UNAVAILABLE' }],
    });
    expect(parseJsonResponse(await exchange(server.adminUrl, ready))).toMatchObject({
      status: 503,
      body: {
        status: 'not ready',
        reasons: [{ code: 'SUPERGRAPH_UNAVAILABLE', message: 'The composer says no.' }],
      },
    });
    supergraphs.set(supergraphOf(testSdl));
    expect((await exchangeJson(server.url, greeting)).status).toBe(200);
    expect(parseJsonResponse(await exchange(server.url, ready))).toMatchObject({
      status: 200,
      body: { status: 'ready', supergraph: 'first' },
    });
    expect(
      parseJsonResponse(await exchange(server.url, { method: 'GET', path: '/health/live' })),
    ).toMatchObject({
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
    const slow = exchangeJson(server.url, { query: 'query Slow { greeting }', operationName: 'Slow' });
    await entered.promise;
    server.supergraphs.set(supergraphOf('type Query { farewell: String }', 'second'));
    const old = await exchangeJson(server.url, greeting);
    const fresh = await exchangeJson(server.url, { query: '{ farewell }' });
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
