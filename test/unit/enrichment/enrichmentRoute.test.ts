import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import {
  type Authentication,
  HeaderAuthentication,
} from '../../../gateway/admission/authentication/authentication.ts';
import { TokenRefusal } from '../../../gateway/admission/authentication/tokenRefusal.ts';
import type { Caller, DeferredEnrichments } from '../../../gateway/enrichment/deferredEnrichments.ts';
import { addEnrichmentRoute } from '../../../gateway/enrichment/enrichmentRoute.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { StreamLimiter } from '../../../gateway/subscriptions/streamLimiter.ts';
import type { TraceSpan, TraceStart, Tracing } from '../../../gateway/telemetry/trace.ts';
import type { CancelTimer } from '../../../gateway/time/timers.ts';
import { CompressionPolicy } from '../../../gateway/transport/http/compression.ts';
import { CorsPolicy } from '../../../gateway/transport/http/cors.ts';
import {
  ControlledAttempt,
  createInMemoryJobs,
  failedResult,
  jobOf,
  successfulResult,
} from '../../harness/enrichmentJobsFixture.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { Gate } from '../../harness/gate.ts';
import { exchange, RawConnection } from '../../harness/rawHttp.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const events = { accept: 'text/event-stream', authorization: 'ada' };
const json = { accept: 'application/json', authorization: 'ada' };

/** Clients are distinguished by their `authorization`; the test says when a token expires. */
class ManualAuthentication extends HeaderAuthentication {
  readonly watching = new Set<(refusal: TokenRefusal) => void>();

  constructor() {
    super((headers) => ({
      identity: undefined,
      tokenOwner: headers.get('authorization'),
      clientKey: 'ada',
    }));
  }

  override watchExpiry(...[, onExpired]: Parameters<Authentication['watchExpiry']>): CancelTimer {
    this.watching.add(onExpired);
    return () => this.watching.delete(onExpired);
  }
}

/** `onReturn` is called when the reader ends them. */
function updatesThatNeverArrive(onReturn: () => void): AsyncIterableIterator<never> {
  const updates: AsyncIterableIterator<never> = {
    next: () => new Promise(() => {}),
    return: async () => {
      onReturn();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => updates,
  };
  return updates;
}

/** Lets requests wait at a gate before their clients are known. */
function gatedBy(gate: Gate, authentication: Authentication): Authentication {
  return {
    authenticate: async (...request) => {
      await gate.pass();
      return authentication.authenticate(...request);
    },
    watchExpiry: (...watched) => authentication.watchExpiry(...watched),
    restrictCaching: (_, caching) => caching,
    tokenHeader: undefined,
  };
}

/** A server with the route over jobs in memory. `wrap` replaces the jobs that the route sees. */
async function start(
  wrap?: (jobs: DeferredEnrichments) => Pick<DeferredEnrichments, 'subscribe' | 'readArrived'>,
  { tracing, gate }: { readonly tracing?: Tracing; readonly gate?: Gate } = {},
) {
  const fixture = createInMemoryJobs();
  const cors = new CorsPolicy({ origins: ['https://shop.test'] });
  const draining = new AbortController();
  const openStreams = new StreamLimiter({ total: 2, perClient: 2 });
  const timers = new FakeTimers();
  const authentication = new ManualAuthentication();
  const logged: unknown[] = [];
  let lastRequest: IncomingMessage | undefined;
  const server = await startScriptedServer(undefined, {
    addPublicRoutes: (routes) =>
      addEnrichmentRoute(routes, {
        enrichments: wrap === undefined ? fixture.jobs : wrap(fixture.jobs),
        authentication: gate === undefined ? authentication : gatedBy(gate, authentication),
        openStream: () => openStreams.open('ada'),
        clientAddressOf: (request) => {
          lastRequest = request;
          return undefined;
        },
        tracing,
        drainSignal: draining.signal,
        cors,
        compression: new CompressionPolicy(undefined, cors),
        bufferSize: 100_000,
        readTimeoutMs: 1_000,
        heartbeatIntervalMs: 10_000,
        timers,
        log: {
          error: (fields, message) => logged.push([message, fields.err]),
          warn: (_, message) => logged.push(message),
        },
      }),
  });
  const requestFor = (token: string, headers: Record<string, string>) => ({
    method: 'GET',
    path: `/enrichments/${token}`,
    headers,
  });
  return {
    ...fixture,
    logged,
    watching: authentication.watching,
    /** Resolves when the connection of the last request is closed. */
    disconnected: async () => {
      const socket = lastRequest?.socket;
      if (socket?.closed === false) await once(socket, 'close');
    },
    drain: () => draining.abort(),
    sendHeartbeat: () => timers.advance(10_000),
    advanceRoute: (ms: number) => timers.advance(ms),
    get: (token: string, headers: Record<string, string>) => exchange(server.url, requestFor(token, headers)),
    async open(token: string, headers: Record<string, string> = events) {
      const connection = await RawConnection.open(server.url);
      connection.send(requestFor(token, headers));
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
  test('sends earlier and later updates, heartbeats, and `complete` at the end', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('reviews'));
    await using connection = await server.open(token, { ...events, 'x-request-id': 'mine' });
    const { status, headers } = await connection.readHead();
    expect([
      status,
      headers.get('content-type'),
      headers.get('cache-control'),
      headers.get('x-request-id'),
    ]).toEqual([200, 'text/event-stream; charset=utf-8', 'no-store', 'mine']);
    expect(await connection.readChunk()).toBe(`:\n\n${reviews}`);
    server.sendHeartbeat();
    expect(await connection.readChunk()).toBe(':\n\n');
    attempt.complete(failedResult('stock', 'It is down.', false));
    expect(await connection.readChunk()).toBe(stock + complete);
    expect(await connection.readChunk()).toBeUndefined();
  });

  test('continues after the event that `Last-Event-ID` names', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('reviews'), failedResult('stock', 'It is down.', false));
    const from = async (id: string) => (await server.get(token, { ...events, 'last-event-id': id })).body;
    expect(await from('1-0')).toBe(`:\n\n${stock}${complete}`);
    expect(await from('2-0')).toBe(`:\n\n${complete}`);
  });

  test('answers 503 beyond the streams that one client may have', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews']), attempt);
    await using first = await server.open(token);
    await first.readHead();
    await using second = await server.open(token);
    await second.readHead();
    const { status, headers, body } = await server.get(token, events);
    expect([status, headers.get('retry-after'), body]).toEqual([
      503,
      '1',
      expect.stringContaining('subscriptions.'),
    ]);
    // A JSON answer is not a stream.
    expect((await server.get(token, json)).status).toBe(200);
    expect((await server.get('none', events)).status).toBe(503);
    attempt.complete(successfulResult('reviews', false));
    while ((await first.readChunk()) !== undefined);
    while ((await second.readChunk()) !== undefined);
    expect((await server.get('none', events)).status).toBe(404);
  });

  test('ends the subscription when the client disconnects', async () => {
    const returned = Promise.withResolvers<void>();
    await using server = await start((jobs) => ({
      readArrived: jobs.readArrived.bind(jobs),
      subscribe: async (...query) => {
        const updates = await jobs.subscribe(...query);
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
    const token = await server.enqueue(jobOf('a'), new ControlledAttempt());
    const connection = await server.open(token);
    await connection.readHead();
    connection.socket.destroy();
    await returned.promise;
    expect(server.logged).toEqual([]);
  });

  test('ends the subscription of a client that has disconnected while its token was verified', async () => {
    const returned = Promise.withResolvers<void>();
    const gate = new Gate();
    await using server = await start(
      (jobs) => ({
        readArrived: jobs.readArrived.bind(jobs),
        subscribe: async () => updatesThatNeverArrive(returned.resolve),
      }),
      { gate },
    );
    const connection = await server.open('any');
    await gate.waitForArrivals();
    connection.socket.destroy();
    await server.disconnected();
    gate.open();
    await returned.promise;
    expect(server.logged).toEqual([]);
  });

  test('ends the stream without `complete` when the gateway drains, so that the client reconnects', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('reviews'));
    await using connection = await server.open(token);
    await connection.readHead();
    expect(await connection.readChunk()).toBe(`:\n\n${reviews}`);
    server.drain();
    expect(await connection.readChunk()).toBeUndefined();
    const { status, headers, body } = await server.get(token, events);
    expect([status, headers.get('connection'), body]).toEqual([200, 'close', ':\n\n']);
  });

  test('ends the stream at once when the gateway drains while the token is looked up, and returns updates that are found later', async () => {
    const returned = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const found = Promise.withResolvers<AsyncIterableIterator<never>>();
    await using server = await start((jobs) => ({
      readArrived: jobs.readArrived.bind(jobs),
      subscribe: () => {
        started.resolve();
        return found.promise;
      },
    }));
    await using connection = await server.open('any');
    await started.promise;
    server.drain();
    const { status, body } = await connection.readResponse();
    expect([status, body]).toEqual([200, ':\n\n']);
    found.resolve(updatesThatNeverArrive(returned.resolve));
    await returned.promise;
    expect(server.logged).toEqual([]);
  });

  test.each([
    ['begins to drain', false],
    ['drains already', true],
  ])(
    'refuses a pick-up as JSON that waits for long while the gateway %s, and returns what is found in time',
    async (_, isDraining) => {
      const started: PromiseWithResolvers<void>[] = [0, 1].map(() => Promise.withResolvers());
      const reads: PromiseWithResolvers<undefined>[] = [];
      await using server = await start((jobs) => ({
        subscribe: jobs.subscribe.bind(jobs),
        readArrived: () => {
          const read = Promise.withResolvers<undefined>();
          started[reads.push(read) - 1]?.resolve();
          return read.promise;
        },
      }));
      if (isDraining) server.drain();
      await using hanging = await server.open('any', json);
      await started[0]?.promise;
      if (!isDraining) server.drain();
      await using unknown = await server.open('any', json);
      await started[1]?.promise;
      server.advanceRoute(499);
      reads[1]?.resolve(undefined);
      const notFound = await unknown.readResponse();
      expect([notFound.status, JSON.parse(notFound.body).errors[0].extensions.code]).toEqual([
        404,
        'ENRICHMENT_EXPIRED',
      ]);
      server.advanceRoute(1);
      const refused = await hanging.readResponse();
      expect([refused.status, JSON.parse(refused.body).errors[0].extensions.code]).toEqual([
        503,
        'OVERLOADED',
      ]);
    },
  );

  test('ends the stream with an error and `complete` when the token of the client expires', async () => {
    await using server = await start();
    const token = await server.enqueue(jobOf('a', ['reviews']), new ControlledAttempt());
    await using stream = await server.open(token);
    await stream.readHead();
    expect(await stream.readChunk()).toBe(':\n\n');
    for (const expire of server.watching) expire(new TokenRefusal('expired'));
    const error = {
      message: 'The token has expired (exp).',
      extensions: { reason: 'expired', code: 'UNAUTHENTICATED' },
    };
    const last = `event: next\ndata: ${JSON.stringify({ errors: [error] })}\n\n${complete}`;
    expect(await stream.readChunk()).toBe(last);
    expect(await stream.readChunk()).toBeUndefined();
    expect(server.watching.size).toBe(0);
  });

  test('answers an internal error with 500, and logs it', async () => {
    await using server = await start((jobs) => ({
      readArrived: jobs.readArrived.bind(jobs),
      subscribe: async () => {
        throw new Error('An internal error.');
      },
    }));
    const { status, body } = await server.get('a', events);
    expect([status, JSON.parse(body)]).toEqual([
      500,
      {
        errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      },
    ]);
    expect(server.logged).toEqual([['Serving enrichment updates failed', new Error('An internal error.')]]);
  });
});

describe('GET /enrichments/:token as JSON', () => {
  test('answers with the updates that have arrived so far', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    const read = async () => {
      const { status, headers, body } = await server.get(token, json);
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
      return JSON.parse(body);
    };
    expect(await read()).toEqual({ updates: [], hasNext: true });
    attempt.complete(successfulResult('reviews'), failedResult('stock', 'It is down.', false));
    const updates = [reviews, stock].map((event) => JSON.parse(/data: (.*)/.exec(event)?.[1] ?? ''));
    expect(await read()).toEqual({ updates, hasNext: false });
  });

  test('answers with what has arrived after the update that `Last-Event-ID` names', async () => {
    await using server = await start();
    const attempt = new ControlledAttempt();
    const token = await server.enqueue(jobOf('a', ['reviews', 'stock', 'price']), attempt);
    attempt.emit(successfulResult('reviews'), failedResult('stock', 'It is down.', false));
    const cursorsAfter = async (id: string) => {
      const { body } = await server.get(token, { ...json, 'last-event-id': id });
      const { updates, hasNext } = JSON.parse(body) as { updates: { cursor: string }[]; hasNext: boolean };
      return [updates.map(({ cursor }) => cursor), hasNext];
    };
    expect(await cursorsAfter('1-0')).toEqual([['2-0'], true]);
    expect(await cursorsAfter('2-0')).toEqual([[], true]);
    attempt.complete(successfulResult('price'));
    expect(await cursorsAfter('2-0')).toEqual([['3-0'], false]);
    expect(await cursorsAfter('3-0')).toEqual([[], false]);
  });

  test.each([
    ['no accept header', { authorization: 'ada' }],
    ['accept: */*', { accept: '*/*', authorization: 'ada' }],
  ])('is the answer to a request with %s', async (_, headers) => {
    await using server = await start();
    const token = await server.enqueue(jobOf('a'), new ControlledAttempt());
    const { status, body } = await server.get(token, headers);
    expect([status, body]).toEqual([200, '{"updates":[],"hasNext":true}']);
  });
});

/** Records the traces that are started, and how their spans end. */
class RecordedTracing implements Tracing {
  readonly starts: TraceStart[] = [];
  readonly ends: (string | undefined)[] = [];

  startTrace(_: string, start: TraceStart): ReturnType<Tracing['startTrace']> {
    this.starts.push(start);
    const root = {
      end: (errorType?: string) => this.ends.push(errorType),
    } as Partial<TraceSpan> as TraceSpan;
    return { headers: [], trace: { root, current: root, onOperation: () => {} } };
  }

  startLinked(): undefined {}
}

describe('the trace of a request', () => {
  const find = ({ onFound }: Caller): void => {
    for (const traceparent of ['first', 'second']) onFound?.(traceparent);
  };

  test('links to the request that left the fields pending, and ends with the request', async () => {
    const tracing = new RecordedTracing();
    await using server = await start(
      (jobs) => ({
        subscribe: jobs.subscribe.bind(jobs),
        readArrived: async (_, caller) => {
          find(caller);
          return { updates: [], hasNext: false };
        },
      }),
      { tracing },
    );
    expect((await server.get('any', { ...json, 'x-request-id': 'mine' })).status).toBe(200);
    expect(tracing.starts).toEqual([
      {
        headers: expect.any(Map),
        link: 'first',
        startedAt: expect.any(Number),
        attributes: { 'tributary.enrichment.kind': 'pick-up', 'tributary.request_id': 'mine' },
      },
    ]);
    expect(tracing.ends).toStrictEqual([undefined]);
  });

  test.each([
    [500, 'INTERNAL_SERVER_ERROR', new Error('An internal error.')],
    [400, undefined, new GatewayError('BAD_REQUEST', 'The cursor is malformed.')],
  ])(
    'of which the response is an error with status %d has the error type %s',
    async (status, errorType, error) => {
      const tracing = new RecordedTracing();
      await using server = await start(
        (jobs) => ({
          subscribe: jobs.subscribe.bind(jobs),
          readArrived: async (_, caller) => {
            find(caller);
            throw error;
          },
        }),
        { tracing },
      );
      expect((await server.get('any', json)).status).toBe(status);
      // Only the first end counts.
      expect(tracing.ends[0]).toBe(errorType);
    },
  );
});

describe('GET /enrichments/:token', () => {
  test('logs nothing about a request whose client has disconnected', async () => {
    const [reading, failing] = [new Gate(), Promise.withResolvers<void>()];
    await using server = await start((jobs) => ({
      subscribe: jobs.subscribe.bind(jobs),
      readArrived: async () => {
        await reading.pass();
        queueMicrotask(failing.resolve);
        throw new Error('An internal error.');
      },
    }));
    const connection = await server.open('any', json);
    await reading.waitForArrivals();
    connection.socket.destroy();
    await server.disconnected();
    reading.open();
    await failing.promise;
    await waitForTurns();
    expect(server.logged).toEqual([]);
  });

  test.each(['text/event-stream', 'application/json'])(
    'refuses a `Last-Event-ID` that it cannot have sent (%s), and an EventSource does not reconnect',
    async (accept) => {
      await using server = await start();
      const token = await server.enqueue(jobOf('a'), new ControlledAttempt());
      const { status, body } = await server.get(token, {
        accept,
        authorization: 'ada',
        'last-event-id': 'none',
      });
      const message =
        'The cursor (`Last-Event-ID`) is not the cursor of an update. Send none, or that of the last update that you received.';
      expect([status, JSON.parse(body)]).toEqual([
        400,
        { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] },
      ]);
      const unknown = await server.get('a'.repeat(32), { ...json, 'last-event-id': 'none' });
      expect(unknown.status).toBe(404);
    },
  );

  test.each(['text/event-stream', 'application/json'])(
    'answers all invalid tokens alike (%s)',
    async (accept) => {
      await using server = await start();
      const token = await server.enqueue(jobOf('a'), new ControlledAttempt());
      const answers = [
        await server.get(token, { accept, authorization: 'bob' }),
        await server.get(token, { accept }),
        await server.get('a'.repeat(32), { accept, authorization: 'ada' }),
        await server.get('%00', { accept, authorization: 'ada' }),
      ];
      server.advance(60_000);
      answers.push(await server.get(token, { accept, authorization: 'ada' }));
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

  test('answers 406 to a client that accepts neither media type', async () => {
    await using server = await start();
    const { status, body } = await server.get('a', { accept: 'image/png' });
    expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([406, 'BAD_REQUEST']);
  });

  test('allows CORS requests of the configured origins', async () => {
    await using server = await start();
    const token = await server.enqueue(jobOf('a'), new ControlledAttempt());
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
    const refused = await preflight('https://other.test');
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET']);
    const { headers } = await server.get(token, { ...json, origin: 'https://shop.test' });
    expect(headers.get('access-control-allow-origin')).toBe('https://shop.test');
  });
});
