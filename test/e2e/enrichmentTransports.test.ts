import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type EnrichedBody, enrichmentOf, startEnrichedShop } from '../harness/enrichedShop.ts';
import { postJson } from '../harness/postJson.ts';
import { readEvents } from '../harness/readEvents.ts';

const query = '{ top { id advice { text } } }';
const without = { top: { id: '1', advice: null } };
const update = [{ text: 'about 1' }];
const pendingOf = (body: EnrichedBody) => enrichmentOf(body)?.pending.map(({ path }) => path.join('.'));

const post = async (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  postJson(url, body, { accept: 'application/json', ...headers });

describe('`tributary-budget`', () => {
  test('is the budget of every enrichment in one request', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { budget: '10s', fields: { 'Product.advice': { budget: '9s' }, 'Product.related': {} } },
    });
    const gate = shop.advice.hold('Product.advice');
    const headers = { 'tributary-budget': '0ms' };
    const first = await shop.execute('{ top { advice { text } related { id } } }', headers);
    expect(pendingOf(first)).toEqual(['top.advice', 'top.related']);
    gate.open();
    expect(await shop.execute(query)).toEqual({ data: { top: { id: '1', advice: { text: 'about 1' } } } });
  });

  test('is refused outside of enrichment.bounds', async () => {
    await using shop = await startEnrichedShop({
      enrichment: { budget: '100ms', bounds: { min: '50ms', max: '200ms' } },
    });
    const answers = await Promise.all(
      ['50ms', '200ms', '49ms', '201ms', '100', '-1ms', ''].map(async (budget) => {
        const headers = { 'tributary-budget': budget };
        const { status, body } = await shop.gateway.execute('{ top { id } }', { headers });
        return [budget, status, JSON.stringify(body).includes('from 50ms to 200ms')];
      }),
    );
    expect(answers).toEqual([
      ['50ms', 200, false],
      ['200ms', 200, false],
      ['49ms', 400, true],
      ['201ms', 400, true],
      ['100', 200, false],
      ['-1ms', 400, true],
      ['', 400, true],
    ]);
  });
});

describe.each([
  ['without enrichments', { fields: {} }],
  ['with mode never', { mode: 'never' as const }],
  ['with enrichments', {}],
])('A gateway %s', (_, enrichment) => {
  test.each([
    ['tributary-budget', 'abc', 'Expected a duration from 0ms to 10s,'],
    ['tributary-budget', '99h', 'Expected a duration from 0ms to 10s,'],
    ['tributary-defer', 'nope', 'Expected auto, or no such header.'],
    ['tributary-priority', 'nope', 'Expected one of critical, normal, background.'],
  ])('refuses the header %s: %s with the expected values', async (name, value, expected) => {
    await using shop = await startEnrichedShop({ enrichment });
    const { status, body } = await shop.gateway.execute('{ top { id } }', { headers: { [name]: value } });
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(expected)]);
  });

  test('refuses an invalid budget among the connection parameters of a WebSocket', async () => {
    await using shop = await startEnrichedShop({
      enrichment,
      config: { security: { connectionParams: ['tributary-budget'] } },
    });
    const client = createClient({
      url: shop.gateway.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { 'tributary-budget': 'abc' },
    });
    const answer = client.iterate({ query: '{ top { id } }' }).next();
    await expect(answer).rejects.toMatchObject([
      { message: expect.stringContaining('Expected a duration from 0ms to 10s,') },
    ]);
    await client.dispose();
  });
});

describe('A pending field', () => {
  test('is listed for each operation of a batch', async () => {
    await using shop = await startEnrichedShop({ config: { limits: { batchedOperations: 3 } } });
    const gate = shop.advice.hold('Product.advice');
    const response = await post(shop.gateway.url, [
      { query },
      { query: '{ top { name } }' },
      { query: '{ products { advice { text } } }' },
    ]);
    const bodies = (await response.json()) as readonly EnrichedBody[];
    expect(bodies.map(pendingOf)).toEqual([
      ['top.advice'],
      undefined,
      ['products.0.advice', 'products.1.advice'],
    ]);
    gate.open();
    const updates = await Promise.all(
      [0, 2].map((index) => shop.fetchUpdates(enrichmentOf(bodies[index] ?? {})?.token)),
    );
    expect(updates.map((of) => of.length)).toEqual([1, 2]);
  });

  test('is listed in the answer to a GET, which HTTP caches must not store', async () => {
    await using shop = await startEnrichedShop({
      config: { cache: { rules: { 'Product.advice': { maxAge: '60s' }, 'Query.top': { maxAge: '60s' } } } },
    });
    const gate = shop.advice.hold('Product.advice');
    const url = `${shop.gateway.url}?query=${encodeURIComponent('{ top { advice { text } } }')}`;
    const headers = { accept: 'application/json', 'apollo-require-preflight': 'true' };
    const response = await fetch(url, { headers });
    const first = (await response.json()) as EnrichedBody;
    expect(pendingOf(first)).toEqual(['top.advice']);
    expect(response.headers.get('cache-control') ?? 'no-store').toBe('no-store');
    gate.open();
    expect((await shop.fetchUpdates(enrichmentOf(first)?.token)).map(({ data }) => data)).toEqual(update);
  });

  test('is listed in the answer to a persisted query', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    await post(shop.gateway.url, { query, extensions });
    const first = (await (await post(shop.gateway.url, { extensions })).json()) as EnrichedBody;
    expect([first.data, pendingOf(first)]).toEqual([without, ['top.advice']]);
    gate.open();
    expect((await shop.fetchUpdates(enrichmentOf(first)?.token)).map(({ data }) => data)).toEqual(update);
  });

  test('is listed in the only event of a server-sent events response', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const response = await post(shop.gateway.url, { query }, { accept: 'text/event-stream' });
    const events = readEvents(await response.text());
    expect(events.map(({ event }) => event)).toEqual(['next', 'complete']);
    const first = JSON.parse(events[0]?.data ?? '') as EnrichedBody;
    expect([first.data, pendingOf(first)]).toEqual([without, ['top.advice']]);
    gate.open();
    expect((await shop.fetchUpdates(enrichmentOf(first)?.token)).map(({ data }) => data)).toEqual(update);
  });

  test('follows as another event with `tributary-defer: auto`', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const response = await post(
      shop.gateway.url,
      { query },
      { accept: 'text/event-stream', 'tributary-defer': 'auto' },
    );
    await shop.advice.waitForCalls(1);
    gate.open();
    const [first, second, complete, ...more] = readEvents(await response.text());
    expect([
      JSON.parse(first?.data ?? ''),
      JSON.parse(second?.data ?? ''),
      complete?.event,
      more,
    ]).toMatchObject([{ data: without, hasNext: true }, { hasNext: false }, 'complete', []]);
    expect(second?.data).toContain('about 1');
    expect(first?.data).not.toContain('token');
  });

  test('is listed with a token for a multipart client without `tributary-defer: auto`', async () => {
    await using shop = await startEnrichedShop();
    const gate = shop.advice.hold('Product.advice');
    const answer = await shop.gateway.executeIncrementally(query);
    const response = await post(
      shop.gateway.url,
      { query },
      { accept: 'multipart/mixed;deferSpec=20220824, application/json' },
    );
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(pendingOf((await response.json()) as EnrichedBody)).toEqual(['top.advice']);
    gate.open();
    await answer[Symbol.asyncDispose]();
  });
});

describe('The API schema', () => {
  const introspection = '{ __schema { subscriptionType { fields { name } } } }';
  const withField = { __schema: { subscriptionType: { fields: [{ name: 'enrichment' }] } } };
  const security = { introspection: true };

  test('has Subscription.enrichment', async () => {
    await using shop = await startEnrichedShop({ config: { security } });
    expect((await shop.execute(introspection)).data).toEqual(withField);
  });

  test.each([
    ['with mode never', { mode: 'never' as const }],
    ['without enrichments', { fields: {} }],
  ])('does not have Subscription.enrichment %s', async (_, enrichment) => {
    await using shop = await startEnrichedShop({ config: { security }, enrichment });
    expect((await shop.execute(introspection)).data).toEqual({ __schema: { subscriptionType: null } });
    expect(await shop.execute(query)).toEqual({ data: { top: { id: '1', advice: { text: 'about 1' } } } });
  });
});

test('a path with an invalid percent-encoding gets a response of the same form as an unknown path', async () => {
  await using shop = await startEnrichedShop();
  for (const [base, path] of [
    [shop.gateway.url, '/enrichments/%'],
    [shop.gateway.adminUrl, '/jobs/%zz/retry'],
  ] as const) {
    const response = await fetch(new URL(path, base));
    const { status, headers } = response;
    const received = [status, headers.get('content-type'), headers.get('cache-control')];
    expect([...received, await response.json()]).toEqual([
      400,
      'application/json; charset=utf-8',
      'no-store',
      { error: 'The path of the request has an invalid percent-encoding.' },
    ]);
  }
});

test('every route refuses methods that it does not have with 405 and the ones that it has, and unknown paths with 404', async () => {
  await using shop = await startEnrichedShop({ config: { security: { graphiql: true } } });
  const answers = async (base: string, requests: readonly (readonly [string, string])[]) =>
    Promise.all(
      requests.map(async ([method, path]) => {
        // The content type says nothing about the route.
        const init = method === 'POST' ? { headers: { 'content-type': 'text/csv' }, body: 'a' } : {};
        const response = await fetch(new URL(path, base), { method, ...init });
        const { error } =
          method === 'HEAD' ? { error: undefined } : ((await response.json()) as { error?: string });
        return [response.status, response.headers.get('allow'), error];
      }),
    );
  expect(
    await answers(shop.gateway.url, [
      ['POST', '/enrichments/abc?x=1'],
      ['HEAD', '/enrichments/abc'],
      ['OPTIONS', '/enrichments/abc'],
      ['GET', '/callback/abc'],
      ['DELETE', '/health/ready'],
      ['POST', '/graphiql/app.js'],
      ['POST', '/jobs?state=failed'],
    ]),
  ).toStrictEqual([
    [405, 'GET', 'The route /enrichments/:token allows GET.'],
    [405, 'GET', undefined],
    [405, 'GET', 'The route /enrichments/:token allows GET.'],
    [405, 'POST', 'The route /callback/:id allows POST.'],
    [405, 'GET, HEAD', 'The route /health/ready allows GET, HEAD.'],
    [405, 'GET, HEAD', 'The route /graphiql/:file allows GET, HEAD.'],
    [404, null, 'There is no route POST /jobs. GraphQL is at /graphql (listen.path).'],
  ]);
  const getOnly = [
    '/metrics',
    '/supergraph',
    '/plan',
    '/contracts',
    '/jobs',
    '/cache/entry',
    '/cache/rules',
    '/health/live',
  ];
  const postOnly = ['/jobs/a/retry', '/cache/invalidate'];
  expect(
    await answers(shop.gateway.adminUrl, [
      ...getOnly.map((path) => ['POST', path] as const),
      ...postOnly.map((path) => ['PUT', path] as const),
      ['GET', '/enrichments/abc'],
    ]),
  ).toEqual([
    ...getOnly.map((path) => [405, 'GET, HEAD', `The route ${path} allows GET, HEAD.`]),
    ...['/jobs/:id/retry', '/cache/invalidate'].map((path) => [
      405,
      'POST',
      `The route ${path} allows POST.`,
    ]),
    [
      404,
      null,
      'There is no route GET /enrichments/abc. This is the admin listener, with the page /insights; GraphQL is at the public one (listen.port).',
    ],
  ]);
});
