import { execFile } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SupergraphManager } from '@apollo/gateway';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fastify from 'fastify';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createApp } from '../../docs/examples/embedding/fastify.ts';
import { closeHttpServer, createHttpServer } from '../../docs/examples/embedding/nodeHttp.ts';
import { loadFrom } from '../../docs/examples/embedding/supergraphManager.ts';
import {
  ConfigError,
  createGateway,
  defineExtension,
  type Gateway,
  type GatewayDependencies,
  type GatewayOptions,
  type ReadIdentity,
} from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { Gate } from '../harness/gate.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { createManualTimers, type ManualTimers } from '../harness/manualTimers.ts';
import { postJson } from '../harness/postJson.ts';
import { exchange, RawConnection, type RawRequest } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { noShedding } from '../harness/testGateway.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const shop = await startInlineGateway({
  subgraphs: [
    {
      name: 'products',
      sdl: 'type Query { name: String slow: String }',
      resolvers: { Query: { name: () => 'Lamp', slow: () => 'Late' } },
    },
  ],
});
disposeAfterSuite(shop);

function createMounted(
  options: Partial<GatewayOptions> = {},
  dependencies: GatewayDependencies = {},
): Promise<Gateway> {
  return createGateway(
    {
      supergraph: { file: shop.supergraphFile, watch: false },
      admin: { port: 0 },
      telemetry: { logLevel: 'silent' },
      contracts: { guard: 'off' },
      overload: noShedding,
      ...options,
    },
    { startPlannerThread: planInProcess, ...dependencies },
  );
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function post(url: string, query: string) {
  const response = await postJson(url, { query });
  return { status: response.status, body: await response.json() };
}

/** `headers`: those of the handshake. */
async function overWebSocket(url: string, query: string, headers = {}): Promise<unknown> {
  class ClientWebSocket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { headers });
    }
  }
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: ClientWebSocket,
    retryAttempts: 0,
  });
  const results: unknown[] = [];
  for await (const result of client.iterate({ query })) results.push(result);
  await client.dispose();
  return results;
}

/** A request with this target, in either form. */
const nameAt = (path: string): RawRequest => ({
  path,
  headers: { 'content-type': 'application/json' },
  body: '{"query":"{ name }"}',
});

const statusOf = async (url: string) => (await fetch(url)).status;
const lamp = { data: { name: 'Lamp' } };

describe('the example for node:http', () => {
  let gateway: Gateway;
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    gateway = await createMounted();
    server = await createHttpServer(gateway);
    origin = await listen(server);
  });
  afterAll(() => closeHttpServer(gateway, server));

  test('serves operations, WebSockets and health routes below the prefix, and other pages beside it', async () => {
    expect(await post(`${origin}/shop/graphql`, '{ name }')).toEqual({ status: 200, body: lamp });
    expect(await overWebSocket(`${origin}/shop/graphql`, '{ name }')).toEqual([lamp]);
    expect(await (await fetch(`${origin}/shop/health/live`)).json()).toEqual({ status: 'live' });
    expect(await statusOf(`${origin}/shop/enrichments/none`)).toBe(404);
    expect(await statusOf(`${origin}/shop/elsewhere`)).toBe(404);
    expect(await (await fetch(`${origin}/shop`)).text()).toBe('Another page of this server');
  });

  test("answers at Apollo Server's health URL with its body", async () => {
    const response = await fetch(`${origin}/shop/.well-known/apollo/server-health`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/health+json; charset=utf-8',
      '{"status":"pass"}',
    ]);
  });

  test.each([
    ['/shop/elsewhere', 'websocket', {}, 404],
    ['/graphql', 'websocket', {}, 404],
    ['/shop/graphql', 'h2c', {}, 400],
    // Of a request with a body, Node has no socket for the upgrade.
    ['/shop/elsewhere', 'websocket', { 'content-length': '5' }, 404],
    ['/shop/graphql', 'websocket', { 'content-length': '5' }, 400],
  ])('refuses an upgrade of %s to %s with %j: %d', async (path, upgrade, own, status) => {
    const headers = { connection: 'upgrade', upgrade, ...own };
    const response = await exchange(origin, { method: 'GET', path, headers });
    expect(response.status).toBe(status);
  });
});

describe('the example for Fastify', () => {
  test('serves operations and WebSockets below the prefix, and drains when the instance closes', async () => {
    const gateway = await createMounted();
    const app = await createApp(gateway);
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await post(`${origin}/shop/graphql`, '{ name }')).toEqual({ status: 200, body: lamp });
    expect(await overWebSocket(`${origin}/shop/graphql`, '{ name }')).toEqual([lamp]);
    expect(await (await fetch(`${origin}/`)).text()).toBe('Another page of this server');
    expect(await statusOf(`${origin}/shop/health/ready`)).toBe(200);
    expect(await statusOf(`${origin}/graphql`)).toBe(404);
    const headers = { connection: 'upgrade', upgrade: 'websocket' };
    const refused = await exchange(origin, { method: 'GET', path: '/graphql', headers });
    expect(refused.status).toBe(404);
    const absolute = `${origin}/shop/graphql`;
    const noKey = await exchange(origin, { method: 'GET', path: absolute, headers });
    expect([noKey.status, noKey.body]).toEqual([400, expect.stringContaining('Sec-WebSocket-Key')]);
    const withBody = { ...headers, 'content-length': '5' };
    for (const path of ['/graphql', '/shop/graphql'])
      expect((await exchange(origin, { method: 'GET', path, headers: withBody })).status).toBe(
        path === '/graphql' ? 404 : 400,
      );
    expect((await exchange(origin, nameAt(absolute))).body).toBe(JSON.stringify(lamp));

    const gate = shop.subgraph('products').hold('Query.slow');
    const slow = post(`${origin}/shop/graphql`, '{ slow }');
    await gate.waitForArrivals();
    const closed = app.close();
    gate.open();
    expect(await slow).toEqual({ status: 200, body: { data: { slow: 'Late' } } });
    await closed;
  });
});

test('a request for an upgrade to another protocol than WebSocket is answered without the upgrade, until the application handles upgrades itself', async () => {
  const gateway = await createMounted();
  const app = fastify();
  app.get('/', async () => 'page');
  const { shouldUpgradeCallback } = app.server as { shouldUpgradeCallback?: unknown };
  await app.register(gateway.fastifyPlugin, { prefix: '/shop' });
  await gateway.start({ listen: false, admin: false });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  // As Java's HttpClient does.
  const h2c = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' };
  const page = await exchange(origin, { method: 'GET', path: '/', headers: h2c });
  expect([page.status, page.body]).toEqual([200, 'page']);
  const request = nameAt('/shop/graphql');
  const response = await exchange(origin, { ...request, headers: { ...request.headers, ...h2c } });
  expect([response.status, response.body]).toEqual([200, JSON.stringify(lamp)]);

  app.server.on('upgrade', ({ headers }, socket) => {
    if (headers.upgrade === 'h2c') socket.end('HTTP/1.1 418 Teapot\r\nconnection: close\r\n\r\n');
  });
  expect((await exchange(origin, { method: 'GET', path: '/', headers: h2c })).status).toBe(418);
  await gateway.close();
  await app.close();
  expect(app.server).toHaveProperty('shouldUpgradeCallback', shouldUpgradeCallback);
});

test('hooks of a Fastify instance run before WebSockets of the gateway, and may refuse them or set headers', async () => {
  const { headers: received, extension } = recordHeaders();
  const gateway = await createMounted({ extensions: [extension] });
  const app = fastify();
  app.addHook('onRequest', async (request, reply) => {
    await setImmediate();
    if (request.headers.authorization !== 'secret') {
      return reply.code(401).send({ error: 'Send the header authorization.' });
    }
    request.headers['x-user'] = 'ann';
  });
  await app.register(gateway.fastifyPlugin, { prefix: '/shop' });
  app.addHook('preClose', () => gateway.close());
  await gateway.start({ listen: false });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  const url = `${origin}/shop/graphql`;

  const headers = { connection: 'upgrade', upgrade: 'websocket' };
  const refused = await exchange(origin, { method: 'GET', path: '/shop/graphql', headers });
  expect([refused.status, refused.body]).toEqual([401, '{"error":"Send the header authorization."}']);
  await expect(overWebSocket(url, '{ name }', { 'x-user': 'forged' })).rejects.toHaveProperty(
    'message',
    'Unexpected server response: 401',
  );
  expect(received).toEqual([]);
  const handshake = { authorization: 'secret', 'x-user': 'forged' };
  expect(await overWebSocket(url, '{ name }', handshake)).toEqual([lamp]);
  expect(received).toEqual(['ann']);
  await app.close();
});

test('headers that a hook of a Fastify instance assigns replace those of the client', async () => {
  const { headers: received, extension } = recordHeaders();
  const gateway = await createMounted({ extensions: [extension] });
  const app = fastify();
  app.addHook('onRequest', async (request) => {
    request.headers = { ...request.headers, 'x-user': 'ann' };
  });
  await app.register(gateway.fastifyPlugin);
  await gateway.start({ listen: false, admin: false });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  const { status } = await exchange(origin, {
    path: '/graphql',
    headers: { 'content-type': 'application/json', 'x-user': 'forged' },
    body: '{"query":"{ name }"}',
  });
  expect(await overWebSocket(`${origin}/graphql`, '{ name }', { 'x-user': 'forged' })).toEqual([lamp]);
  expect([status, received]).toEqual([200, ['ann', 'ann']]);
  await gateway.close();
  await app.close();
});

test.each([
  ['/graphql', '/', '/graphql'],
  ['/graphql', '/shop/', '/shop/graphql'],
  ['/graphql', '/:tenant', '/acme/graphql'],
  ['/', '/api', '/api'],
])('a gateway at %s below the prefix %s of a Fastify instance is at %s', async (path, prefix, url) => {
  const gateway = await createMounted({ listen: { path } });
  const app = fastify();
  await app.register(gateway.fastifyPlugin, { prefix });
  app.addHook('preClose', () => gateway.close());
  await gateway.start({ listen: false, admin: false });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  expect(await post(origin + url, '{ name }')).toEqual({ status: 200, body: lamp });
  expect(await overWebSocket(origin + url, '{ name }')).toEqual([lamp]);
  await app.close();
});

test('hooks of a Fastify instance see the URL with the prefix, also after the response', async () => {
  const gateway = await createMounted();
  const app = fastify();
  const urls: unknown[] = [];
  app.addHook('onRequest', async ({ url }) => void urls.push(url));
  app.addHook('onResponse', async ({ url, originalUrl }) => void urls.push(url, originalUrl));
  await app.register(gateway.fastifyPlugin, { prefix: '/shop' });
  await gateway.start({ listen: false, admin: false });
  for (const url of ['/shop/graphql?query={name}', '/shop/health/live']) {
    urls.length = 0;
    expect((await app.inject({ url, headers: { 'apollo-require-preflight': 'yes' } })).statusCode).toBe(200);
    expect(urls).toEqual([url, url, url]);
  }
  await gateway.close();
  await app.close();
});

test('a request that a test injects into a Fastify instance is answered, and logs no error', async () => {
  const log: string[] = [];
  const logger = createLogger('warn', { write: (line) => void log.push(line) });
  const gateway = await createMounted({}, { logger });
  const app = fastify();
  await app.register(gateway.fastifyPlugin);
  await gateway.start({ listen: false, admin: false });
  const response = await app.inject({
    method: 'POST',
    url: '/graphql',
    headers: { 'content-type': 'application/json' },
    payload: { query: '{ name }' },
  });
  expect([response.statusCode, response.json(), log]).toEqual([200, lamp, []]);
  await gateway.close();
  await app.close();
});

/** An extension that records the header `x-user` of each operation. */
function recordHeaders() {
  const headers: (string | undefined)[] = [];
  const extension = defineExtension({
    name: 'record-headers',
    requestContext(request) {
      headers.push(request.headers.get('x-user'));
      return {};
    },
  });
  return { headers, extension };
}

test('a gateway in a Fastify instance keeps its WebSockets from other listeners of the server, which may take every upgrade', async () => {
  const app = fastify();
  const headers = { connection: 'upgrade', upgrade: 'websocket' };
  const taken: (string | undefined)[] = [];
  const take = (request: IncomingMessage, socket: Duplex): void => {
    taken.push(request.url);
    // As `@fastify/websocket` does. Throws when two responses get the same socket.
    new ServerResponse(request).assignSocket(socket as Socket);
    socket.end('HTTP/1.1 418 Teapot\r\nconnection: close\r\n\r\n');
  };
  app.server.on('upgrade', take);
  const gateway = await createMounted();
  await app.register(gateway.fastifyPlugin, { prefix: '/shop' });
  app.server.on('upgrade', (request) => taken.push(request.url));
  app.addHook('preClose', () => gateway.close());
  await gateway.start({ listen: false, admin: false });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  expect(await overWebSocket(`${origin}/shop/graphql`, '{ name }')).toEqual([lamp]);
  expect(taken).toEqual([]);
  expect((await exchange(origin, { method: 'GET', path: '/three', headers })).status).toBe(418);
  expect(taken).toEqual(['/three', '/three']);
  await app.close();
});

describe('two gateways in one Fastify instance', () => {
  const headers = { connection: 'upgrade', upgrade: 'websocket' };

  async function createPair() {
    const app = fastify();
    const gateways = [await createMounted(), await createMounted()] as const;
    // The path of the second gateway is that of the first one without its prefix.
    await app.register(gateways[0].fastifyPlugin, { prefix: '/one' });
    await app.register(gateways[1].fastifyPlugin);
    app.addHook('preClose', async () => {
      await Promise.all(gateways.map((gateway) => gateway.close()));
    });
    await Promise.all(gateways.map((gateway) => gateway.start({ listen: false })));
    return app;
  }

  test('serve their own WebSockets, and answer upgrades that none of them owns with 404', async () => {
    const app = await createPair();
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await overWebSocket(`${origin}/one/graphql`, '{ name }')).toEqual([lamp]);
    expect(await overWebSocket(`${origin}/graphql`, '{ name }')).toEqual([lamp]);
    for (const path of ['/three', '/one/x']) {
      const response = await exchange(origin, { method: 'GET', path, headers });
      expect([path, response.status]).toEqual([path, 404]);
    }
    await app.close();
    expect(app.server.listenerCount('upgrade')).toBe(0);
  });

  test('leave upgrades that none of them owns to another listener of the server', async () => {
    const app = await createPair();
    app.server.on('upgrade', (request, socket) => {
      if (request.url === '/three') socket.end('HTTP/1.1 418 Teapot\r\nconnection: close\r\n\r\n');
    });
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    const response = await exchange(origin, { method: 'GET', path: '/three', headers });
    expect(response.status).toBe(418);
    expect(await overWebSocket(`${origin}/one/graphql`, '{ name }')).toEqual([lamp]);
    await app.close();
  });
});

describe('a mounted gateway', () => {
  /** Serves `listener` and calls `run` with its origin. */
  async function serving(listener: RequestListener, run: (origin: string) => Promise<void>): Promise<void> {
    const server = createServer(listener);
    try {
      await run(await listen(server));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('says that it has not started, and that it has closed', async () => {
    const gateway = await createMounted();
    await serving(gateway.handler, async (origin) => {
      const refusal = async () => {
        const { status, body } = await post(`${origin}/graphql`, '{ name }');
        return [status, body.errors[0].extensions.code];
      };
      expect(await refusal()).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
      const { url, adminUrl } = await gateway.start({ listen: false, admin: false });
      expect([url, adminUrl]).toEqual([undefined, undefined]);
      await gateway.close();
      expect(await refusal()).toEqual([503, 'SHUTTING_DOWN']);
    });
  });

  test('has its admin listener on its own port', async () => {
    const gateway = await createMounted();
    const { url, adminUrl } = await gateway.start({ listen: false });
    expect([url, await statusOf(`${adminUrl}/supergraph`)]).toEqual([undefined, 200]);
    await gateway.close();
  });

  test('works as middleware, and explains that a body parser came before it', async () => {
    const gateway = await createMounted();
    await gateway.start({ listen: false, admin: false });
    const parseBody = async (request: IncomingMessage) => {
      if (request.headers['x-parse'] !== undefined) await text(request);
    };
    const app: RequestListener = async (request, response) => {
      await parseBody(request);
      gateway.handler(request, response, () => void response.writeHead(418).end());
    };
    await serving(app, async (origin) => {
      expect(await post(`${origin}/graphql`, '{ name }')).toEqual({ status: 200, body: lamp });
      expect((await exchange(origin, nameAt(`${origin}/graphql`))).body).toBe(JSON.stringify(lamp));
      expect(await statusOf(`${origin}/elsewhere`)).toBe(418);
      expect((await exchange(origin, nameAt(`${origin}/elsewhere`))).status).toBe(418);
      const parsed = await fetch(`${origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-parse': 'yes' },
        body: '{"query":"{ name }"}',
      });
      expect([parsed.status, await parsed.json()]).toEqual([
        500,
        {
          errors: [
            {
              message:
                'The request body was read before the request reached the gateway. Mount the gateway before body parsers such as express.json().',
              extensions: { code: 'INTERNAL_SERVER_ERROR' },
            },
          ],
        },
      ]);
    });
    await gateway.close();
  });

  test('serves the routes of extensions as middleware, with every form of path', async () => {
    const paths = ['/files/*', '/a.b/:id?', '/users/:id(^\\d+$)', '/range/:from-:to', '/names::all', '/(x)+'];
    const publicRoutes = paths.map((path) => {
      const handle = (_: Request, params: object) => Response.json([path, params]);
      return { method: 'GET' as const, path, handle };
    });
    const extra = { method: 'PUT' as const, path: '/files/:name', handle: () => new Response() };
    const extension = defineExtension({ name: 'files', publicRoutes: [...publicRoutes, extra] });
    const gateway = await createMounted({ extensions: [extension] });
    await gateway.start({ listen: false, admin: false });
    const app: RequestListener = (request, response) =>
      gateway.handler(request, response, () => void response.writeHead(418).end());
    await serving(app, async (origin) => {
      const answerOf = async (path: string, method = 'GET') => {
        const response = await fetch(`${origin}${path}`, { method });
        if (response.status !== 200) return [response.status, response.headers.get('allow')];
        return (await response.json()) as unknown;
      };
      expect(await answerOf('/files/a/b.txt')).toEqual(['/files/*', { '*': 'a/b.txt' }]);
      expect(await answerOf('/a.b')).toEqual(['/a.b/:id?', {}]);
      expect(await answerOf('/a.b/7')).toEqual(['/a.b/:id?', { id: '7' }]);
      expect(await answerOf('/users/7')).toEqual(['/users/:id(^\\d+$)', { id: '7' }]);
      expect(await answerOf('/users/x')).toEqual([404, null]);
      expect(await answerOf('/range/1-2')).toEqual(['/range/:from-:to', { from: '1', to: '2' }]);
      expect(await answerOf('/names:all')).toEqual(['/names::all', {}]);
      expect(await answerOf('/(x)+')).toEqual(['/(x)+', {}]);
      for (const path of ['/files', '/axb', '/a.b/7/8', '/namesxall', '/xx']) {
        expect([path, await answerOf(path)]).toEqual([path, [418, null]]);
      }
      expect(await answerOf('/files/a/b.txt', 'POST')).toEqual([405, 'GET, HEAD']);
      expect(await answerOf('/files/a', 'POST')).toEqual([405, 'GET, HEAD, PUT']);
      expect(await answerOf('/a.b', 'POST')).toEqual([405, 'GET, HEAD']);
    });
    await gateway.close();
  });

  test('does not wait for a client that has disconnected while other middleware ran', async () => {
    const gateway = await createMounted({ listen: { drainTimeout: '5m' } });
    await gateway.start({ listen: false, admin: false });
    const arrived = Promise.withResolvers<void>();
    const passedOn = Promise.withResolvers<void>();
    const app: RequestListener = async (request, response) => {
      arrived.resolve();
      await once(response, 'close');
      gateway.handler(request, response);
      passedOn.resolve();
    };
    await serving(app, async (origin) => {
      await using connection = await RawConnection.open(origin);
      connection.send(nameAt('/graphql'));
      await arrived.promise;
      connection.socket.destroy();
      await passedOn.promise;
      await gateway.close();
    });
  });

  test('keeps the `vary` of middleware in a response that caches may store', async () => {
    const gateway = await createMounted({ cache: { rules: { 'subgraph:products': { maxAge: '1m' } } } });
    await gateway.start({ listen: false, admin: false });
    const app: RequestListener = (request, response) => {
      response.setHeader('vary', ['Origin', 'X-Region']);
      gateway.handler(request, response);
    };
    await serving(app, async (origin) => {
      const { headers } = await exchange(origin, nameAt('/graphql'));
      expect(headers.get('cache-control')).toBe('public, max-age=60');
      expect(headers.get('vary')).toMatch(/^origin, x-region, /);
    });
    await gateway.close();
  });

  test('that is closed twice ends its extensions once, and both calls wait for them', async () => {
    let calls = 0;
    const hold = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const close = async (): Promise<void> => {
      calls += 1;
      entered.resolve();
      await hold.promise;
    };
    const gateway = await createMounted({ extensions: [{ name: 'pool', close }] });
    await gateway.start({ listen: false, admin: false });
    const ended: string[] = [];
    const closed = ['first', 'second'].map((name) => gateway.close().then(() => ended.push(name)));
    await entered.promise;
    await waitForTurns(5);
    expect([calls, ended]).toEqual([1, []]);
    hold.resolve();
    await Promise.all(closed);
    expect(calls).toBe(1);
  });

  describe('with a route of an extension that has not answered', () => {
    async function closeWhileAnswering(run: (gate: Gate, timers: ManualTimers) => void, order: string[]) {
      const gate = new Gate();
      const timers = createManualTimers();
      const events: string[] = [];
      const extension = defineExtension({
        name: 'hooks',
        publicRoutes: [
          {
            method: 'POST',
            path: '/hook',
            handle: async () => {
              await gate.pass();
              events.push('answered');
              return new Response('done');
            },
          },
        ],
        close: () => void events.push('closed'),
      });
      const gateway = await createMounted({ extensions: [extension] }, { timers });
      await gateway.start({ listen: false, admin: false });
      await serving(gateway.handler, async (origin) => {
        const answered = fetch(`${origin}/hook`, { method: 'POST' });
        await gate.waitForArrivals();
        const closed = gateway.close();
        await Promise.race([closed, waitForTurns(50)]);
        expect(events).toEqual([]);
        run(gate, timers);
        await closed;
        gate.open();
        expect((await answered).status).toBe(200);
      });
      expect(events).toEqual(order);
    }

    test('closes the extension after the answer', async () => {
      await closeWhileAnswering((gate) => gate.open(), ['answered', 'closed']);
    });

    test('closes the extension at the end of the drain timeout', async () => {
      const endDrain = (_: Gate, timers: ManualTimers) => timers.fire(Math.max(...timers.pendingMs()));
      await closeWhileAnswering(endDrain, ['closed', 'answered']);
    });
  });

  test('can be started once', async () => {
    const gateway = await createMounted();
    const starting = gateway.start({ listen: false });
    const again = 'The gateway has already been started.';
    await expect(gateway.start()).rejects.toThrow(again);
    await starting;
    await expect(gateway.start({ listen: false })).rejects.toThrow(again);
    await gateway.close();
  });

  test('that is closed at once rejects start, and loads no supergraph', async () => {
    const load = jest.fn<() => Promise<string>>();
    const gateway = await createMounted({ supergraph: { load }, listen: { port: 0 } });
    const starting = gateway.start();
    await Promise.all([
      expect(starting).rejects.toMatchObject({ name: 'GatewayShutdownError', code: 'SHUTTING_DOWN' }),
      gateway.close(),
    ]);
    expect(load).not.toHaveBeenCalled();
  });

  test('that is closed while its host name is looked up listens nowhere afterwards', async () => {
    const countListeners = () =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;
    // Node counts a closed socket until the end of the turn.
    await waitForTurns(2);
    const before = countListeners();
    const lookup = Promise.withResolvers<() => void>();
    const spy = jest.spyOn(dns, 'lookup').mockImplementation(((...args: unknown[]) => {
      const onFound = args.at(-1) as (error: null, address: string, family: number) => void;
      lookup.resolve(() => onFound(null, '127.0.0.1', 4));
    }) as typeof dns.lookup);
    const gateway = await createMounted({ listen: { host: 'gateway.test', port: 0 } });
    const starting = gateway.start({ admin: false });
    const answer = await lookup.promise;
    spy.mockRestore();
    const closed = gateway.close();
    await Promise.race([closed, waitForTurns(50)]);
    answer();
    await Promise.all([expect(starting).rejects.toMatchObject({ code: 'SHUTTING_DOWN' }), closed]);
    await waitForTurns(2);
    expect(countListeners()).toBe(before);
  });

  test('that is closed while it loads its supergraph rejects start', async () => {
    const loading = Promise.withResolvers<void>();
    const load = () => {
      loading.resolve();
      return new Promise<never>(() => {});
    };
    const gateway = await createMounted({ supergraph: { load } });
    const starting = gateway.start({ listen: false });
    await loading.promise;
    await Promise.all([
      expect(starting).rejects.toMatchObject({ name: 'GatewayShutdownError', code: 'SHUTTING_DOWN' }),
      gateway.close(),
    ]);
  });

  test('can be started again when its port was in use', async () => {
    const holder = createServer();
    const { port } = new URL(await listen(holder));
    const gateway = await createMounted({ listen: { port: Number(port) } });
    await expect(gateway.start({ admin: false })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `127.0.0.1:${port} is in use. End the process that listens there, or choose another port with listen.port or --port.`,
    });
    holder.close();
    await once(holder, 'close');
    expect((await gateway.start({ admin: false })).url).toBe(`http://127.0.0.1:${port}/graphql`);
    await gateway.close();
  });

  test('can be started again when its admin port was in use, and listens for clients meanwhile', async () => {
    const holder = createServer();
    const { port } = new URL(await listen(holder));
    const gateway = await createMounted({ listen: { port: 0 }, admin: { port: Number(port) } });
    await expect(gateway.start()).rejects.toThrow(`127.0.0.1:${port} is in use. End the process`);
    holder.close();
    await once(holder, 'close');
    const { url, adminUrl } = await gateway.start();
    expect(adminUrl).toBe(`http://127.0.0.1:${port}`);
    expect(await post(url, '{ name }')).toEqual({ status: 200, body: { data: { name: 'Lamp' } } });
    await gateway.close();
  });

  test('needs listen.publicUrl for HTTP callbacks', async () => {
    const gateway = await createMounted({
      subgraphs: { products: { subscription: { protocol: 'http_callback' } } },
    });
    await expect(gateway.start({ listen: false })).rejects.toThrow(
      'listen.publicUrl is empty, the gateway does not listen itself, and subgraphs.products.subscription.protocol is http_callback',
    );
    await gateway.close();
  });
});

test('a gateway without options is refused like one with empty options', async () => {
  const problems = [expect.objectContaining({ path: 'supergraph', message: 'is missing' })];
  for (const options of [undefined, {}]) {
    const creating = createGateway(options as unknown as GatewayOptions);
    await expect(creating).rejects.toBeInstanceOf(ConfigError);
    await expect(creating).rejects.toMatchObject({ problems });
  }
});

test.each([
  [null, 'dependencies is not an object; expected: an object, or nothing'],
  [
    { plugin: [] },
    'dependencies.plugin is not known; did you mean `plugins`?; expected: one of plugins, logger',
  ],
  [{ logger: console }, 'dependencies.logger cannot be used; expected: a pino logger'],
  // It has the methods for lines, and does nothing.
  [{ logger: fastify().log }, 'dependencies.logger cannot be used; expected: a pino logger'],
  [{ plugins: [null] }, 'dependencies.plugins cannot be used; expected: a list of Apollo Server plugins'],
  [{ readIdentity: 'ada' }, 'dependencies.readIdentity cannot be used; expected: a function'],
])('a gateway with the dependencies %p is refused: %s', async (dependencies, message) => {
  const creating = createGateway({ supergraph: { file: shop.supergraphFile } }, dependencies as never);
  await expect(creating).rejects.toBeInstanceOf(ConfigError);
  await expect(creating).rejects.toThrow(message);
});

test('an application that reads who sent a request needs no security.jwt to send claims to subgraphs', async () => {
  const options = {
    supergraph: { file: shop.supergraphFile, watch: false },
    subgraphs: { all: { headers: { rules: [{ set: 'x-user', claim: 'sub' }] } } },
    telemetry: { logLevel: 'silent' as const },
  };
  await expect(createGateway(options)).rejects.toThrow(
    'subgraphs.all.headers.rules[0].claim is "sub", but no token is verified',
  );
  const readIdentity: ReadIdentity = () => ({ identity: 'a', tokenOwner: 'a', clientKey: 'a', claims: {} });
  const gateway = await createGateway(options, { readIdentity });
  await gateway.close();
});

test('an application that reads who sent a request gets the verified token with `security.jwt`, which stays required', async () => {
  await using issuer = await startTokenIssuer();
  const users: unknown[] = [];
  const readIdentity: ReadIdentity = (_, __, token) => {
    users.push(token?.claims.sub);
    return { identity: 'a', tokenOwner: 'a', clientKey: 'a' };
  };
  await using gateway = await startInlineGateway({
    subgraphs: [{ name: 'a', sdl: 'type Query { one: Int }', resolvers: { Query: { one: () => 1 } } }],
    config: { security: { jwt: { issuers: [{ jwks: issuer.jwks }], required: true } } },
    dependencies: { readIdentity },
  });
  const statusWith = async (authorization: string) =>
    (await gateway.execute('{ one }', { headers: { authorization } })).status;
  const token = await issuer.sign({ sub: 'ada' });
  const statuses = [
    await statusWith(''),
    await statusWith(`Bearer ${token}x`),
    await statusWith(`Bearer ${token}`),
  ];
  expect([statuses, users]).toEqual([[401, 401, 200], ['ada']]);
});

test('the example for supergraph managers of @apollo/gateway loads, updates and cleans up', async () => {
  const cleanup = Promise.withResolvers<void>();
  const sdl = readFileSync(shop.supergraphFile, 'utf8');
  const initialized = Promise.withResolvers<(sdl: string) => void>();
  const manager: SupergraphManager = {
    initialize: async ({ update }) => {
      initialized.resolve(update);
      return { supergraphSdl: sdl, cleanup: async () => cleanup.resolve() };
    },
  };
  const changed = `# changed\n${sdl}`;
  const switched = Promise.withResolvers<void>();
  let switches = 0;
  const gateway = await createGateway(
    { supergraph: { load: loadFrom(manager) }, admin: { port: 0 }, contracts: { guard: 'off' } },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('info', {
        write: (line) => {
          if (line.includes('A new supergraph is in use')) switches += 1;
          if (switches === 2) switched.resolve();
        },
      }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  const currentSdl = async () => (await (await fetch(`${adminUrl}/supergraph`)).json()).supergraph.sdl;
  expect(await currentSdl()).toBe(sdl);
  (await initialized.promise)(changed);
  await switched.promise;
  expect(await currentSdl()).toBe(changed);
  await gateway.close();
  await cleanup.promise;
});

test('a gateway whose registry fails continues, says so, and shows its secrets nowhere', async () => {
  const canary = 'canary-of-a-secret';
  const sdl = readFileSync(shop.supergraphFile, 'utf8');
  let status = 200;
  let isAuthorized = true;
  const registry = createServer(({ headers }, response) => {
    isAuthorized &&= headers.authorization === canary;
    response.writeHead(status).end(status === 200 ? sdl : '');
  });
  const origin = await listen(registry);
  const failed = Promise.withResolvers<void>();
  const recovered = Promise.withResolvers<void>();
  const log: string[] = [];
  const gateway = await createGateway(
    {
      supergraph: {
        url: `${origin}/sdl?key=${canary}`,
        headers: { Authorization: canary },
        pollInterval: '100ms',
      },
      admin: { port: 0 },
      contracts: { guard: 'off' },
    },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('trace', {
        write: (line) => {
          log.push(line);
          if (line.includes('could not be read')) failed.resolve();
          if (line.includes('can be read from its source again')) recovered.resolve();
        },
      }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  status = 403;
  await failed.promise;
  const bodyOf = async (path: string) => (await fetch(`${adminUrl}${path}`)).text();
  const [health, supergraph] = [await bodyOf('/health/ready'), await bodyOf('/supergraph')];
  status = 200;
  await recovered.promise;
  expect(JSON.parse(await bodyOf('/health/ready'))).not.toHaveProperty('notes');
  await gateway.close();
  registry.closeAllConnections();
  registry.close();
  const message = `the supergraph could not be fetched from ${origin}/sdl?key=***: the server refuses access (status 403); check supergraph.headers`;
  expect(JSON.parse(health)).toEqual({
    status: 'ready',
    supergraph: expect.any(String),
    notes: [{ code: 'SUPERGRAPH_NOT_UPDATED', message }],
  });
  expect(JSON.parse(supergraph)).toMatchObject({
    supergraph: { sdl },
    lastRefusal: null,
    sourceProblem: message,
  });
  expect(isAuthorized).toBe(true);
  expect(`${log.join('')}${health}${supergraph}`).not.toContain(canary);
});

test('a gateway that is closed before its first supergraph rejects ready, and nothing where no one awaits it', async () => {
  const script = `
    import { createGateway } from './gateway/gateway.ts';
    const open = async () => {
      const options = { supergraph: { file: 'missing.graphql' }, telemetry: { logLevel: 'silent' } };
      const gateway = await createGateway(options);
      await gateway.start({ listen: false, admin: false });
      return gateway;
    };
    const [awaited, unawaited] = await Promise.all([open(), open()]);
    const ready = awaited.ready.catch(({ name, code }) => name + ' ' + code);
    await Promise.all([awaited.close(), unawaited.close()]);
    console.log(await ready);
    await new Promise(setImmediate);
  `;
  const args = ['--input-type=module', '-e', script];
  const cwd = new URL('../../', import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd });
  expect(stdout).toBe('GatewayShutdownError SHUTTING_DOWN\n');
});

test('a gateway that refuses a newer supergraph is ready, and has a note with the reason that is in the log', async () => {
  const refused = Promise.withResolvers<string>();
  const initialized = Promise.withResolvers<(sdl: string) => void>();
  const gateway = await createGateway(
    {
      supergraph: {
        load: async ({ update }) => {
          initialized.resolve(update);
          return readFileSync(shop.supergraphFile, 'utf8');
        },
      },
      admin: { port: 0 },
      contracts: { guard: 'off' },
    },
    {
      startPlannerThread: planInProcess,
      logger: createLogger('error', { write: (line) => refused.resolve(JSON.parse(line).reason) }),
    },
  );
  const { adminUrl } = await gateway.start({ listen: false });
  (await initialized.promise)('type Query { a: Int }');
  const message = await refused.promise;
  const health = await fetch(`${adminUrl}/health/ready`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: 'ready', supergraph: expect.any(String), notes: [{ code: 'SUPERGRAPH_REFUSED', message }] },
  ]);
  await gateway.close();
});

test.each(['nodeHttp.ts', 'fastify.ts', 'supergraphManager.ts'])(
  'docs/embedding.md shows the example %s as it is run here',
  (file) => {
    const root = new URL('../../', import.meta.url);
    const example = readFileSync(new URL(`docs/examples/embedding/${file}`, root), 'utf8');
    const page = readFileSync(new URL('docs/embedding.md', root), 'utf8');
    expect(page).toContain(
      `\`\`\`ts\n${example.replace('../../../gateway/gateway.ts', 'tributary-gateway')}\`\`\``,
    );
  },
);
