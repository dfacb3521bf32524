import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import { createApp } from '../../docs/examples/embedding/fastify.ts';
import { defineExtension, type Gateway } from '../../gateway/gateway.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import {
  createMounted,
  lamp,
  nameAt,
  overWebSocket,
  post,
  shop,
  statusOf,
} from '../harness/mountedGateway.ts';
import { exchange, exchangeJson } from '../harness/rawHttp.ts';

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

/** Starts a gateway below `prefix` of an instance, and resolves to the origin of both. The gateway closes with the instance. */
async function serve(app: FastifyInstance, gateway: Gateway, prefix = ''): Promise<string> {
  await app.register(gateway.fastifyPlugin, { prefix });
  app.addHook('preClose', () => gateway.close());
  await gateway.start({ listen: false, admin: false });
  return await app.listen({ port: 0, host: '127.0.0.1' });
}

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
  await using app = fastify();
  app.get('/', async () => 'page');
  const { shouldUpgradeCallback } = app.server as { shouldUpgradeCallback?: unknown };
  const origin = await serve(app, await createMounted(), '/shop');
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
  await app.close();
  expect(app.server).toHaveProperty('shouldUpgradeCallback', shouldUpgradeCallback);
});

test('hooks of a Fastify instance run before WebSockets of the gateway, and may refuse them or set headers', async () => {
  const { headers: received, extension } = recordHeaders();
  await using app = fastify();
  app.addHook('onRequest', async (request, reply) => {
    await setImmediate();
    if (request.headers.authorization !== 'secret') {
      return reply.code(401).send({ error: 'Send the header authorization.' });
    }
    request.headers['x-user'] = 'ann';
  });
  const origin = await serve(app, await createMounted({ extensions: [extension] }), '/shop');
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
});

test('headers that a hook of a Fastify instance assigns replace those of the client', async () => {
  const { headers: received, extension } = recordHeaders();
  await using app = fastify();
  app.addHook('onRequest', async (request) => {
    request.headers = { ...request.headers, 'x-user': 'ann' };
  });
  const origin = await serve(app, await createMounted({ extensions: [extension] }));
  const { status } = await exchangeJson(`${origin}/graphql`, { query: '{ name }' }, { 'x-user': 'forged' });
  expect(await overWebSocket(`${origin}/graphql`, '{ name }', { 'x-user': 'forged' })).toEqual([lamp]);
  expect([status, received]).toEqual([200, ['ann', 'ann']]);
});

test.each([
  ['/graphql', '/', '/graphql'],
  ['/graphql', '/shop/', '/shop/graphql'],
  ['/graphql', '/:tenant', '/acme/graphql'],
  ['/', '/api', '/api'],
])('a gateway at %s below the prefix %s of a Fastify instance is at %s', async (path, prefix, url) => {
  await using app = fastify();
  const origin = await serve(app, await createMounted({ listen: { path } }), prefix);
  expect(await post(origin + url, '{ name }')).toEqual({ status: 200, body: lamp });
  expect(await overWebSocket(origin + url, '{ name }')).toEqual([lamp]);
});

test('hooks of a Fastify instance see the URL with the prefix, also after the response', async () => {
  await using app = fastify();
  const urls: unknown[] = [];
  app.addHook('onRequest', async ({ url }) => void urls.push(url));
  app.addHook('onResponse', async ({ url, originalUrl }) => void urls.push(url, originalUrl));
  await serve(app, await createMounted(), '/shop');
  for (const url of ['/shop/graphql?query={name}', '/shop/health/live']) {
    urls.length = 0;
    expect((await app.inject({ url, headers: { 'apollo-require-preflight': 'yes' } })).statusCode).toBe(200);
    expect(urls).toEqual([url, url, url]);
  }
});

test('a request that a test injects into a Fastify instance is answered, and logs no error', async () => {
  const log: string[] = [];
  const logger = createLogger('warn', { write: (line) => void log.push(line) });
  await using app = fastify();
  await serve(app, await createMounted({}, { logger }));
  const response = await app.inject({
    method: 'POST',
    url: '/graphql',
    headers: { 'content-type': 'application/json' },
    payload: { query: '{ name }' },
  });
  expect([response.statusCode, response.json(), log]).toEqual([200, lamp, []]);
});

test('a gateway in a Fastify instance keeps its WebSockets from other listeners of the server, which may take every upgrade', async () => {
  await using app = fastify();
  const headers = { connection: 'upgrade', upgrade: 'websocket' };
  const taken: (string | undefined)[] = [];
  const take = (request: IncomingMessage, socket: Duplex): void => {
    taken.push(request.url);
    // As `@fastify/websocket` does. Throws when two responses get the same socket.
    new ServerResponse(request).assignSocket(socket as Socket);
    socket.end('HTTP/1.1 418 Teapot\r\nconnection: close\r\n\r\n');
  };
  app.server.on('upgrade', take);
  app.addHook('onReady', async () => void app.server.on('upgrade', (request) => taken.push(request.url)));
  const origin = await serve(app, await createMounted(), '/shop');
  expect(await overWebSocket(`${origin}/shop/graphql`, '{ name }')).toEqual([lamp]);
  expect(taken).toEqual([]);
  expect((await exchange(origin, { method: 'GET', path: '/three', headers })).status).toBe(418);
  expect(taken).toEqual(['/three', '/three']);
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
