import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import {
  type ClientOperation,
  defineExtension,
  RequestRefusedError,
  type ResponseEvent,
  type SubgraphHttpRequest,
  type SubgraphHttpResponse,
} from '../../gateway/gateway.ts';
import {
  acme,
  actions,
  allCalls,
  audit,
  callsOf,
  closed,
  gateway,
  linesOf,
  operations,
} from '../harness/extensionGateway.ts';
import { startGatewayProcess } from '../harness/gatewayProcess.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { readEvents } from '../harness/readEvents.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

describe('a hook that fails', () => {
  const fail = () => {
    throw new Error('secret cause');
  };
  const failure = (hook: string) => `The extension "probe" failed in its hook ${hook}.`;

  test.each([
    ['requestContext', 'requestContext', fail],
    ['requestContext that rejects', 'requestContext', () => Promise.reject(new Error('secret cause'))],
    ...['text', 1, null, ['ada'], new Map([['user', 'ada']])].map(
      (value) => [`requestContext that returns ${inspect(value)}`, 'requestContext', () => value] as const,
    ),
    [
      'requestContext whose refusal is not JSON',
      'requestContext',
      () => {
        throw new RequestRefusedError('No.', { code: 'CLOSED', status: 403, extensions: { until: 9n } });
      },
    ],
    ['subgraphHeaders', 'subgraphHeaders', fail],
    ['subgraphHeaders that returns a promise', 'subgraphHeaders', () => Promise.reject(new Error('secret'))],
    [
      'subgraphHeaders that sets a header of the connection',
      'subgraphHeaders',
      ({ headers }: { headers: { set(name: string, value: string): void } }) => headers.set('Host', 'a'),
    ],
    ['onPlan', 'onPlan', fail],
  ] as const)(
    'fails the request with EXTENSION_FAILED, and nothing is fetched: %s',
    async (_, hook, action) => {
      actions.set(hook, action);
      const error = { message: failure(hook), extensions: { code: 'EXTENSION_FAILED' } };
      const body = { errors: [error], ...(hook === 'requestContext' ? {} : audit) };
      expect(await gateway.execute('{ review }', acme)).toEqual({ status: 500, body });
      expect(allCalls()).toEqual([]);
      const [line] = linesOf('A hook of an extension failed');
      expect(line).toMatchObject({
        extension: 'probe',
        hook,
        requestId: 'r1',
        err: { stack: expect.any(String) },
      });
    },
  );

  test.each([
    ['onSubgraphRequest', fail, 0],
    ['onSubgraphResponse', fail, 1],
    ['onSubgraphResponse', () => ({ data: 1 }), 1],
    ['onSubgraphResponse', () => Symbol('none'), 1],
  ] as const)('fails the fields of the call with EXTENSION_FAILED: %s', async (hook, action, sent) => {
    actions.set(hook, action);
    expect(await gateway.execute('{ review }', acme)).toEqual({
      status: 200,
      body: {
        data: { review: null },
        errors: [{ message: failure(hook), path: ['review'], extensions: { code: 'EXTENSION_FAILED' } }],
        ...audit,
      },
    });
    expect(callsOf('reviews')).toHaveLength(sent);
  });

  test.each(['onSubgraphRequest', 'onSubgraphResponse'])(
    'fails the fields of the call when it does not end, and the log does not name the subgraph as failing: %s',
    async (hook) => {
      actions.set(hook, () => new Promise(() => {}));
      const { body } = await gateway.execute('{ review }', acme);
      const message = `The extension "probe" did not end its hook ${hook} in time (half of timeouts.attempt).`;
      expect(body.errors).toEqual([{ message, path: ['review'], extensions: { code: 'EXTENSION_FAILED' } }]);
      expect(linesOf('A hook of an extension did not end in time')).toMatchObject([
        { extension: 'probe', hook, subgraph: 'reviews', requestId: 'r1' },
      ]);
      expect(linesOf('A subgraph has begun to fail')).toEqual([]);
    },
  );

  test.each([
    ['onResponse', fail],
    ['onResponse', () => ({ tributary: {} })],
    ['onResponse', () => ({ big: 1n })],
    ['onResponse', () => [1]],
    ['onResponse', () => new Date()],
    ['onResponse', () => ({ toJSON: () => ({ tributary: {} }) })],
  ] as const)('replaces the response with EXTENSION_FAILED: %s', async (hook, action) => {
    actions.set(hook, action);
    const error = { message: failure(hook), extensions: { code: 'EXTENSION_FAILED' } };
    expect(await gateway.execute('mutation { addReview }', acme)).toEqual({
      status: 500,
      body: { errors: [error] },
    });
    expect(callsOf('reviews')).toHaveLength(1);
  });

  test('ends a deferred response with EXTENSION_FAILED: onPayload', async () => {
    actions.set('onPayload', ({ index }: { index: number }) => index === 1 && fail());
    await using deferred = await gateway.executeIncrementally(
      '{ product { name ... @defer { rating } } }',
      acme,
    );
    expect(await deferred.remaining()).toMatchObject([
      { data: { product: { name: 'Pan' } }, hasNext: true },
      { hasNext: false, errors: [{ message: failure('onPayload') }] },
    ]);
    expect(linesOf('A hook of an extension failed')).toMatchObject([
      { extension: 'probe', hook: 'onPayload' },
    ]);
  });

  test.each([
    ['throws', fail],
    ['returns nothing', () => undefined],
    ['returns an object', () => ({ a: 1 })],
    ['returns Response.error()', () => Response.error()],
    [
      'returns a Response that was read',
      async () => {
        const response = new Response('a');
        await response.text();
        return response;
      },
    ],
    [
      'returns a Response whose body fails',
      () =>
        new Response(new ReadableStream({ pull: fail }), {
          headers: { 'content-type': 'text/csv', 'content-length': '10' },
        }),
    ],
  ])('answers with 500 and is in the log: a route that %s', async (_, action) => {
    actions.set('route', action);
    const response = await fetch(new URL('/probe', gateway.url));
    expect([response.status, await response.json()]).toEqual([
      500,
      { error: 'The extension "probe" failed. The log has the cause.' },
    ]);
    expect(linesOf('A route of an extension failed')).toMatchObject([
      { extension: 'probe', method: 'GET', path: '/probe', err: { message: expect.any(String) } },
    ]);
  });

  test('ends the connection and is in the log: a route whose body fails after its beginning', async () => {
    const chunks = ['a'];
    const pull = (controller: ReadableStreamDefaultController) => {
      const chunk = chunks.pop();
      if (chunk === undefined) fail();
      controller.enqueue(Buffer.from(chunk as string));
    };
    actions.set('route', () => new Response(new ReadableStream({ pull }, { highWaterMark: 0 })));
    const text = fetch(new URL('/probe', gateway.url)).then((response) => response.text());
    await expect(text).rejects.toThrow();
    expect(linesOf('A route of an extension failed')).toMatchObject([{ extension: 'probe' }]);
  });

  test.each([
    ['throws', fail],
    ['returns a condition', () => true],
  ])('makes the gateway not ready: readiness that %s', async (_, action) => {
    actions.set('readiness', action);
    const response = await fetch(new URL('/health/ready', gateway.adminUrl));
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        status: 'not ready',
        reasons: [{ code: 'EXTENSION_NOT_READY', message: `probe: ${failure('readiness')}` }],
      },
    ]);
  });
});

describe('a hook of a request', () => {
  test.each(['subgraphHeaders', 'onPlan', 'onResponse'])('may refuse it: %s', async (hook) => {
    actions.set(hook, () => {
      throw new RequestRefusedError('Not today.', { code: 'CLOSED', status: 403, extensions: { until: 9 } });
    });
    const error = { message: 'Not today.', extensions: { code: 'CLOSED', until: 9 } };
    expect(await gateway.execute('{ review }', acme)).toEqual({
      status: 403,
      body: { errors: [error], ...(hook === 'onResponse' ? {} : audit) },
    });
    expect(linesOf('A hook of an extension failed')).toEqual([]);
  });

  test('that refuses an operation leaves the keys of onResponse in the response, over every transport', async () => {
    actions.set('onPlan', () => {
      throw new RequestRefusedError('Not today.', { code: 'CLOSED', status: 403 });
    });
    const seen: unknown[] = [];
    actions.set('onResponse', ({ errors, isExecuted }: ResponseEvent) => {
      seen.push([JSON.stringify(errors), isExecuted]);
      return { closed: true };
    });
    const answer = {
      errors: [{ message: 'Not today.', extensions: { code: 'CLOSED' } }],
      extensions: { ...audit.extensions, closed: true },
    };
    for (const query of ['{ review }', '{ review }', 'mutation { addReview }']) {
      expect(await gateway.execute(query, acme)).toEqual({ status: 403, body: answer });
    }
    const events = await fetch(gateway.url, {
      method: 'POST',
      headers: { ...acme.headers, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: '{"query":"{ review }"}',
    });
    expect(await events.text()).toContain(JSON.stringify(answer));
    expect(seen).toEqual(Array.from({ length: 4 }, () => [JSON.stringify(answer.errors), false]));
  });

  test('that refuses the call to a subgraph fails its fields', async () => {
    actions.set('onSubgraphRequest', ({ subgraph }: { subgraph: string }) => {
      if (subgraph === 'reviews') throw new RequestRefusedError('Closed.', { code: 'CLOSED', status: 403 });
    });
    const { body } = await gateway.execute('{ product { name rating } }', acme);
    expect(body.errors).toEqual([
      { message: 'Closed.', path: ['product', 'rating'], extensions: { code: 'CLOSED' } },
    ]);
  });

  test('calls the functions of its argument also without the object, as after destructuring', async () => {
    actions.set('requestContext', ({ setResponseHeader }: ClientOperation) => {
      setResponseHeader('retry-after', '7');
    });
    actions.set('onSubgraphRequest', ({ setHeader }: SubgraphHttpRequest) => setHeader('x-signed', 'yes'));
    actions.set('onSubgraphResponse', async ({ readResult }: SubgraphHttpResponse) => {
      const result = await readResult();
      return { data: { review: `${result?.data?.review}, read` } };
    });
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { ...acme.headers, 'content-type': 'application/json' },
      body: '{"query":"{ review }"}',
    });
    expect([response.headers.get('retry-after'), await response.json()]).toEqual([
      '7',
      { data: { review: 'good, read' }, ...audit },
    ]);
    expect(allCalls().map(({ headers }) => headers['x-signed'])).toEqual(['yes']);
  });

  test('sees the operation, and what the extensions before it returned', async () => {
    actions.set('requestContext', ({ context }: ClientOperation) => ({ user: `${context.tenant}'s ada` }));
    let seen: unknown;
    actions.set(
      'subgraphHeaders',
      ({ subgraph, request }: { subgraph: string; request: ClientOperation }) => {
        seen = { subgraph, context: { ...request.context } };
      },
    );
    await gateway.execute('query Named { review }', acme);
    expect(seen).toEqual({ subgraph: 'reviews', context: { user: "acme's ada", tenant: 'acme' } });
    expect(operations).toMatchObject([
      {
        requestId: 'r1',
        transport: 'http',
        operationName: 'Named',
        operationType: 'query',
        variables: {},
        claims: undefined,
        connectionParams: undefined,
        clientAddress: expect.stringContaining('127.0.0.1'),
      },
    ]);
  });

  test('sees the payload of connection_init for each operation of a WebSocket', async () => {
    const client = createClient({
      url: gateway.url.replace('http', 'ws'),
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols, { headers: { 'x-tenant': 'socket' } });
        }
      },
      retryAttempts: 0,
      connectionParams: { token: 'abc', nested: { a: 1 } },
    });
    const { value } = await client.iterate({ query: '{ review }' }).next();
    await client.dispose();
    expect(value).toMatchObject({ data: { review: 'good' } });
    expect(operations).toMatchObject([
      {
        transport: 'websocket',
        connectionParams: { token: 'abc', nested: { a: 1 } },
        context: { tenant: 'socket' },
      },
    ]);
  });

  test('sees the plan of an operation whether it is new or from the cache', async () => {
    const plans: unknown[] = [];
    actions.set('onPlan', ({ fetches }: { fetches: { dependsOn: number[] }[] }) => {
      plans.push(structuredClone(fetches));
      // Changes what only this call of the hook sees.
      for (const { dependsOn } of fetches) dependsOn.push(0);
    });
    const query = '{ product { name ... @defer { rating } } }';
    for (let n = 0; n < 2; n++) {
      await using answer = await gateway.executeIncrementally(query, acme);
      await answer.remaining();
    }
    const plan = [
      {
        subgraph: 'products',
        operation: expect.stringContaining('product'),
        dependsOn: [],
        isDeferred: false,
      },
      {
        subgraph: 'reviews',
        operation: expect.stringContaining('rating'),
        dependsOn: [0],
        isDeferred: true,
      },
    ];
    expect(plans).toEqual([plan, plan]);
  });
});

test('a response that caches may store varies by everything if an extension computes headers for subgraphs', async () => {
  const tenants = defineExtension({
    name: 'tenants',
    subgraphHeaders: ({ headers, request }) => {
      headers.set('x-tenant-id', request.headers.get('x-tenant') ?? 'none');
    },
  });
  await using cached = await startInlineGateway({
    subgraphs: [
      {
        name: 'greetings',
        sdl: 'type Query { greeting: String }',
        resolvers: { Query: { greeting: (_, __, { headers }) => `Hello ${headers['x-tenant-id']}` } },
      },
    ],
    config: { cache: { rules: { 'Query.greeting': { maxAge: '1m' } } }, extensions: [tenants] },
  });
  const headers = { 'content-type': 'application/json', 'x-tenant': 'acme' };
  const response = await fetch(cached.url, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query: '{ greeting }' }),
  });
  expect(await response.json()).toEqual({ data: { greeting: 'Hello acme' } });
  expect(response.headers.get('cache-control')).toBe('public, max-age=60');
  expect(response.headers.get('vary')?.split(', ')).toContain('*');
});

test('a retried enrichment job sends the headers of its own client, and clients with different headers share none', async () => {
  let failures = 2;
  gateway.subgraph('stock').answerWith(() => {
    failures -= 1;
    return failures >= 0 ? { kind: 'json', status: 503, body: {} } : undefined;
  });
  const updates = await Promise.all(
    ['a', 'b'].map(async (tenant) => {
      const { body } = await gateway.execute('{ product { stock } }', { headers: { 'x-tenant': tenant } });
      expect(body.data).toEqual({ product: { stock: null } });
      const { extensions } = body as { extensions?: { tributary: { enrichment: { token: string } } } };
      const url = new URL(`/enrichments/${extensions?.tributary.enrichment.token}`, gateway.url);
      const stream = await fetch(url, { headers: { accept: 'text/event-stream' } });
      const [event] = readEvents(await stream.text());
      return JSON.parse(event?.data ?? '{}');
    }),
  );
  expect(updates.map(({ data }) => data)).toEqual([1, 2]);
  const users = callsOf('stock').map(({ headers }) => `${headers['x-user']} ${headers['x-tenant-id']}`);
  expect(users.toSorted()).toEqual(['anonymous a', 'anonymous a', 'anonymous b', 'anonymous b']);
});

test('clients that differ in a forwarded header share an enrichment job if subgraphHeaders deletes it', async () => {
  actions.set('subgraphHeaders', ({ headers }: { headers: Headers }) => {
    headers.delete('authorization');
    headers.delete('x-user');
  });
  const gate = gateway.subgraph('stock').hold('Product.stock');
  for (const authorization of ['Bearer ada', 'Bearer bob']) {
    const headers = { 'x-tenant': 'a', authorization };
    const { body } = await gateway.execute('{ product { stock } }', { headers });
    expect(body.data).toEqual({ product: { stock: null } });
  }
  const response = await fetch(new URL('/jobs', gateway.adminUrl));
  expect(((await response.json()) as { jobs: unknown[] }).jobs).toHaveLength(1);
  gate.open();
});

test('the process ends when every extension is closed, although one of them does not end', async () => {
  const directory = createTemporaryDirectory();
  const files = {
    other: "() => console.log('The other extension is closed')",
    stuck: '() => new Promise(() => {})',
  };
  const extensions = await Promise.all(
    Object.entries(files).map(async ([name, close]) => {
      const module = join(directory, `${name}.mjs`);
      await writeFile(module, `export default { name: '${name}', close: ${close} };`);
      return { module };
    }),
  );
  await using running = await startGatewayProcess({
    supergraph: { file: join(directory, 'missing.graphql') },
    listen: { drainTimeout: '10ms' },
    extensions,
  });
  const closed = running.waitForOutput(
    /"stuck\\" did not end its hook close[\s\S]*other extension is closed/,
  );
  expect(await Promise.race([running.stop(), closed.then(() => 'closed')])).toBe('closed');
});

// The last one, because it closes the gateway.
test('extensions are closed with the gateway, and an error is logged', async () => {
  await gateway.close();
  expect(closed).toEqual(['probe']);
  expect(linesOf('An extension could not be closed')).toMatchObject([
    { extension: 'probe', err: { message: 'nothing to close' } },
  ]);
});
