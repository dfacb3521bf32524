import { describe, expect, test } from '@jest/globals';
import {
  exchange,
  exchangeJson,
  RawConnection,
  type RawRequest,
  type RawResponse,
} from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const json = { 'content-type': 'application/json' };
const greeting = { query: '{ greeting }' };
const hello = JSON.stringify(greeting);

const error = (message: string, code: string): unknown => ({ errors: [{ message, extensions: { code } }] });

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
    expect(server.receivedOperations.map(({ operationName }) => operationName)).toStrictEqual([
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
    expect(corsOf(await exchangeJson(server.url, greeting, { origin: 'https://shop.test' }))).toEqual([
      200,
      {
        'access-control-allow-origin': 'https://shop.test',
        'access-control-expose-headers': 'x-request-id, retry-after, ratelimit, ratelimit-policy',
        vary: 'origin',
      },
    ]);
    expect(corsOf(await exchangeJson(server.url, greeting, { origin: 'https://evil.test' }))).toEqual([
      200,
      { vary: 'origin' },
    ]);
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
