import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { LoadSupergraphContext } from '../../../gateway/config/sections/supergraph.ts';
import {
  createFunctionReader,
  createUrlReader,
  sourceLocationOf,
} from '../../../gateway/supergraph/sources/createSource.ts';
import { fetchSupergraphSdl } from '../../../gateway/supergraph/sources/fetchSupergraphSdl.ts';
import { UnavailableError } from '../../../gateway/supergraph/sources/httpRequest.ts';
import { createPollingSource } from '../../../gateway/supergraph/sources/pollingSource.ts';
import { closeServer } from '../../harness/closeServer.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { recordSource } from '../../harness/recordSource.ts';

const perTest: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of perTest.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const pollIntervalMs = 10_000;
const canary = 'canary-of-a-secret';

interface Registry {
  readonly url: string;
  readonly requests: IncomingHttpHeaders[];
  respond: (response: ServerResponse, headers: IncomingHttpHeaders) => void;
  close(): Promise<void>;
}

async function startRegistry(respond: Registry['respond'], port = 0): Promise<Registry> {
  const requests: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers);
    registry.respond(response, request.headers);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const registry: Registry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/supergraph`,
    requests,
    respond,
    close: () => closeServer(server),
  };
  perTest.push({ [Symbol.asyncDispose]: () => registry.close() });
  return registry;
}

const send =
  (body: string | Buffer, headers: Record<string, string> = {}, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, headers).end(body);
  };

/** Sends `sdl`, or 304 to a client that has it. */
const sendTagged = (sdl: string) => (response: ServerResponse, headers: IncomingHttpHeaders) => {
  if (headers['if-none-match'] === `"${sdl}"`) response.writeHead(304).end();
  else response.writeHead(200, { etag: `"${sdl}"` }).end(sdl);
};

type Read = Parameters<typeof createPollingSource>[0]['read'];

async function start(read: Read, { isPolling = true } = {}) {
  const timers = new FakeTimers();
  const source = createPollingSource({
    read,
    pollIntervalMs: isPolling ? pollIntervalMs : undefined,
    timers,
    random: () => 1,
  });
  perTest.push({ [Symbol.asyncDispose]: () => source.stop() });
  const recorded = recordSource(source);
  await source.start(recorded);
  /** Polls after `ms`, and resolves with the events when the timer for the next poll is set. */
  const poll = async (ms = pollIntervalMs, nextMs = ms) => {
    timers.fire(ms);
    await timers.waitForTimer(nextMs);
    return recorded.drain();
  };
  return { ...recorded, timers, poll };
}

const startUrl = async (url: string, headers: Record<string, string> = {}) => {
  const started = await start(createUrlReader({ url, headers }));
  await started.timers.waitForTimer(started.timers.pendingMs()[0] as number);
  return started;
};

const signal = new AbortController().signal;

describe('the URL source', () => {
  test('sends the configured headers, and reports an SDL only when it has changed', async () => {
    const registry = await startRegistry(sendTagged('one'));
    const source = await startUrl(registry.url, { 'X-Hive-CDN-Key': canary });
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    expect(await source.poll()).toEqual([]);
    registry.respond = sendTagged('two');
    expect(await source.poll()).toEqual([{ sdl: 'two' }]);
    expect(
      registry.requests.map((headers) => [headers['x-hive-cdn-key'], headers['if-none-match']]),
    ).toStrictEqual([
      [canary, undefined],
      [canary, '"one"'],
      [canary, '"one"'],
    ]);
  });

  test('sends If-Modified-Since to a server that has no ETag', async () => {
    const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
    const registry = await startRegistry((response, headers) => {
      if (headers['if-modified-since'] === date) response.writeHead(304).end();
      else response.writeHead(200, { 'last-modified': date }).end('one');
    });
    const source = await startUrl(registry.url);
    expect([source.drain(), await source.poll()]).toEqual([[{ sdl: 'one' }], []]);
  });

  test('reports an outage once, however its errors differ, and the SDL again afterwards', async () => {
    const registry = await startRegistry(sendTagged('one'));
    const source = await startUrl(`${registry.url}?key=${canary}`);
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    registry.respond = send('busy', {}, 503);
    expect(await source.poll()).toEqual([
      {
        problem: `the supergraph could not be fetched from ${registry.url}?key=***: the server responds with status 503`,
      },
    ]);
    registry.respond = (response) => response.destroy();
    expect(await source.poll()).toEqual([]);
    await registry.close();
    expect(await source.poll()).toEqual([]);
    await startRegistry(sendTagged('one'), Number(new URL(registry.url).port));
    expect(await source.poll()).toEqual([{ sdl: 'one' }]);
  });

  test('retries with backoff until the first SDL', async () => {
    const registry = await startRegistry(send('busy', {}, 503));
    const source = await startUrl(registry.url);
    expect(source.drain()).toHaveLength(1);
    await source.poll(500, 1_000);
    await source.poll(1_000, 2_000);
    registry.respond = sendTagged('one');
    expect(await source.poll(2_000, pollIntervalMs)).toEqual([{ sdl: 'one' }]);
  });

  test('leaves no timer after it is stopped, and aborts the running request', async () => {
    const arrived = Promise.withResolvers<void>();
    const registry = await startRegistry(sendTagged('one'));
    const source = await startUrl(registry.url);
    registry.respond = () => arrived.resolve();
    source.timers.fire(pollIntervalMs);
    await arrived.promise;
    await source.source.stop();
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    expect(source.timers.pendingMs()).toEqual([]);
  });
});

test('the location of a configured source is its file, or its address without secrets', () => {
  const sources = [
    { file: 'a.graphql' },
    { url: `https://registry.test/a?key=${canary}` },
    { subgraphs: [{ name: 'a', url: 'http://a.test' }] },
  ];
  expect(sources.map((supergraph) => sourceLocationOf(parseConfig({ supergraph })))).toStrictEqual([
    'a.graphql',
    'https://registry.test/a?key=***',
    undefined,
  ]);
});

describe('fetchSupergraphSdl', () => {
  const failureOf = async (url: string, limits = { timeoutMs: 10_000, maxBytes: 100 }) => {
    const error = await fetchSupergraphSdl({ url, headers: { authorization: canary } }, signal, {
      limits,
    }).then(
      () => new Error('fetched'),
      (reason: Error) => reason,
    );
    expect(`${error.message} ${error.cause}`).not.toContain(canary);
    return error.message.replaceAll(url, 'URL');
  };

  test('names the variable that sets the authorities when the authority of the registry is unknown', async () => {
    const { cert, key } = createCertificate({ name: 'localhost' });
    const server = createHttpsServer({ cert, key }).listen(0, '127.0.0.1');
    perTest.push({ [Symbol.asyncDispose]: () => closeServer(server) });
    await once(server, 'listening');
    expect(await failureOf(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)).toBe(
      'the supergraph could not be fetched from URL: self-signed certificate; name its root authority in `NODE_EXTRA_CA_CERTS`, or start with NODE_OPTIONS=--use-system-ca if this machine trusts it',
    );
  });

  test.each([
    [401, '', 'the server refuses access (status 401); check supergraph.headers'],
    [403, '', 'the server refuses access (status 403); check supergraph.headers'],
    [404, '', 'the server has nothing at this address (status 404); check supergraph.url'],
    [418, '', 'the server responds with status 418'],
    [304, '', 'the server responds with status 304'],
    [200, ' \n', 'the response is empty'],
    [200, '\n<!doctype html>', 'the response is an HTML or XML page, not the SDL of a supergraph'],
    [200, '{"sdl":""}', 'the response is JSON, not the SDL of a supergraph'],
    [200, Buffer.from([0xff, 0xfe]), 'the response is not valid UTF-8'],
    [200, 'x'.repeat(101), 'the response is larger than 100 bytes'],
  ])('explains a response with status %d and body %p', async (status, body, reason) => {
    const registry = await startRegistry(send(body, {}, status));
    expect(await failureOf(registry.url)).toBe(`the supergraph could not be fetched from URL: ${reason}`);
  });

  test('decompresses br, gzip and zstd, and limits the decompressed size', async () => {
    const registry = await startRegistry(send(gzipSync('zipped'), { 'content-encoding': 'gzip' }));
    const fetchSdl = async () => (await fetchSupergraphSdl({ url: registry.url, headers: {} }, signal))?.sdl;
    expect(await fetchSdl()).toBe('zipped');
    registry.respond = send(brotliCompressSync('broiled'), { 'content-encoding': 'br' });
    expect(await fetchSdl()).toBe('broiled');
    registry.respond = send(zstdCompressSync('tarred'), { 'content-encoding': 'zstd' });
    expect(await fetchSdl()).toBe('tarred');
    registry.respond = send('plain', { 'content-encoding': 'zstd' });
    expect(await failureOf(registry.url)).toMatch(/: the response is not valid zstd$/);
    registry.respond = send(brotliCompressSync('x'.repeat(1_000_000)), { 'content-encoding': 'br' });
    expect(await failureOf(registry.url)).toMatch(/: the response is larger than 100 bytes$/);
    registry.respond = send('plain', { 'content-encoding': 'br' });
    expect(await failureOf(registry.url)).toMatch(/: the response is not valid br$/);
    registry.respond = send('plain', { 'content-encoding': 'compress' });
    expect(await failureOf(registry.url)).toMatch(
      /: the response has a content-encoding other than gzip, br, zstd, deflate$/,
    );
  });

  test('fails without a response in time', async () => {
    const registry = await startRegistry(() => {});
    expect(await failureOf(registry.url, { timeoutMs: 50, maxBytes: 100 })).toMatch(
      /: no response within 50 ms$/,
    );
  });

  test('sends its headers again after a redirect on the same host, and to no other host', async () => {
    const storage = await startRegistry(send('stored'));
    const registry = await startRegistry((response, headers) => {
      const isFirst = registry.requests.length === 1;
      expect(headers.authorization).toBe(canary);
      response.writeHead(302, { location: isFirst ? '/moved' : `${storage.url}?signature=${canary}` }).end();
    });
    const address = { url: registry.url, headers: { authorization: canary } };
    expect((await fetchSupergraphSdl(address, signal))?.sdl).toBe('stored');
    expect([registry.requests.length, storage.requests[0]?.authorization]).toStrictEqual([2, undefined]);
    storage.respond = send('', {}, 403);
    registry.requests.length = 0;
    expect(await failureOf(registry.url)).toBe(
      `the supergraph could not be fetched from URL: redirected to ${storage.url}?signature=***: the server refuses access (status 403); check supergraph.headers`,
    );
  });

  test('follows at most five redirects, none without a location, and none to another protocol', async () => {
    const registry = await startRegistry(send('', { location: '/again' }, 307));
    expect(await failureOf(registry.url)).toMatch(/: there are more than 5 redirects$/);
    expect(registry.requests).toHaveLength(6);
    registry.respond = send('', { location: 'file:///etc/passwd' }, 301);
    expect(await failureOf(registry.url)).toMatch(
      /: the response is a redirect \(status 301\) from http:\/\/ to file:\/\/$/,
    );
    registry.respond = send('', {}, 301);
    expect(await failureOf(registry.url)).toMatch(
      /: the response is a redirect \(status 301\) without a valid location$/,
    );
  });

  test('tells an outage from a response that is wrong', async () => {
    const registry = await startRegistry(send('', {}, 429));
    const fetching = () => fetchSupergraphSdl({ url: registry.url, headers: {} }, signal);
    await expect(fetching()).rejects.toBeInstanceOf(UnavailableError);
    registry.respond = send('', {}, 401);
    await expect(fetching()).rejects.not.toBeInstanceOf(UnavailableError);
  });
});

describe('supergraph.load', () => {
  test('is called with the last SDL at each interval, and its SDL is reported when it has changed', async () => {
    const calls: unknown[] = [];
    let sdl: string | undefined = 'one';
    const source = await start(
      createFunctionReader(async ({ previous }) => {
        calls.push(previous);
        return sdl;
      }),
    );
    await source.timers.waitForTimer(pollIntervalMs);
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    sdl = undefined;
    expect(await source.poll()).toEqual([]);
    sdl = 'two';
    expect(await source.poll()).toEqual([{ sdl: 'two' }]);
    expect(calls).toStrictEqual([undefined, 'one', 'one']);
  });

  test('is not called again after the first SDL without an interval, and submits further SDLs by `update`', async () => {
    let update: (sdl: string) => void = () => {};
    let aborted: AbortSignal | undefined;
    const source = await start(
      createFunctionReader((context) => {
        ({ update, signal: aborted } = context);
        return 'one';
      }),
      { isPolling: false },
    );
    update('two');
    expect(source.drain()).toEqual([{ sdl: 'one' }, { sdl: 'two' }]);
    expect(source.timers.pendingMs()).toEqual([]);
    expect(() => update('')).toThrow(
      'supergraph.load provided empty text; expected: the SDL of a supergraph',
    );
    await source.source.stop();
    update('three');
    expect([source.drain(), aborted?.aborted]).toEqual([[], true]);
  });

  test('is called again with backoff when it fails at first, and each problem is reported', async () => {
    let load = (): unknown => {
      throw new Error('no network');
    };
    const source = await start(createFunctionReader(async () => (await load()) as string));
    await source.timers.waitForTimer(500);
    expect(source.drain()).toEqual([{ problem: 'supergraph.load failed: no network' }]);
    load = () => 5;
    expect(await source.poll(500, 1_000)).toEqual([
      { problem: 'supergraph.load provided number; expected: the SDL of a supergraph' },
    ]);
    load = () => 'one';
    expect(await source.poll(1_000, pollIntervalMs)).toEqual([{ sdl: 'one' }]);
  });

  test('is called again with backoff when it returns nothing before the first SDL, and that is reported', async () => {
    const results = [undefined, undefined, 'one'];
    const source = await start(
      createFunctionReader(() => results.shift()),
      { isPolling: false },
    );
    await source.timers.waitForTimer(500);
    expect(source.drain()).toEqual([
      { problem: 'supergraph.load returned undefined before the first supergraph; expected: its SDL' },
    ]);
    expect(await source.poll(500, 1_000)).toEqual([]);
    source.timers.fire(1_000);
    expect(await source.next()).toEqual({ sdl: 'one' });
    expect(source.timers.pendingMs()).toEqual([]);
  });

  test('may submit its first SDL by `update`', async () => {
    const source = await start(
      createFunctionReader(({ update }) => {
        update('one');
        return undefined;
      }),
      { isPolling: false },
    );
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    expect(source.timers.pendingMs()).toEqual([]);
  });

  test('does not keep the source from stopping when it ignores the signal and never ends', async () => {
    const loading = Promise.withResolvers<void>();
    const source = createPollingSource({
      read: createFunctionReader(() => {
        loading.resolve();
        return new Promise(() => {});
      }),
      pollIntervalMs,
      timers: new FakeTimers(),
    });
    const recorded = recordSource(source);
    const started = source.start(recorded);
    await loading.promise;
    await source.stop();
    await started;
    expect(recorded.drain()).toEqual([]);
  });

  test('fails after a minute, is called again, and may still submit by `update`', async () => {
    const timers = new FakeTimers();
    const calls: LoadSupergraphContext[] = [];
    const source = createPollingSource({
      read: createFunctionReader((context) => {
        calls.push(context);
        return calls.length === 1 ? new Promise(() => {}) : 'two';
      }, timers),
      pollIntervalMs,
      timers,
      random: () => 1,
    });
    const recorded = recordSource(source);
    const started = source.start(recorded);
    await timers.waitForTimer(60_000);
    calls[0]?.update('one');
    timers.fire(60_000);
    await started;
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true]);
    await timers.waitForTimer(pollIntervalMs);
    timers.fire(pollIntervalMs);
    await timers.waitForTimer(pollIntervalMs);
    expect(recorded.drain()).toEqual([
      { sdl: 'one' },
      { problem: 'supergraph.load failed: no result within a minute' },
      { sdl: 'two' },
    ]);
    calls[0]?.update('three');
    expect(recorded.drain()).toEqual([{ sdl: 'three' }]);
    await source.stop();
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(timers.pendingMs()).toEqual([]);
  });

  test('is part of the parsed configuration', () => {
    const load = () => 'sdl';
    expect(parseConfig({ supergraph: { load } }).supergraph).toEqual({ load, pollInterval: undefined });
  });
});
