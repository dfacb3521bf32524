import { AsyncResource } from 'node:async_hooks';
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { HeaderAuthentication } from '../../gateway/admission/authentication/authentication.ts';
import { createIdentityReader } from '../../gateway/admission/identity.ts';
import type { OperationRequest } from '../../gateway/operation/operationRequest.ts';
import { WebSocketConnection } from '../../gateway/transport/websocket/webSocketConnection.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import {
  FakeSupergraphView,
  singleOutcome,
  startScriptedServer,
  supergraphOf,
  testSdl,
} from '../harness/scriptedServer.ts';
import { WeakList } from '../harness/weakList.ts';
import { Peer, rejectionOf } from '../harness/webSocketPeer.ts';

const query = '{ greeting }';

describe('the headers of an operation on a WebSocket', () => {
  test('are those of the handshake, overridden by allowed connection parameters', async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(
      server.url,
      {
        Authorization: 'from the parameters',
        'X-Shop': 'outer',
        'x-user': 'somebody else',
        number: 1,
        text: 'two\nlines',
        'x-request-id': 'mine',
        connection: 'close',
        'x-forwarded-for': '1.2.3.4',
        headers: { 'x-shop': 'inner', authorization: null },
      },
      { headers: { authorization: 'from the handshake', cookie: 'a=b', 'x-forwarded-for': '5.6.7.8' } },
    );
    peer.subscribe(query);
    await peer.next();
    const { headers, requestId } = server.receivedOperations[0] as OperationRequest;
    expect(Object.fromEntries(headers)).toEqual({
      authorization: 'from the parameters',
      cookie: 'a=b',
      'x-shop': 'inner',
      'x-forwarded-for': '5.6.7.8',
      'x-request-id': requestId,
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(requestId).not.toBe('mine');
  });

  test('decide the address of the client if the connection comes from a trusted proxy', async () => {
    for (const [trustedProxies, address] of [
      [['127.0.0.1'], '198.51.100.7'],
      [[], '127.0.0.1'],
    ] as const) {
      await using server = await startScriptedServer(undefined, { listen: { trustedProxies } });
      const headers = { 'x-forwarded-for': '1.1.1.1, 198.51.100.7' };
      await using peer = await Peer.ready(server.url, undefined, { headers });
      peer.subscribe(query);
      await peer.next();
      expect(server.receivedOperations[0]?.clientAddress).toBe(address);
    }
  });

  test('do not contain parameters for subgraphs, which are forwarded unchanged', async () => {
    await using server = await startScriptedServer();
    const shop = { id: 7, name: 'north' };
    await using peer = await Peer.ready(server.url, { shop, Tenant: 'a', tenant: 'b', other: 1 });
    for (const id of ['1', '2']) {
      peer.subscribe(query, id);
      await peer.next();
      await peer.next();
    }
    expect(server.receivedOperations.map(({ connectionParams }) => connectionParams)).toEqual([
      { shop, Tenant: 'a' },
      { shop, Tenant: 'a' },
    ]);
  });

  test('do not fit when the parameters for subgraphs are larger than headers may be', async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.open(server.url);
    peer.send({ type: 'connection_init', payload: { shop: ['x'.repeat(20_000)] } });
    expect((await peer.closed).code).toBe(4400);
  });

  test.each([
    [
      'that are used as headers may not be larger than HTTP headers',
      { authorization: 'x'.repeat(20_000) },
      'Connection parameters are too large',
    ],
    [
      'may not be larger than 64 KB in total',
      { unused: 'x'.repeat(65_536) },
      'Connection parameters are too large',
    ],
    [
      'that are used as headers may not be numbers',
      { authorization: 7 },
      'The connection parameter "authorization" is not a text',
    ],
    [
      'that are used as headers may not be lists',
      { headers: { Authorization: ['Bearer a'] } },
      'The connection parameter "authorization" is not a text',
    ],
    [
      'that are used as headers may not have line breaks',
      { headers: { Authorization: 'a\r\nx-b: c' } },
      'The connection parameter "authorization" has characters that no header may have',
    ],
  ])('%s', async (_, payload, reason) => {
    await using server = await startScriptedServer();
    await using peer = await Peer.open(server.url);
    peer.send({ type: 'connection_init', payload });
    expect(await peer.closed).toEqual({ code: 4400, reason });
  });
});

describe('a WebSocket handshake', () => {
  const security = { cors: { origins: ['https://shop.test', 'https://*.shop.test'] } };

  test.each([
    ['no origin, as from clients other than browsers', {}],
    ['a listed origin', { origin: 'https://shop.test' }],
    ['a listed subdomain', { origin: 'https://eu.shop.test' }],
    ['the origin of the gateway itself', { origin: 'https://gateway.test', host: 'gateway.test' }],
  ])('is accepted with %s', async (_, headers) => {
    await using server = await startScriptedServer(undefined, { security });
    await using peer = await Peer.ready(server.url, undefined, { headers: { ...headers, cookie: 'a=b' } });
    peer.subscribe(query);
    await peer.next();
    expect(server.receivedOperations[0]?.headers.get('cookie')).toBe('a=b');
  });

  test('is accepted with a request target in absolute form', async () => {
    await using server = await startScriptedServer(undefined, { security });
    await using connection = await RawConnection.open(server.url);
    const handshake = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    };
    connection.send({ method: 'GET', path: 'http://gateway.test/graphql', headers: handshake });
    expect((await connection.readHead()).status).toBe(101);
  });

  test.each(['https://other.test', 'null', 'http://127.0.0.1'])(
    'is rejected with the origin %s unless CSRF prevention is off',
    async (origin) => {
      await using server = await startScriptedServer(undefined, { security });
      expect(await rejectionOf(server.url, { headers: { origin } })).toEqual([403, 'BAD_REQUEST']);
      await using open = await startScriptedServer(undefined, { security: { ...security, csrf: false } });
      await using peer = await Peer.ready(open.url, undefined, { headers: { origin } });
      expect(peer.socket.readyState).toBe(WebSocket.OPEN);
    },
  );

  test("from any origin, when CORS allows all, is accepted without the browser's credentials", async () => {
    await using server = await startScriptedServer(undefined, { security: { cors: { origins: ['*'] } } });
    await using peer = await Peer.ready(
      server.url,
      { authorization: 'the page' },
      { headers: { origin: 'https://other.test', cookie: 'a=b', authorization: 'the browser' } },
    );
    peer.subscribe(query);
    await peer.next();
    const headers = server.receivedOperations[0]?.headers;
    expect([headers?.get('cookie'), headers?.get('authorization')]).toStrictEqual([undefined, 'the page']);
  });

  test('is rejected while there is no supergraph', async () => {
    const supergraphs = new FakeSupergraphView();
    await using server = await startScriptedServer(undefined, { supergraphs });
    expect(await rejectionOf(server.url)).toEqual([503, 'SUPERGRAPH_UNAVAILABLE']);
    supergraphs.set(supergraphOf(testSdl));
    await using peer = await Peer.ready(server.url);
    expect(peer.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('is rejected at the limit of WebSockets', async () => {
    await using server = await startScriptedServer(undefined, { limits: { webSockets: 1 } });
    const peer = await Peer.ready(server.url);
    expect(await rejectionOf(server.url)).toEqual([503, 'OVERLOADED']);
    await peer[Symbol.asyncDispose]();
    await using again = await Peer.ready(server.url);
    expect(again.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('is refused for good where none are allowed', async () => {
    await using server = await startScriptedServer(undefined, { limits: { webSockets: 0 } });
    expect(await rejectionOf(server.url)).toEqual([403, 'FORBIDDEN']);
  });

  test('is rejected at the limit of WebSockets of one client: an identity, or an address without one', async () => {
    await using server = await startScriptedServer(undefined, {
      limits: { webSocketsPerClient: 1 },
      authentication: new HeaderAuthentication(createIdentityReader({ header: 'x-user', claim: 'sub' })),
    });
    const as = (user: string) => ({ headers: { 'x-user': user } });
    await using _ada = await Peer.ready(server.url, undefined, as('ada'));
    await using _ben = await Peer.ready(server.url, undefined, as('ben'));
    const second = await Peer.open(server.url, as('ada'));
    second.send({ type: 'connection_init' });
    expect(await second.closed).toEqual({
      code: 1013,
      reason:
        "The number of this client's WebSockets is at its maximum, 1 (limits.webSocketsPerClient). Close one of them first.",
    });
    const anonymous = await Peer.ready(server.url);
    expect(await rejectionOf(server.url)).toEqual([503, 'OVERLOADED']);
    await anonymous[Symbol.asyncDispose]();
    await using again = await Peer.ready(server.url);
    expect(again.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('for another protocol is ignored, and the request gets a normal response', async () => {
    await using server = await startScriptedServer();
    const headers = { 'content-type': 'application/json', connection: 'upgrade', upgrade: 'h2c' };
    const { status, body } = await exchange(server.url, { headers, body: JSON.stringify({ query }) });
    expect([status, body]).toEqual([200, '{"data":{"greeting":"hello"}}']);
  });
});

test('a closed WebSocket is not kept in memory by what one of its operations has opened', async () => {
  // Like a connection to a subgraph, it refers to the async context in which it was created.
  const opened: AsyncResource[] = [];
  await using server = await startScriptedServer(async () => {
    opened.push(new AsyncResource('connection'));
    return singleOutcome('{"greeting":"hello"}');
  });
  const connections = new WeakList();
  const { drain } = WebSocketConnection.prototype;
  WebSocketConnection.prototype.drain = function () {
    connections.add(this);
    drain.call(this);
  };
  try {
    await using peer = await Peer.ready(server.url);
    peer.subscribe(query);
    await peer.next();
    await server.close();
    await peer.closed;
  } finally {
    WebSocketConnection.prototype.drain = drain;
  }
  expect(opened).toHaveLength(1);
  expect(await connections.countRemaining()).toBe(0);
});
