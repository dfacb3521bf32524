import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import { Agent, fetch } from 'undici';
import { WebSocket } from 'ws';
import { createCertificate } from '../harness/createCertificate.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { writeCertificate } from '../harness/temporaryCertificates.ts';

const authority = createCertificate({ name: 'authority', isAuthority: true });
const certificate = createCertificate({ name: 'gateway', issuer: authority });
const ca = authority.cert;

type Script = Parameters<typeof startScriptedServer>[0];
type Overrides = NonNullable<Parameters<typeof startScriptedServer>[1]>;

/** Starts the server with TLS. */
async function start(script?: Script, overrides: Overrides = {}): Promise<ScriptedServer> {
  const { files, [Symbol.asyncDispose]: remove } = await writeCertificate(certificate);
  const server = await startScriptedServer(script, {
    ...overrides,
    listen: { tls: files, ...overrides.listen },
  });
  const close = async (): Promise<void> => {
    await server.close();
    await remove();
  };
  return { ...server, close, [Symbol.asyncDispose]: close };
}

/** An HTTP/2 connection. */
class Connection implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly #url: URL;

  constructor(url: string, options: object = {}) {
    this.#url = new URL(url);
    this.session = connect(this.#url.origin, { ca, ...options });
    this.session.on('error', () => undefined);
  }

  /** Begins a request with an open body. */
  open(headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': this.#url.pathname,
      'content-type': 'application/json',
      ...headers,
    });
    stream.on('error', () => undefined);
    return stream;
  }

  operate(query = '{ greeting }', headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const stream = this.open(headers);
    stream.end(JSON.stringify({ query }));
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

async function headOf(stream: ClientHttp2Stream): Promise<Record<string, unknown>> {
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  return headers;
}

async function answerOf(stream: ClientHttp2Stream): Promise<[unknown, string]> {
  let body = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    body += part;
  });
  const closed = once(stream, 'close');
  const { ':status': status } = await headOf(stream);
  await closed;
  return [status, body];
}

const hello = [200, '{"data":{"greeting":"hello"}}'];

test('one port serves HTTP/2, HTTP/1.1 and WebSockets with TLS, with the same requests for the pipeline', async () => {
  await using server = await start();
  await using connection = new Connection(server.url);
  expect(await answerOf(connection.operate(undefined, { 'x-shop': 'a', cookie: 'a=1; b=2' }))).toEqual(hello);
  expect(connection.session.alpnProtocol).toBe('h2');

  const overHttp1 = requestHttps(server.url, {
    method: 'POST',
    ca,
    agent: false,
    headers: { 'content-type': 'application/json', 'x-shop': 'a', cookie: 'a=1; b=2' },
  });
  overHttp1.end('{"query":"{ greeting }"}');
  const [response] = await once(overHttp1, 'response');
  expect([response.httpVersion, await text(response)]).toEqual(['1.1', hello[1]]);

  const [overHttp2, other] = server.receivedOperations.map(({ headers, clientAddress }) => {
    const ofVersion1 = ['connection', 'content-length', 'x-request-id'];
    return { clientAddress, headers: [...headers].filter(([name]) => !ofVersion1.includes(name)).sort() };
  });
  expect(overHttp2).toEqual(other);
  expect(overHttp2?.headers).toContainEqual(['host', new URL(server.url).host]);

  const socket = new WebSocket(server.url.replace('https', 'wss'), 'graphql-transport-ws', { ca });
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  socket.send('{"type":"subscribe","id":"1","payload":{"query":"{ greeting }"}}');
  const [message] = await once(socket, 'message');
  expect(String(message)).toBe('{"id":"1","type":"next","payload":{"data":{"greeting":"hello"}}}');
  socket.terminate();
  expect(server.logLines).toEqual([]);
});

test('a client of undici with allowH2 gets an answer', async () => {
  await using server = await start();
  const dispatcher = new Agent({ allowH2: true, connect: { ca } });
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip' },
    body: '{"query":"{ greeting }"}',
    dispatcher,
  });
  expect([response.status, await response.text()]).toEqual(hello);
  await dispatcher.destroy();
});

test('the routes of Fastify are served over HTTP/2 with the security headers', async () => {
  await using server = await start();
  await using connection = new Connection(server.url);
  const stream = connection.session.request({ ':path': '/health/ready' });
  const head = await headOf(stream);
  expect([head[':status'], head['x-content-type-options'], JSON.parse(await text(stream)).status]).toEqual([
    200,
    'nosniff',
    'ready',
  ]);
  const unknown = connection.session.request({ ':path': '/none' });
  expect((await answerOf(unknown))[0]).toBe(404);
});

describe('a stream over HTTP/2', () => {
  test.each(['multipart/mixed;deferSpec=20220824', 'text/event-stream'])(
    'of %s gets its payloads one by one, beside other requests of the connection',
    async (accept) => {
      const payloads = new ScriptedPayloads();
      await using server = await start(({ document }) =>
        document.loc?.source.body.includes('name') ? payloads.outcome : singleOutcome('{"greeting":"hello"}'),
      );
      await using connection = new Connection(server.url);
      const stream = connection.operate('{ node { name } }', { accept }).setEncoding('utf8');
      payloads.push([{ data: { node: null }, hasNext: true }]);
      expect(((await once(stream, 'data')) as string[])[0]).toContain('"node":null');
      expect(await answerOf(connection.operate())).toEqual(hello);
      payloads.push([{ incremental: [], hasNext: false }]);
      expect(await text(stream)).toContain('"hasNext":false');
    },
  );

  test('ends when its client cancels it, and the connection stays', async () => {
    const events = new ScriptedEvents();
    await using server = await start(({ document }) =>
      document.loc?.source.body.startsWith('subscription')
        ? events.outcome
        : singleOutcome('{"greeting":"hello"}'),
    );
    await using connection = new Connection(server.url);
    const stream = connection.operate('subscription { greetings }', { accept: 'text/event-stream' });
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    await events.returned;
    expect(await answerOf(connection.operate())).toEqual(hello);
  });

  test('pauses for a client that does not read, which loses it after the read timeout', async () => {
    const events = new ScriptedEvents();
    await using server = await start(
      ({ document }) =>
        document.loc?.source.body.startsWith('subscription')
          ? events.outcome
          : singleOutcome('{"greeting":"hello"}'),
      { bufferSize: 100_000, readTimeoutMs: 50 },
    );
    await using connection = new Connection(server.url);
    for (let n = 0; n < 100; n += 1) events.push({ data: { greetings: 'x'.repeat(100_000) } });
    const stream = connection.operate('subscription { greetings }', { accept: 'text/event-stream' });
    stream.pause();
    await events.returned;
    expect(events.pullCount).toBeLessThan(10);
    expect(await answerOf(connection.operate())).toEqual(hello);
  });

  test('ends for a client that does not read the last payload, after the read timeout', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await start(
      ({ document }) =>
        document.loc?.source.body.includes('name') ? payloads.outcome : singleOutcome('{"greeting":"hello"}'),
      { readTimeoutMs: 50 },
    );
    await using connection = new Connection(server.url);
    const accept = 'multipart/mixed;deferSpec=20220824';
    const stream = connection.operate('{ node { name } }', { accept }).pause();
    payloads.push([{ data: { node: null }, extensions: 'x'.repeat(1_000_000), hasNext: false }]);
    await once(stream, 'close');
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(await answerOf(connection.operate())).toEqual(hello);
  });
});

test('a client that takes nothing of small responses over HTTP/2 loses them after the read timeout', async () => {
  await using server = await start(undefined, { readTimeoutMs: 50 });
  await using connection = new Connection(server.url, { settings: { initialWindowSize: 0 } });
  const streams = [
    connection.operate(),
    connection.operate('{ greeting }', { 'content-type': 'application/xml' }),
    connection.session.request({ ':path': '/health/live' }),
  ];
  await Promise.all(streams.map((stream) => once(stream, 'close')));
  expect(streams.map(({ rstCode }) => rstCode)).toEqual(Array(3).fill(constants.NGHTTP2_CANCEL));
  expect(server.logLines).toEqual([]);
});

test('a client that sends PINGs and reads other responses loses the one that it does not read', async () => {
  await using server = await start(
    ({ document }) =>
      singleOutcome(
        document.loc?.source.body.includes('name') ? `"${'x'.repeat(1_000_000)}"` : '{"greeting":"hello"}',
      ),
    { readTimeoutMs: 200 },
  );
  await using connection = new Connection(server.url);
  const stream = connection.operate('{ node { name } }').pause();
  const interval = setInterval(() => {
    connection.session.ping(() => {});
    connection.operate().resume();
  }, 20);
  await once(stream, 'close');
  clearInterval(interval);
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
});

test('a large text is complete over HTTP/2, also where a piece of it ends within a character', async () => {
  const body = `"${'a€'.repeat(100_000)}"`;
  await using server = await start(() => singleOutcome(body));
  await using connection = new Connection(server.url);
  expect(await answerOf(connection.operate())).toEqual([200, `{"data":${body}}`]);
});

describe('a request over HTTP/2', () => {
  test('whose body breaks off is not executed', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    const stream = connection.open();
    stream.write('{"query":');
    await new Promise((resolve) => connection.session.ping(resolve));
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await answerOf(connection.operate())).toEqual(hello);
    expect([server.receivedOperations.length, server.logLines]).toEqual([1, []]);
  });

  test('that does not arrive in time gets 408 and ends, and the connection stays', async () => {
    // The TLS handshake has to end in the time for the headers, on a busy machine too.
    await using server = await start(undefined, { timeouts: { headers: 500, request: 500 } });
    await using connection = new Connection(server.url);
    const stream = connection.open();
    stream.write('{');
    const [status, body] = await answerOf(stream);
    expect([status, body]).toEqual([
      408,
      '{"errors":[{"message":"The request did not arrive in time (listen.timeouts). Send it again.","extensions":{"code":"BAD_REQUEST"}}]}',
    ]);
    expect(await answerOf(connection.operate())).toEqual(hello);
    expect(server.logLines).toEqual([]);
  });

  test('may have each cookie in a header of its own, as browsers send them', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    const cookie = Array.from({ length: 200 }, (_, n) => `c${n}=a`);
    expect(await answerOf(connection.operate('{ greeting }', { cookie }))).toEqual(hello);
  });

  test('with headers that are too large, or too many, ends alone', async () => {
    await using server = await start();
    await using first = new Connection(server.url);
    const [status, body] = await answerOf(first.operate('{ greeting }', { 'x-long': 'a'.repeat(30_000) }));
    expect([status, body]).toEqual([431, expect.stringContaining('larger than 16384 bytes')]);
    await using connection = new Connection(server.url);
    await once(connection.session, 'remoteSettings');
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`x-${n}`, 'a']));
    for (const headers of [{ 'x-long': 'a'.repeat(30_000) }, many]) {
      const stream = connection.operate('{ greeting }', headers);
      await once(stream, 'error');
      expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    expect(await answerOf(connection.operate())).toEqual(hello);
    expect(server.receivedOperations.length).toBe(1);
  });

  test('with CONNECT, for a WebSocket (RFC 8441) too, is refused', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    const [settings] = await once(connection.session, 'remoteSettings');
    expect(settings.enableConnectProtocol).toBe(false);
    const stream = connection.session.request({ ':method': 'CONNECT', ':authority': 'other.test:443' });
    expect((await headOf(stream))[':status']).toBe(405);
    stream.close();
  });
});

describe('an HTTP/2 connection', () => {
  test('is closed when it had no request for listen.timeouts.keepAlive, only PINGs', async () => {
    await using server = await start(undefined, { timeouts: { keepAlive: 50 } });
    await using connection = new Connection(server.url);
    const { session } = connection;
    const ping = () => session.closed || session.destroyed || session.ping(ping);
    session.once('connect', ping);
    expect((await once(session, 'goaway'))[0]).toBe(constants.NGHTTP2_NO_ERROR);
    if (!session.closed) await once(session, 'close');
  });

  test('is closed after its last request, which took longer than listen.timeouts.keepAlive', async () => {
    const events = new ScriptedEvents();
    await using server = await start(() => events.outcome, { timeouts: { keepAlive: 50 } });
    await using connection = new Connection(server.url);
    const stream = connection.operate('subscription { greetings }', { accept: 'text/event-stream' });
    await headOf(stream);
    await using idle = new Connection(server.url);
    await once(idle.session, 'goaway');
    expect(connection.session.closed).toBe(false);
    const goaway = once(connection.session, 'goaway');
    stream.close(constants.NGHTTP2_CANCEL);
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('is closed then although its client does not close its side', async () => {
    await using server = await start(undefined, {
      timeouts: { keepAlive: 50 },
      drainTimeout: 2 ** 31 - 1,
    });
    const { hostname: host, port } = new URL(server.url);
    const options = { host, port: Number(port), ca, ALPNProtocols: ['h2'], allowHalfOpen: true };
    const client = connectTls(options);
    client.on('error', () => undefined).resume();
    await once(client, 'end');
    // Waits until all connections are closed.
    await server.close();
    client.destroy();
  });

  test('allows 100 requests at once', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    const [settings] = await once(connection.session, 'remoteSettings');
    expect(settings.maxConcurrentStreams).toBe(100);
  });

  test('accepts requests while a response of any size waits for its client', async () => {
    const large = singleOutcome(JSON.stringify({ greeting: 'x'.repeat(12_000_000) }));
    await using server = await start(({ document }) =>
      document.loc?.source.body.includes('name') ? large : singleOutcome('{"greeting":"hello"}'),
    );
    await using connection = new Connection(server.url);
    const unread = connection.operate('{ greeting(name: "a") }');
    expect((await headOf(unread))[':status']).toBe(200);
    expect(await answerOf(connection.operate())).toEqual(hello);
  });

  test('is closed when its client resets very many requests', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    await answerOf(connection.operate());
    const goaway = once(connection.session, 'goaway');
    const flood = (): void => {
      if (connection.session.destroyed || connection.session.closed) return;
      for (let n = 0; n < 50; n += 1) connection.open().close(constants.NGHTTP2_CANCEL);
      setImmediate(flood);
    };
    flood();
    const [code] = await goaway;
    expect(code).not.toBe(constants.NGHTTP2_NO_ERROR);
    await using next = new Connection(server.url);
    expect(await answerOf(next.operate())).toEqual(hello);
  });
});

describe('a server with HTTP/2 that shuts down', () => {
  test('completes running requests, and tells clients to connect elsewhere', async () => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    await using server = await start(async () => {
      entered.resolve();
      await gate.promise;
      return singleOutcome('{"greeting":"hello"}');
    });
    await using connection = new Connection(server.url);
    const held = answerOf(connection.operate());
    await entered.promise;
    const goaway = once(connection.session, 'goaway');
    const closed = server.close();
    gate.resolve();
    expect(await held).toEqual(hello);
    await Promise.all([goaway, closed]);
  });

  test('ends an incomplete stream as its format requires, after the drain timeout', async () => {
    const payloads = new ScriptedPayloads();
    await using server = await start(() => payloads.outcome, { drainTimeout: 1 });
    await using connection = new Connection(server.url);
    payloads.push([{ data: { greeting: 'hello' }, hasNext: true }]);
    const stream = connection.operate('{ greeting }', { accept: 'multipart/mixed;deferSpec=20220824' });
    let body = '';
    stream.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    await once(stream, 'data');
    const closed = once(stream, 'close');
    await server.close();
    await closed;
    expect(body).toMatch(/"SHUTTING_DOWN"\}\}\],"hasNext":false\}\r\n-----\r\n$/);
  });

  test('announces it with the next response', async () => {
    await using server = await start();
    await using connection = new Connection(server.url);
    await answerOf(connection.operate());
    server.announceShutdown();
    const goaway = once(connection.session, 'goaway');
    expect(await answerOf(connection.operate())).toEqual(hello);
    await goaway;
  });
});
