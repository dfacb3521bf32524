import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { GraphQLProxy } from '../../../storefront/graphqlProxy.ts';
import { closeServer } from '../../harness/closeServer.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';
import { hang, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';

type UpgradeListener = GraphQLProxy['upgrade'];

interface RunningServer extends AsyncDisposable {
  readonly url: string;
}

async function listen(listener: RequestListener, onUpgrade: UpgradeListener): Promise<RunningServer> {
  const server: Server = createServer(listener).on('upgrade', onUpgrade);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

/** Starts the shop's server with a gateway at this URL. */
async function startProxy(gatewayUrl: string): Promise<RunningServer> {
  const proxy = new GraphQLProxy(gatewayUrl);
  const server = await listen(
    (request, response) => proxy.forward(request, response),
    (...handshake) => proxy.upgrade(...handshake),
  );
  return {
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      proxy.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const operation = {
  headers: { 'content-type': 'application/json', accept: 'multipart/mixed' },
  body: '{"query":"{ a }"}',
};

// The port of a server that has closed can be another server's a moment later.
const downUrl = 'http://127.0.0.1:1/graphql';

describe("the shop's proxy to the gateway", () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('forwards the request unchanged, and each chunk of the response when it arrives', async () => {
    await using gateway = await startScriptedSubgraph();
    const second = Promise.withResolvers<void>();
    gateway.enqueueScripts(async ({ write, end }) => {
      write(
        'HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n',
      );
      await second.promise;
      write('6\r\nsecond\r\n0\r\n\r\n');
      end();
    });
    await using proxy = await startProxy(gateway.url);
    await using browser = await RawConnection.open(proxy.url);
    browser.send({
      ...operation,
      path: '/graphql?a=1',
      headers: { ...operation.headers, connection: 'x-own, close', 'x-own': '1' },
    });
    const { status, headers } = await browser.readHead();
    expect([status, headers.get('content-type')]).toEqual([200, 'multipart/mixed']);
    expect(await browser.readChunk()).toBe('first');
    second.resolve();
    expect([await browser.readChunk(), await browser.readChunk()]).toStrictEqual(['second', undefined]);
    const [request] = gateway.requests;
    expect([request?.method, request?.path, request?.body]).toEqual(['POST', '/graphql?a=1', operation.body]);
    expect([request?.headers.get('accept'), request?.headers.get('x-own')]).toStrictEqual([
      'multipart/mixed',
      undefined,
    ]);
  });

  test("aborts the gateway's request without a log message when the browser disconnects", async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using gateway = await startScriptedSubgraph();
    gateway.enqueueScripts(hang);
    await using proxy = await startProxy(gateway.url);
    {
      await using browser = await RawConnection.open(proxy.url);
      browser.send(operation);
      await gateway.waitForRequests(1);
      expect(gateway.openConnections).toBe(1);
    }
    await gateway.requests[0]?.connectionClosed;
    expect(gateway.openConnections).toBe(0);
    expect(log.mock.calls).toEqual([]);
  });

  test('breaks off a response that the gateway breaks off, so that it does not look complete', async () => {
    await using gateway = await startScriptedSubgraph();
    const cut = Promise.withResolvers<void>();
    gateway.enqueueScripts(async ({ write, reset }) => {
      write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n');
      await cut.promise;
      reset();
    });
    await using proxy = await startProxy(gateway.url);
    await using browser = await RawConnection.open(proxy.url);
    browser.send(operation);
    await browser.readHead();
    expect(await browser.readChunk()).toBe('first');
    cut.resolve();
    await browser.waitForClose();
    await expect(browser.readChunk()).rejects.toThrow();
  });

  test('responds with 502 and a GraphQL error while the gateway is down', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using proxy = await startProxy(downUrl);
    const { status, headers, body } = await exchange(proxy.url, operation);
    expect([status, headers.get('content-type'), JSON.parse(body)]).toEqual([
      502,
      'application/graphql-response+json; charset=utf-8',
      {
        errors: [{ message: 'The gateway cannot be reached.', extensions: { code: 'GATEWAY_UNREACHABLE' } }],
      },
    ]);
    expect(log.mock.calls).toEqual([
      [expect.stringMatching(/^Storefront: the gateway is unreachable: .*ECONNREFUSED/)],
    ]);
  });

  const handshake = {
    method: 'GET',
    headers: { connection: 'Upgrade', upgrade: 'websocket', origin: 'http://gateway.localhost' },
  };

  test("passes on the gateway's refusal of a WebSocket, and does not tell it the shop's origin", async () => {
    await using gateway = await startScriptedSubgraph();
    gateway.enqueueScripts(({ write, end }) => {
      write('HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n');
      end();
    });
    await using proxy = await startProxy(gateway.url);
    expect((await exchange(proxy.url, handshake)).status).toBe(429);
    const [request] = gateway.requests;
    expect([request?.headers.get('upgrade'), request?.headers.get('origin')]).toStrictEqual([
      'websocket',
      undefined,
    ]);
  });

  test('closes a WebSocket whose handshake the gateway has not answered, without a log message', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using gateway = await startScriptedSubgraph();
    gateway.enqueueScripts(hang);
    const proxy = await startProxy(gateway.url);
    await using browser = await RawConnection.open(proxy.url);
    browser.send(handshake);
    await gateway.waitForRequests(1);
    await proxy[Symbol.asyncDispose]();
    await browser.waitForClose();
    await gateway.requests[0]?.connectionClosed;
    expect(log.mock.calls).toEqual([]);
  });

  test('refuses a WebSocket with 502 while the gateway is down', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using proxy = await startProxy(downUrl);
    expect((await exchange(proxy.url, handshake)).status).toBe(502);
    expect(log.mock.calls).toEqual([
      [expect.stringMatching(/^Storefront: the gateway is unreachable: .*ECONNREFUSED/)],
    ]);
  });
});
