import { describe, expect, test } from '@jest/globals';
import type { DeferredEnrichments } from '../../../gateway/enrichment/deferredEnrichments.ts';
import { addEnrichmentRoute } from '../../../gateway/enrichment/enrichmentRoute.ts';
import { StreamLimiter } from '../../../gateway/subscriptions/streamLimiter.ts';
import {
  ControlledAttempt,
  createInMemoryJobs,
  failedResult,
  jobOf,
  successfulResult,
} from '../../harness/enrichmentJobsFixture.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

const events = { accept: 'text/event-stream', authorization: 'ada' };
const json = { accept: 'application/json', authorization: 'ada' };

/** The route before late work in memory, or what the test puts in its place. */
async function start(
  given?: (late: DeferredEnrichments) => Pick<DeferredEnrichments, 'subscribe' | 'readArrived'>,
) {
  const parts = createInMemoryJobs();
  const draining = new AbortController();
  const openStreams = new StreamLimiter({ total: 2, perClient: 2 });
  const timers = new FakeTimers();
  const logged: unknown[] = [];
  const server = await startScriptedServer(undefined, {
    addPublicRoutes: (routes) =>
      addEnrichmentRoute(routes, {
        enrichments: given === undefined ? parts.late : given(parts.late),
        callerOf: (headers) => ({ identity: headers.authorization ?? '' }),
        openStream: () => openStreams.open('ada'),
        drainSignal: draining.signal,
        cors: { origins: ['https://shop.test'] },
        bufferSize: 100_000,
        readTimeoutMs: 1_000,
        heartbeatIntervalMs: 10_000,
        timers,
        log: {
          error: (fields, message) => logged.push([message, fields.error]),
          warn: (_, message) => logged.push(message),
        },
      }),
  });
  const get = (token: string, headers: Record<string, string>) => ({
    method: 'GET',
    path: `/enrichments/${token}`,
    headers,
  });
  return {
    ...parts,
    logged,
    drain: () => draining.abort(),
    beat: () => timers.advance(10_000),
    ask: (token: string, headers: Record<string, string>) => exchange(server.url, get(token, headers)),
    async open(token: string, headers: Record<string, string> = events) {
      const connection = await RawConnection.open(server.url);
      connection.send(get(token, headers));
      return connection;
    },
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const reviews =
  'id: 1-0\nevent: next\ndata: {"path":["product","reviews"],"label":null,"data":"reviews!","errors":null,"hasNext":true,"cursor":"1-0"}\n\n';
const stock =
  'id: 2-0\nevent: next\ndata: {"path":["product","stock"],"label":null,"data":null,"errors":[{"message":"It is down."}],"hasNext":false,"cursor":"2-0"}\n\n';
const complete = 'event: complete\ndata:\n\n';

describe('GET /enrichments/:token as events', () => {
  test('brings what has come and what comes, and the end', async () => {
    await using server = await start();
    const run = new ControlledAttempt();
    const token = await server.handOver(jobOf('a', ['reviews', 'stock']), run);
    run.emit(successfulResult('reviews'));
    await using connection = await server.open(token, { ...events, 'x-request-id': 'mine' });
    const { status, headers } = await connection.readHead();
    expect([
      status,
      headers.get('content-type'),
      headers.get('cache-control'),
      headers.get('x-request-id'),
    ]).toEqual([200, 'text/event-stream; charset=utf-8', 'no-store', 'mine']);
    expect(await connection.readChunk()).toBe(`:\n\n${reviews}`);
    server.beat();
    expect(await connection.readChunk()).toBe(':\n\n');
    run.complete(failedResult('stock', 'It is down.', false));
    expect(await connection.readChunk()).toBe(stock + complete);
    expect(await connection.readChunk()).toBeUndefined();
  });

  test('goes on after the event that the client has had last', async () => {
    await using server = await start();
    const run = new ControlledAttempt();
    const token = await server.handOver(jobOf('a', ['reviews', 'stock']), run);
    run.complete(successfulResult('reviews'), failedResult('stock', 'It is down.', false));
    const from = async (id: string) => (await server.ask(token, { ...events, 'last-event-id': id })).body;
    expect(await from('1-0')).toBe(`:\n\n${stock}${complete}`);
    expect(await from('2-0')).toBe(`:\n\n${complete}`);
    expect(await from('none')).toBe(`:\n\n${reviews}${stock}${complete}`);
  });

  test('is for as many followers as one client may have', async () => {
    await using server = await start();
    const run = new ControlledAttempt();
    const token = await server.handOver(jobOf('a', ['reviews']), run);
    await using one = await server.open(token);
    await one.readHead();
    await using other = await server.open(token);
    await other.readHead();
    const { status, body } = await server.ask(token, events);
    expect([status, body]).toEqual([503, expect.stringContaining('subscriptions.')]);
    // What has come so far is no stream.
    expect((await server.ask(token, json)).status).toBe(200);
    expect((await server.ask('none', events)).status).toBe(503);
    run.complete(successfulResult('reviews', false));
    while ((await one.readChunk()) !== undefined);
    while ((await other.readChunk()) !== undefined);
    expect((await server.ask('none', events)).status).toBe(404);
  });

  test('ends the following when the client leaves', async () => {
    const returned = Promise.withResolvers<void>();
    await using server = await start((late) => ({
      readArrived: late.readArrived.bind(late),
      subscribe: async (...asked) => {
        const updates = await late.subscribe(...asked);
        if (updates === undefined) return undefined;
        return {
          ...updates,
          next: () => updates.next(),
          return: async () => {
            returned.resolve();
            return { done: true, value: undefined };
          },
        };
      },
    }));
    const token = await server.handOver(jobOf('a'), new ControlledAttempt());
    const connection = await server.open(token);
    await connection.readHead();
    connection.socket.destroy();
    await returned.promise;
    expect(server.logged).toEqual([]);
  });

  test('ends without `complete` when the gateway drains, so that the client comes back', async () => {
    await using server = await start();
    const run = new ControlledAttempt();
    const token = await server.handOver(jobOf('a', ['reviews', 'stock']), run);
    run.emit(successfulResult('reviews'));
    await using connection = await server.open(token);
    await connection.readHead();
    expect(await connection.readChunk()).toBe(`:\n\n${reviews}`);
    server.drain();
    expect(await connection.readChunk()).toBeUndefined();
    const { status, headers, body } = await server.ask(token, events);
    expect([status, headers.get('connection'), body]).toEqual([200, 'close', ':\n\n']);
  });

  test('says what went wrong', async () => {
    await using server = await start((late) => ({
      readArrived: late.readArrived.bind(late),
      subscribe: async () => {
        throw new Error('A fault.');
      },
    }));
    const { status, body } = await server.ask('a', events);
    expect([status, JSON.parse(body)]).toEqual([
      500,
      {
        errors: [{ message: 'The gateway failed to answer.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      },
    ]);
    expect(server.logged).toEqual([['Picking up an enrichment failed', new Error('A fault.')]]);
  });
});

describe('GET /enrichments/:token as JSON', () => {
  test('tells what has come so far', async () => {
    await using server = await start();
    const run = new ControlledAttempt();
    const token = await server.handOver(jobOf('a', ['reviews', 'stock']), run);
    const ask = async () => {
      const { status, headers, body } = await server.ask(token, json);
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
      return JSON.parse(body);
    };
    expect(await ask()).toEqual({ updates: [], hasNext: true });
    run.complete(successfulResult('reviews'), failedResult('stock', 'It is down.', false));
    const updates = [reviews, stock].map((event) => JSON.parse(/data: (.*)/.exec(event)?.[1] ?? ''));
    expect(await ask()).toEqual({ updates, hasNext: false });
  });

  test.each([
    ['none at all', { authorization: 'ada' }],
    ['anything', { accept: '*/*', authorization: 'ada' }],
  ])('is for a client that accepts %s, too', async (_, headers) => {
    await using server = await start();
    const token = await server.handOver(jobOf('a'), new ControlledAttempt());
    const { status, body } = await server.ask(token, headers);
    expect([status, body]).toEqual([200, '{"updates":[],"hasNext":true}']);
  });
});

describe('GET /enrichments/:token', () => {
  test.each(['text/event-stream', 'application/json'])(
    'does not tell why a token leads to nothing (%s)',
    async (accept) => {
      await using server = await start();
      const token = await server.handOver(jobOf('a'), new ControlledAttempt());
      const answers = [
        await server.ask(token, { accept, authorization: 'bob' }),
        await server.ask(token, { accept }),
        await server.ask('a'.repeat(32), { accept, authorization: 'ada' }),
        await server.ask('%00', { accept, authorization: 'ada' }),
      ];
      server.pass(60_000);
      answers.push(await server.ask(token, { accept, authorization: 'ada' }));
      for (const { status, headers, body } of answers) {
        expect([status, headers.get('cache-control'), headers.get('content-type'), JSON.parse(body)]).toEqual(
          [
            404,
            'no-store',
            'application/json; charset=utf-8',
            {
              errors: [
                {
                  message: expect.stringContaining('Send the operation again.'),
                  extensions: { code: 'ENRICHMENT_EXPIRED' },
                },
              ],
            },
          ],
        );
      }
    },
  );

  test('refuses a client that accepts neither form', async () => {
    await using server = await start();
    const { status, body } = await server.ask('a', { accept: 'image/png' });
    expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([406, 'BAD_REQUEST']);
  });

  test('is for pages of the origins that are listed', async () => {
    await using server = await start();
    const token = await server.handOver(jobOf('a'), new ControlledAttempt());
    const preflight = (origin: string) =>
      fetch(new URL(`/enrichments/${token}`, server.url), {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET' },
      });
    const allowed = await preflight('https://shop.test');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://shop.test',
    ]);
    expect((await preflight('https://other.test')).status).toBe(405);
    const { headers } = await server.ask(token, { ...json, origin: 'https://shop.test' });
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.test');
  });
});
