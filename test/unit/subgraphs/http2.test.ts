import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loopbackCertificate } from '../../harness/loopbackCertificate.ts';
import { startPausableProxy } from '../../harness/pausableProxy.ts';
import { json, startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, describeFailure } from './clientFixture.ts';

/** Unlike the intervals of all other timers of a call. */
const pingIntervalMs = 77;
const tls = { ca: loopbackCertificate.cert };

let server: Http2SecureServer;
let url: string;
let sessions: Set<ServerHttp2Session>;
/** How many connections with HTTP/2 there were. */
let sessionCount: number;
let seen: { readonly version: string; readonly body: string }[];
/** Requests with the body `hang` are not answered; this resolves when one is there, with what answers it. */
let hanging: PromiseWithResolvers<() => unknown>;

beforeEach(async () => {
  sessions = new Set();
  sessionCount = 0;
  seen = [];
  hanging = Promise.withResolvers();
  server = createSecureServer({ ...loopbackCertificate, allowHTTP1: true });
  server.on('session', (session) => {
    sessions.add(session);
    sessionCount += 1;
    session.on('close', () => sessions.delete(session));
  });
  server.on('request', (request, response) => {
    // Like a limit of a proxy: answered before the body is read.
    if (Number(request.headers['content-length']) > 500_000) {
      response.writeHead(413).end();
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      seen.push({ version: request.httpVersion, body });
      const answer = (): unknown => response.end(JSON.stringify({ data: { body } }));
      if (body === 'hang') hanging.resolve(answer);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/graphql`;
});

afterEach(async () => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.destroy();
  await closed;
});

/** A server for a thread of its own, which answers pings while this thread is blocked, and then counts them in
 *  `workerData`. It responds with the number of the connection. */
const numberingServer = `
  const { createSecureServer } = require('node:http2');
  const { parentPort, workerData } = require('node:worker_threads');
  let count = 0;
  const numbers = new Map();
  const server = createSecureServer(workerData.certificate);
  server.on('session', (session) => {
    numbers.set(session, ++count);
    // An immediate runs after the answer was sent.
    session.on('ping', () => setImmediate(() => {
      Atomics.add(workerData.answeredPings, 0, 1);
      Atomics.notify(workerData.answeredPings, 0);
    }));
  });
  server.on('request', (request, response) => {
    const connection = numbers.get(request.stream.session);
    request.resume().on('end', () => response.end(JSON.stringify({ data: { connection } })));
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const dataOf = async (answer: { readonly outcome: Promise<unknown> }): Promise<unknown> => {
  const outcome = await answer.outcome;
  return typeof outcome === 'object' && outcome !== null && 'data' in outcome ? outcome.data : outcome;
};

describe('HTTP/2', () => {
  test('carries many calls on one connection if the subgraph offers it', async () => {
    await using under = createClientFixture(url, { at: { http2: true, connections: 1, tls } });
    const hung = under.send({ body: 'hang' });
    await hanging.promise;

    const answers = await Promise.all(['a', 'b', 'c'].map((body) => dataOf(under.send({ body }))));

    expect(answers).toEqual([{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    expect([sessions.size, new Set(seen.map(({ version }) => version))]).toEqual([1, new Set(['2.0'])]);
    hung.cancel();
  });

  test('a call that is cancelled or times out does not affect other calls of the connection', async () => {
    await using under = createClientFixture(url, { at: { http2: true, connections: 1, tls } });
    const expiring = under.send({ body: 'hang', deadline: under.clock.now() + 10 });
    await hanging.promise;
    under.clock.advance(10);

    expect(await describeFailure(expiring)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(await dataOf(under.send({ body: 'a' }))).toEqual({ body: 'a' });
    expect(sessions.size).toBe(1);
  });

  test('uses another connection when the last one is older than its limit, which ends after its calls', async () => {
    await using under = createClientFixture(url, {
      at: { http2: true, connections: 1, tls, maxConnectionAgeMs: 1 },
    });
    const slow = under.send({ body: 'hang' });
    const answer = await hanging.promise;
    const [old] = sessions;
    const closed = once(old as ServerHttp2Session, 'close');

    // The age is measured by the real clock.
    while (sessionCount < 2) expect(await dataOf(under.send({ body: 'a' }))).toEqual({ body: 'a' });

    answer();
    expect(await dataOf(slow)).toEqual({ body: 'hang' });
    await closed;
  });

  test('is offered to a server that has only HTTP/1.1, whose connections also end at their limit', async () => {
    await using subgraph = await startScriptedSubgraph(loopbackCertificate);
    subgraph.setDefaultScript(json({ data: { ok: true } }));
    await using under = createClientFixture(subgraph.url, {
      at: { http2: true, connections: 1, tls, maxConnectionAgeMs: 1 },
    });

    while (subgraph.requests.at(-1)?.connection !== 2)
      expect(await dataOf(under.send())).toEqual({ ok: true });
  });

  test('uses another connection when one has been lost without notice', async () => {
    const { port } = new URL(url);
    await using proxy = await startPausableProxy(Number(port));
    await using under = createClientFixture(url.replace(port, String(proxy.port)), {
      at: { http2: true, connections: 1, tls, pingIntervalMs },
    });
    expect(await dataOf(under.send({ body: 'a' }))).toEqual({ body: 'a' });
    const lost = proxy.pauseAt('');
    const answer = dataOf(under.send({ body: 'b' }));
    await lost;
    // One interval until the ping, and one that it remains unanswered.
    for (let count = 0; count < 2; count += 1) {
      await under.clock.waitForTimer(pingIntervalMs);
      under.clock.fire(pingIntervalMs);
    }

    expect(await answer).toEqual({ body: 'b' });
    expect(proxy.acceptedConnections).toBe(2);
  });

  test('keeps its connection when the event loop was blocked for longer than a ping may take', async () => {
    const answeredPings = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { certificate: loopbackCertificate, answeredPings };
    await using subgraph = new Worker(numberingServer, { eval: true, workerData });
    const [port] = await once(subgraph, 'message');
    await using under = createClientFixture(`https://127.0.0.1:${port}/graphql`, {
      at: { http2: true, connections: 1, tls, pingIntervalMs },
    });
    expect(await dataOf(under.send())).toEqual({ connection: 1 });
    await under.clock.waitForTimer(pingIntervalMs);
    under.clock.fire(pingIntervalMs);
    await under.clock.waitForTimer(pingIntervalMs);
    // Blocks the event loop from the ping until after its answer, which is read only after the timer.
    Atomics.wait(answeredPings, 0, 0, 60_000);
    expect(answeredPings[0]).toBe(1);
    under.clock.fire(pingIntervalMs);

    expect(await dataOf(under.send())).toEqual({ connection: 1 });
  });

  test('uses another connection when the subgraph has left too much of requests unread', async () => {
    await using under = createClientFixture(url, { at: { http2: true, connections: 1, tls } });
    const large = 'x'.repeat(1_000_000);

    while (sessionCount < 2) {
      expect(await describeFailure(under.send({ body: large }))).toMatchObject({ code: 'SUBGRAPH_ERROR' });
    }

    expect(await dataOf(under.send({ body: 'a' }))).toEqual({ body: 'a' });
  });

  test('never fails a mutation because of what the subgraph has left unread of others', async () => {
    await using under = createClientFixture(url, { at: { http2: true, connections: 1, tls } });
    const large = 'x'.repeat(1_000_000);
    for (let count = 0; count < 12; count += 1) {
      expect(await describeFailure(under.send({ kind: 'mutation', body: large }))).toMatchObject({
        code: 'SUBGRAPH_ERROR',
      });
    }
  });

  test('is not used if it is switched off', async () => {
    await using under = createClientFixture(url, { at: { tls } });

    await under.send({ body: 'a' }).outcome;

    expect(seen).toEqual([{ version: '1.1', body: 'a' }]);
  });

  test('a certificate of an unknown authority is refused', async () => {
    await using under = createClientFixture(url, { at: { http2: true } });

    expect(await describeFailure(under.send({ body: 'a' }))).toMatchObject({
      code: 'SUBGRAPH_UNREACHABLE',
      cause: expect.stringContaining('self-signed'),
    });
    expect(seen).toEqual([]);
  });
});
