import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createCertificate } from '../harness/createCertificate.ts';
import { type InlineContext, startInlineGateway } from '../harness/inlineGateway.ts';
import { postJson } from '../harness/postJson.ts';
import { exchangeJson, RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import { type Exchange, json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { createTemporaryDirectory, disposeAfterSuite } from '../harness/suiteResources.ts';

const secret = 'canary of the signing secret';
const authority = createCertificate({ name: 'authority', isAuthority: true });
const server = createCertificate({ name: 'localhost', issuer: authority });
const own = createCertificate({ name: 'gateway', issuer: authority });

let cookies = 0;

const directory = createTemporaryDirectory();
const files = Object.fromEntries(
  await Promise.all(
    Object.entries({ ca: authority.cert, cert: own.cert, key: own.key }).map(async ([name, pem]) => {
      const file = join(directory, `${name}.pem`);
      await writeFile(file, pem);
      return [name, file] as const;
    }),
  ),
);

/** Demands a certificate of the gateway, and signed bodies. */
const accounts = await startScriptedSubgraph({
  cert: server.cert,
  key: server.key,
  ca: authority.cert,
  requestCert: true,
  rejectUnauthorized: true,
});
disposeAfterSuite(accounts);
const gateway = await startInlineGateway({
  subgraphs: [
    {
      name: 'accounts',
      sdl: `
        type Query { me: String }
        type Mutation { rename: String }
        type Subscription { renamed: String }
      `,
    },
    {
      name: 'reviews',
      sdl: 'type Query { reviews: String reviewed: String visits: String cachedVisits: String }',
      resolvers: { Query: { reviews: () => 'r', reviewed: () => 'd', visits: echo, cachedVisits: echo } },
    },
    { name: 'stock', sdl: 'type Query { stock: String }', resolvers: { Query: { stock: echo } } },
  ],
  addressOf: async (name, url) => (name === 'accounts' ? accounts.url : url),
  config: {
    security: { jwt: { issuers: [{ jwks: 'http://127.0.0.1:9/jwks.json' }], header: 'x-token' } },
    cache: { rules: { 'Query.cachedVisits': { maxAge: '1h' } } },
    subgraphs: {
      all: {
        headers: {
          forward: ['authorization', 'x-user'],
          rules: [
            { set: 'x-region', value: 'eu' },
            { rename: 'x-tenant', to: 'x-customer' },
            { set: 'x-subject', claim: 'sub' },
            { forwardMatching: '^x-acme-' },
            { remove: 'x-acme-internal' },
          ],
          respond: ['x-node', 'cache-control'],
        },
      },
      accounts: {
        tls: files,
        signing: { secret },
        retry: { minDelay: '1ms', maxDelay: '1ms' },
        subscription: { protocol: 'sse' },
      },
      reviews: {
        headers: {
          respond: [
            'set-cookie',
            'cache-control',
            { name: 'x-first', merge: 'first' },
            'x-last',
            { name: 'x-all', merge: 'append' },
          ],
        },
      },
    },
  },
});
disposeAfterSuite(gateway);

afterEach(() => gateway.reset());

function echo(_parent: unknown, _args: unknown, { headers }: InlineContext): string {
  return String(headers['x-user']);
}

function post(query: string, headers: Readonly<Record<string, string>> = {}): Promise<RawResponse> {
  return exchangeJson(gateway.url, { query }, { accept: 'application/json', ...headers });
}

/** The lines of a response header, in their order. */
async function readLines(query: string, name: string): Promise<string[]> {
  const response = await postJson(gateway.url, { query });
  await response.text();
  return name === 'set-cookie' ? response.headers.getSetCookie() : [response.headers.get(name) ?? 'absent'];
}

const signed = (body: string) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

describe('a subgraph', () => {
  test('gets exactly the headers of the rules, those of the gateway, and the signature of the body', async () => {
    accounts.enqueueScripts(json({ data: { me: 'ada' } }));
    const { status, body } = await post('{ me }', {
      authorization: 'Bearer a',
      'x-request-id': 'id-1',
      'x-region': 'forged',
      'x-subject': 'forged',
      'x-customer': 'forged',
      'x-tenant': 'acme',
      'x-acme-one': '1',
      'X-Acme-Two': '2',
      'x-acme-internal': '3',
      'x-tributary-signature': 'forged',
      'tributary-deadline-ms': '1',
      cookie: 's=1',
      te: 'trailers',
    });
    expect([status, JSON.parse(body)]).toEqual([200, { data: { me: 'ada' } }]);
    const request = accounts.requests.at(-1);
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({
      host: new URL(accounts.url).host,
      connection: 'keep-alive',
      'content-type': 'application/json',
      'content-length': String(request?.body.length),
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'x-request-id': 'id-1',
      'tributary-deadline-ms': expect.stringMatching(/^\d+$/),
      authorization: 'Bearer a',
      'x-region': 'eu',
      'x-customer': 'acme',
      'x-acme-one': '1',
      'x-acme-two': '2',
      'x-tributary-signature': signed(request?.body ?? ''),
    });
  });

  test('gets a signature with mutations, and the same one with a retry', async () => {
    const count = accounts.requests.length;
    accounts.enqueueScripts(json({ data: { rename: 'ä' } }));
    await post('mutation { rename }');
    accounts.enqueueScripts(
      ({ respond }: Exchange) => respond({ status: 503, body: '' }),
      json({ data: { me: 'ada' } }),
    );
    await post('{ me }');
    const requests = accounts.requests.slice(count);
    expect(requests.map(({ headers }) => headers.get('x-tributary-signature'))).toEqual(
      requests.map(({ body }) => signed(body)),
    );
    expect(requests.map(({ body }) => JSON.parse(body).query)).toEqual(['mutation{rename}', '{me}', '{me}']);
  });

  test('gets the headers of the rules and a signature with subscriptions', async () => {
    accounts.enqueueScripts(({ write, end }) => {
      write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nset-cookie: s=1\r\n\r\n');
      write('event: next\ndata: {"data":{"renamed":"ada"}}\n\nevent: complete\ndata:\n\n');
      end();
    });
    const { headers, body } = await post('subscription { renamed }', {
      accept: 'text/event-stream',
      'x-tenant': 'acme',
    });
    expect(body).toContain('{"data":{"renamed":"ada"}}');
    expect(headers.has('set-cookie')).toBe(false);
    const request = accounts.requests.at(-1);
    expect([
      request?.headers.get('accept'),
      request?.headers.get('x-region'),
      request?.headers.get('x-customer'),
      request?.headers.get('x-tributary-signature'),
    ]).toEqual(['text/event-stream', 'eu', 'acme', signed(request?.body ?? '')]);
  });

  test('gets no request of a client that lists a forwarded header in `connection`', async () => {
    const { status, body } = await post('{ stock }', { 'x-user': 'ada', connection: 'close, X-User' });
    expect([status, JSON.parse(body)]).toEqual([
      400,
      {
        errors: [
          {
            message: 'The header "connection" lists "x-user", which is sent on to subgraphs. Do not list it.',
            extensions: { code: 'BAD_REQUEST' },
          },
        ],
      },
    ]);
    expect(gateway.subgraph('stock').calls).toEqual([]);
  });
});

/** Lets reviews answer every call with these headers. */
function respondWith(headersOf: (query: string) => Readonly<Record<string, string | string[]>>): void {
  gateway.subgraph('reviews').answerWith(({ query, headers }) => {
    const names = [...query.matchAll(/\b(reviews|reviewed|visits|cachedVisits)\b/g)].map(([name]) => name);
    const data = Object.fromEntries(names.map((name) => [name, String(headers['x-user'])]));
    return { kind: 'json', body: { data }, headers: headersOf(query) };
  });
}

describe('a client', () => {
  test('gets every cookie in a line of its own, and other headers as they are merged', async () => {
    respondWith((query) => ({
      'set-cookie': ['a=1; Path=/', 'b=2'],
      'x-first': query,
      'x-last': query,
      'x-all': ['1', '2'],
      'x-other': 'other',
      connection: 'x-hop',
    }));
    const { headers, body } = await post('{ reviews }');
    expect(JSON.parse(body)).toEqual({ data: { reviews: 'undefined' } });
    expect(await readLines('{ reviews }', 'set-cookie')).toEqual(['a=1; Path=/', 'b=2']);
    expect(
      ['x-first', 'x-last', 'x-all', 'x-other', 'x-node', 'x-hop'].map((name) => headers.get(name)),
    ).toEqual(['{reviews}', '{reviews}', '1, 2', undefined, undefined, undefined]);
  });

  test('gets no header that the subgraph declares as one of its connection', async () => {
    respondWith(() => ({ connection: 'close, x-last', 'x-last': '1', 'x-first': '1' }));
    const { headers } = await post('{ reviews }');
    expect([headers.get('x-first'), headers.get('x-last')]).toStrictEqual(['1', undefined]);
  });

  test('gets headers with the first payload of a deferred response, and none that arrive later', async () => {
    const gate = gateway.subgraph('stock').hold('Query.stock');
    respondWith(() => ({ 'x-last': 'early' }));
    gateway.subgraph('stock').answerWith(() => undefined);
    await using connection = await RawConnection.open(gateway.url);
    connection.send({
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
      body: JSON.stringify({ query: '{ reviews ... @defer { stock } }' }),
    });
    const { headers } = await connection.readHead();
    expect(headers.get('x-last')).toBe('early');
    gate.open();
    expect(await connection.readBody()).toContain('"stock"');
  });

  test('gets its own cookie, although another client sends an equal query at the same time', async () => {
    // Requests share a response only after their operation was prepared.
    await readLines('{ visits stock }', 'set-cookie');
    const calls = (name: string): number => gateway.subgraph(name).calls.length;
    const before = { reviews: calls('reviews'), stock: calls('stock') };
    const gate = gateway.subgraph('stock').hold('Query.stock');
    respondWith(() => ({ 'set-cookie': `session=${++cookies}` }));
    const clients = [1, 2].map(() => readLines('{ visits stock }', 'set-cookie'));
    await gateway.subgraph('reviews').waitForCalls(before.reviews + 2);
    await gate.waitForArrivals();
    gate.open();
    const received = await Promise.all(clients);
    expect(received.flat().sort()).toEqual(['session=1', 'session=2']);
    expect(new Set(received.map((lines) => lines.length))).toEqual(new Set([1]));
    // The other subgraph sets no cookies: both clients share its call.
    expect(calls('stock')).toBe(before.stock + 1);
  });

  test('gets no cookie from a response that the cache could have stored', async () => {
    respondWith(() => ({ 'set-cookie': 'session=1' }));
    expect(await readLines('{ cachedVisits }', 'set-cookie')).toEqual(['session=1']);
    expect(await readLines('{ cachedVisits }', 'set-cookie')).toEqual(['session=1']);
    expect(gateway.subgraph('reviews').calls).toHaveLength(2);
    respondWith(() => ({}));
    expect(await readLines('{ cachedVisits }', 'set-cookie')).toEqual([]);
    expect(await readLines('{ cachedVisits }', 'set-cookie')).toEqual([]);
    expect(gateway.subgraph('reviews').calls).toHaveLength(3);
  });

  test('gets private instead of public with a cookie, which no shared cache may store', async () => {
    const headers = { 'cache-control': 'public, max-age=60' };
    respondWith(() => headers);
    expect(await readLines('{ reviews }', 'cache-control')).toEqual(['public, max-age=60']);
    respondWith(() => ({ ...headers, 'set-cookie': 'session=1' }));
    expect(await readLines('{ reviews }', 'cache-control')).toEqual(['private, max-age=60']);
  });

  test.each<[string, string | undefined, string | undefined, string]>([
    ['the shortest lifetime', 'max-age=60', 'public, max-age=20', 'public, max-age=20'],
    ['private, if one is', 'max-age=60', 'private, max-age=90', 'private, max-age=60'],
    ['no-store, if one is', 'max-age=60', 'no-store', 'no-store'],
    ['no-store, if one subgraph says nothing', 'max-age=60', undefined, 'no-store'],
  ])('gets of cache-control %s', async (_title, ofReviews, ofStock, expected) => {
    respondWith(() => (ofReviews === undefined ? {} : { 'cache-control': ofReviews }));
    gateway.subgraph('stock').answerWith(() => ({
      kind: 'json',
      body: { data: { stock: '1' } },
      headers: ofStock === undefined ? {} : { 'cache-control': ofStock },
    }));
    const { headers } = await post('{ reviews stock }');
    expect(headers.get('cache-control')).toBe(expected);
    // Claims and expressions cannot be named.
    if (expected !== 'no-store') expect(headers.get('vary')).toBe('*');
  });
});
