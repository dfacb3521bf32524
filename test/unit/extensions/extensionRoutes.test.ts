import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import type { ExtensionRoute } from '../../../gateway/extensions/extension.ts';
import { addExtensionRoutes } from '../../../gateway/extensions/extensionRoutes.ts';
import { PendingPromises } from '../../../gateway/time/pendingPromises.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';

let app: FastifyInstance;
let logged: unknown[];
let running: PendingPromises;
let draining: AbortController;
let readTimeoutMs: number;
beforeEach(() => {
  readTimeoutMs = 50;
  draining = new AbortController();
  running = new PendingPromises();
  app = fastify();
  logged = [];
});
afterEach(() => app.close());

/** Listens with these routes. Returns the origin. */
function serve(...routes: readonly ExtensionRoute[]): Promise<string> {
  const log = { error: (fields: object) => void logged.push(fields) };
  addExtensionRoutes(app, {
    extension: 'probe',
    routes,
    bodySize: 1_000,
    readTimeoutMs,
    draining: draining.signal,
    running,
    log,
  });
  return app.listen({ port: 0, host: '127.0.0.1' });
}

describe('a request with the method HEAD', () => {
  const get: ExtensionRoute = {
    method: 'GET',
    path: '/file',
    handle: ({ method }) => new Response(`text for ${method}`, { status: 203, headers: { etag: '"1"' } }),
  };

  test('gets the status and headers of the route for GET, which sees the method', async () => {
    const seen: string[] = [];
    const handle: ExtensionRoute['handle'] = (request, params, context) => {
      seen.push(request.method);
      return get.handle(request, params, context);
    };
    const response = await fetch(new URL('/file', await serve({ ...get, handle })), { method: 'HEAD' });
    expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([203, '"1"', '']);
    expect([seen, logged]).toEqual([['HEAD'], []]);
  });

  test('cancels the body, which may have no end', async () => {
    const cancelled = Promise.withResolvers<void>();
    const handle = () => new Response(new ReadableStream({ cancel: () => cancelled.resolve() }));
    const origin = await serve({ ...get, handle });
    expect((await fetch(new URL('/file', origin), { method: 'HEAD' })).status).toBe(200);
    await cancelled.promise;
  });

  const head: ExtensionRoute = {
    method: 'HEAD',
    path: '/file',
    handle: () => new Response(null, { status: 204 }),
  };

  test.each([
    ['after', [get, head]],
    ['before', [head, get]],
  ])('gets the response of a route for HEAD %s that for GET', async (_, routes) => {
    const url = new URL('/file', await serve(...routes));
    expect([(await fetch(url, { method: 'HEAD' })).status, (await fetch(url)).status]).toEqual([204, 203]);
  });
});

describe('the URL of a request', () => {
  const echo: ExtensionRoute = { method: 'GET', path: '/*', handle: ({ url }) => new Response(url) };

  test.each([
    ['example.com:8080', '/a/b?c=%20', 'http://example.com:8080/a/b?c=%20'],
    ['', '/a', 'http://localhost/a'],
    ['example.com', '//other.com/a', 'http://example.com//other.com/a'],
  ])('with the host %j and the target %j is %s', async (host, path, url) => {
    const origin = await serve(echo);
    expect(await exchange(origin, { method: 'GET', path, headers: { host } })).toMatchObject({
      status: 200,
      body: url,
    });
  });

  test.each(['[bad', 'a b', 'example.com/a', 'user@example.com', 'example.com:99999'])(
    'cannot have the host %j: the client gets 400, and the log has no error',
    async (host) => {
      const response = await exchange(await serve(echo), { method: 'GET', path: '/a', headers: { host } });
      expect([response.status, JSON.parse(response.body)]).toEqual([
        400,
        { error: 'The header host is not valid. Send a name or an address, with a port if it is needed.' },
      ]);
      expect(logged).toEqual([]);
    },
  );
});

describe('the signal of a request', () => {
  test('is aborted when the client disconnects before the response, and what the route throws then is not in the log', async () => {
    const [entered, aborted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const handle: ExtensionRoute['handle'] = async ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      entered.resolve();
      await aborted.promise;
      throw signal.reason;
    };
    const client = new AbortController();
    const url = new URL('/wait', await serve({ method: 'POST', path: '/wait', handle }));
    const response = fetch(url, { method: 'POST', body: 'a', signal: client.signal });
    await entered.promise;
    client.abort();
    await expect(response).rejects.toThrow('aborted');
    await aborted.promise;
    await running.settled();
    expect(logged).toEqual([]);
  });

  test('is not aborted by the end of the response', async () => {
    const signals: AbortSignal[] = [];
    const handle: ExtensionRoute['handle'] = ({ signal }) => {
      signals.push(signal);
      return new Response('text');
    };
    await using connection = await RawConnection.open(await serve({ method: 'GET', path: '/', handle }));
    for (const path of ['/', '/']) {
      connection.send({ method: 'GET', path });
      expect((await connection.readResponse()).body).toBe('text');
    }
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });
});

describe('a response with a stream', () => {
  test('ends when the route ends it because the gateway drains', async () => {
    const encoder = new TextEncoder();
    const handle: ExtensionRoute['handle'] = (_request, _params, context) =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(encoder.encode('first '));
            context.draining.addEventListener('abort', () => {
              controller.enqueue(encoder.encode('last'));
              controller.close();
            });
          },
        }),
      );
    const response = await fetch(await serve({ method: 'GET', path: '/', handle }));
    draining.abort();
    expect(await response.text()).toBe('first last');
    await running.settled();
  });

  const megabyte = new Uint8Array(1024 * 1024);
  const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(megabyte) });

  test.each([
    ['without an end', endless],
    ['of a known size', () => new Blob([new Uint8Array(32 * 1024 * 1024)])],
  ])('%s is given up when its client reads nothing for the read timeout', async (_, bodyOf) => {
    const aborted = Promise.withResolvers<void>();
    const handle: ExtensionRoute['handle'] = ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      return new Response(bodyOf());
    };
    const client = connect(
      Number(new URL(await serve({ method: 'GET', path: '/', handle })).port),
      '127.0.0.1',
    );
    client.pause();
    client.on('error', () => {});
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await aborted.promise;
    client.destroy();
    await running.settled();
    expect(logged).toEqual([]);
  });

  test('stays open while it has nothing to send, and after a pause of its client', async () => {
    readTimeoutMs = 60_000;
    const [limited, unlimited] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isLimited = false;
    app.addHook('onRequest', async ({ raw: { socket } }) => {
      const setTimeout = socket.setTimeout.bind(socket);
      socket.setTimeout = (ms, ...rest) => {
        if (ms === readTimeoutMs) {
          isLimited = true;
          limited.resolve();
        } else if (isLimited) unlimited.resolve();
        return setTimeout(ms, ...rest);
      };
    });
    const pull = (controller: ReadableStreamDefaultController): void => {
      if (!isLimited) controller.enqueue(megabyte);
    };
    const handle = () => new Response(new ReadableStream({ pull }));
    const client = connect(
      Number(new URL(await serve({ method: 'GET', path: '/', handle })).port),
      '127.0.0.1',
    );
    client.pause();
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await limited.promise;
    client.resume();
    await unlimited.promise;
    client.destroy();
    await running.settled();
  });
});
