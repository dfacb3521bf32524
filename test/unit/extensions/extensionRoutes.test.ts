import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fastify, { type FastifyInstance } from 'fastify';
import type { ExtensionRoute } from '../../../gateway/extensions/extension.ts';
import { addExtensionRoutes } from '../../../gateway/extensions/extensionRoutes.ts';
import { PendingPromises } from '../../../gateway/time/pendingPromises.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';

let app: FastifyInstance;
let logged: unknown[];
let running: PendingPromises;
beforeEach(() => {
  running = new PendingPromises();
  app = fastify();
  logged = [];
});
afterEach(() => app.close());

/** Listens with these routes. Returns the origin. */
function serve(...routes: readonly ExtensionRoute[]): Promise<string> {
  const log = { error: (fields: object) => void logged.push(fields) };
  addExtensionRoutes(app, { extension: 'probe', routes, bodySize: 1_000, running, log });
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
    const handle: ExtensionRoute['handle'] = (request, params) => {
      seen.push(request.method);
      return get.handle(request, params);
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
        { error: 'The header host is not valid.' },
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
