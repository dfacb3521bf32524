import { describe, expect, test } from '@jest/globals';
import { type Client, createClient } from 'graphql-sse';
import { HeaderAuthentication } from '../../gateway/admission/authentication/authentication.ts';
import { createIdentityReader } from '../../gateway/admission/identity.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { RequestSignal } from '../../gateway/time/requestAbort.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { Gate } from '../harness/gate.ts';
import { exchange, RawConnection, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import {
  completeEvent,
  endingRequest,
  nextEvent,
  openingRequest,
  openStream,
  operationRequest,
  rejectionOf,
  reserveStream,
} from '../harness/singleConnection.ts';

const query = '{ greeting }';
const subscription = 'subscription { greetings }';

interface DisposableClient extends Client<true>, Disposable {}

function clientOf({ url }: ScriptedServer): DisposableClient {
  const client = createClient({ url, singleConnection: true, retryAttempts: 0 });
  return { ...client, [Symbol.dispose]: () => client.dispose() };
}

function send(
  { url }: ScriptedServer,
  token: string,
  body: object,
  operationId?: string,
): Promise<RawResponse> {
  return exchange(url, operationRequest(token, body, operationId));
}

describe('the client of graphql-sse in single connection mode', () => {
  test('runs several operations over one stream', async () => {
    const events = new Map([
      ['a', new ScriptedEvents()],
      ['b', new ScriptedEvents()],
    ]);
    const eventsOf = (name: string) => events.get(name) as ScriptedEvents;
    await using server = await startScriptedServer(({ variables }) =>
      variables.of === undefined
        ? singleOutcome('{"greeting":"hello"}')
        : eventsOf(String(variables.of)).outcome,
    );
    using client = clientOf(server);
    const [a, b] = ['a', 'b'].map((of) => client.iterate({ query: subscription, variables: { of } }));
    const [first, second] = [a?.next(), b?.next()];
    eventsOf('b').push({ data: { greetings: 'of b' } });
    expect((await second)?.value).toEqual({ data: { greetings: 'of b' } });
    eventsOf('a').push({ data: { greetings: 'of a' } });
    expect((await first)?.value).toEqual({ data: { greetings: 'of a' } });
    for await (const result of client.iterate({ query })) {
      expect(result).toEqual({ data: { greeting: 'hello' } });
    }
    eventsOf('a').push('end');
    expect((await a?.next())?.done).toBe(true);
    await b?.return?.();
    await eventsOf('b').returned;
    expect(server.receivedOperations).toHaveLength(3);
  });

  test('gets incremental payloads', async () => {
    const payloads = [
      { data: { greeting: 'hello' }, hasNext: true },
      { incremental: [{ data: { node: null }, path: [] }], hasNext: false },
    ];
    await using server = await startScriptedServer(({ incrementalFormat }) => {
      expect(incrementalFormat).toBe('deferSpec=20220824');
      const scripted = new ScriptedPayloads();
      for (const payload of payloads) scripted.push([payload]);
      return scripted.outcome;
    });
    using client = clientOf(server);
    const results: unknown[] = [];
    for await (const result of client.iterate({ query: '{ greeting ... @defer { node { id } } }' })) {
      results.push(result);
    }
    expect(results).toEqual(payloads);
    await server.close();
    expect(server.supergraphs.leases.get('first')).toBe(0);
  });
});

describe('an event stream for several operations', () => {
  test('sends buffered messages when it is opened, and then every message as it arrives', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(({ document }) =>
      document.loc?.source.body === query ? singleOutcome('{"greeting":"hello"}') : scripted.outcome,
    );
    const token = await reserveStream(server.url);
    expect(await send(server, token, { query })).toMatchObject({ status: 202, body: '' });
    await using stream = await openStream(
      server.url,
      token,
      nextEvent({ data: { greeting: 'hello' } }) + completeEvent,
    );
    expect((await send(server, token, { query: subscription })).status).toBe(202);
    scripted.push({ data: { greetings: 'one' } }, '7-0');
    expect(await stream.readChunk()).toBe(nextEvent({ data: { greetings: 'one' } }));
    scripted.push(new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.'));
    const errors = [{ message: 'Gone.', extensions: { code: 'SUBGRAPH_UNREACHABLE' } }];
    expect(await stream.readChunk()).toBe(nextEvent({ errors }) + completeEvent);
  });

  test('can be opened with the token in the query string, and accepts queries and subscriptions by GET', async () => {
    const scripted = new ScriptedEvents();
    scripted.push({ data: { greetings: 'one' } });
    await using server = await startScriptedServer(({ document }) =>
      document.loc?.source.body === query ? singleOutcome('{"greeting":"hello"}') : scripted.outcome,
    );
    const token = await reserveStream(server.url);
    await using stream = await RawConnection.open(server.url);
    stream.send({ method: 'GET', path: `/graphql?token=${token}`, headers: { accept: 'text/event-stream' } });
    expect((await stream.readHead()).status).toBe(200);
    await stream.readChunk();
    const sendByGet = (text: string) =>
      exchange(server.url, {
        method: 'GET',
        path: `/graphql?${new URLSearchParams({ token, query: text, extensions: '{"operationId":"1"}' })}`,
        headers: { 'apollo-require-preflight': 'yes' },
      });
    expect((await sendByGet(query)).status).toBe(202);
    expect(await stream.readChunk()).toBe(nextEvent({ data: { greeting: 'hello' } }) + completeEvent);
    const refused = await sendByGet('mutation { greet(name: "a") }');
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await sendByGet(subscription)).status).toBe(202);
    expect(await stream.readChunk()).toBe(nextEvent({ data: { greetings: 'one' } }));
  });

  test('continues an operation after its request has ended and its connection is reused', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const token = await reserveStream(server.url);
    await using stream = await openStream(server.url, token);
    await using connection = await RawConnection.open(server.url);
    connection.send(operationRequest(token, { query: subscription }));
    expect((await connection.readResponse()).status).toBe(202);
    // On a connection with an incomplete response, a malformed request would get no error.
    connection.socket.write('NONSENSE\r\n\r\n');
    expect((await connection.readResponse()).status).toBe(400);
    await connection.waitForClose();
    scripted.push({ data: { greetings: 'one' } });
    expect(await stream.readChunk()).toBe(nextEvent({ data: { greetings: 'one' } }));
  });

  test('is not meant by a query parameter token of another form', async () => {
    await using server = await startScriptedServer();
    const { status, body } = await exchange(server.url, {
      path: '/graphql?token=eyJhbGciOiJub25lIn0.e30.',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect([status, JSON.parse(body)]).toEqual([200, { data: { greeting: 'hello' } }]);
  });

  test('can be opened only once', async () => {
    await using server = await startScriptedServer();
    const token = await reserveStream(server.url);
    await using _stream = await openStream(server.url, token);
    const again = await exchange(server.url, openingRequest(token));
    expect(rejectionOf(again)).toEqual([409, 'BAD_REQUEST']);
  });

  test('rejects an operation without an id or with an id in use', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const token = await reserveStream(server.url);
    expect((await send(server, token, { query: subscription })).status).toBe(202);
    expect(rejectionOf(await send(server, token, { query: subscription }))).toEqual([409, 'BAD_REQUEST']);
    expect(rejectionOf(await send(server, token, { query: subscription }, ''))).toEqual([400, 'BAD_REQUEST']);
    const longId = 'x'.repeat(1_001);
    expect(rejectionOf(await send(server, token, { query: subscription }, longId))).toEqual([
      400,
      'BAD_REQUEST',
    ]);
    expect(rejectionOf(await exchange(server.url, { ...endingRequest(token), path: '/graphql' }))).toEqual([
      400,
      'BAD_REQUEST',
    ]);
    expect((await exchange(server.url, endingRequest(token))).status).toBe(200);
    await scripted.returned;
    expect((await send(server, token, { query: subscription })).status).toBe(202);
  });

  test('sends nothing more for an operation that the client has ended, even during execution', async () => {
    const started = Promise.withResolvers<void>();
    await using server = await startScriptedServer(({ signal }) => {
      started.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new GatewayError('REQUEST_ABORTED', 'Ended.')));
      });
    });
    const token = await reserveStream(server.url);
    await using stream = await openStream(server.url, token);
    const response = send(server, token, { query });
    await started.promise;
    expect((await exchange(server.url, endingRequest(token))).status).toBe(200);
    expect((await response).status).toBe(202);
    await server.close();
    expect(await stream.readChunk()).toBeUndefined();
  });

  test('does not run an operation whose request was aborted before it was accepted', async () => {
    const started = Promise.withResolvers<RequestSignal>();
    await using server = await startScriptedServer(({ signal }) => {
      started.resolve(signal);
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new GatewayError('REQUEST_ABORTED', 'Ended.')));
      });
    });
    const token = await reserveStream(server.url);
    await using stream = await openStream(server.url, token);
    const connection = await RawConnection.open(server.url);
    connection.send(operationRequest(token, { query }));
    const signal = await started.promise;
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', resolve));
    await connection[Symbol.asyncDispose]();
    await aborted;
    await server.close();
    expect([await stream.readChunk(), server.logLines]).toEqual([undefined, []]);
  });

  test('ends its operations when its connection closes, and its token becomes invalid', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, { timers });
    const token = await reserveStream(server.url);
    const stream = await openStream(server.url, token);
    expect((await send(server, token, { query: subscription })).status).toBe(202);
    await stream[Symbol.asyncDispose]();
    await scripted.returned;
    expect(rejectionOf(await send(server, token, { query }))).toEqual([404, 'BAD_REQUEST']);
    await server.close();
    expect([timers.pendingCount, server.supergraphs.leases.get('first')]).toEqual([0, 0]);
  });

  test('runs no operation whose body arrives after the end of the stream', async () => {
    const timers = new FakeTimers();
    await using server = await startScriptedServer(undefined, { timers });
    const { headers, body = '' } = operationRequest(await reserveStream(server.url), { query });
    await using connection = await RawConnection.open(server.url);
    connection.send({
      headers: { ...headers, 'content-length': String(body.length), expect: '100-continue' },
    });
    // Written when the gateway gets the request, which then waits for the body.
    expect((await connection.readHead()).status).toBe(100);
    timers.advance(10_000);
    connection.socket.write(body);
    expect(rejectionOf(await connection.readResponse())).toEqual([404, 'BAD_REQUEST']);
    expect(server.receivedOperations).toEqual([]);
  });

  test('gets a comment after one heartbeat interval of silence', async () => {
    const timers = new FakeTimers();
    await using server = await startScriptedServer(undefined, { timers, heartbeatIntervalMs: 1000 });
    await using stream = await openStream(server.url, await reserveStream(server.url));
    timers.advance(1000);
    expect(await stream.readChunk()).toBe(':\n\n');
  });
});

describe('the limits of event streams', () => {
  test('a stream is found by its own client only, if that has an identity', async () => {
    await using server = await startScriptedServer(undefined, {
      authentication: new HeaderAuthentication(createIdentityReader({ header: 'x-shop' })),
    });
    const [own, other] = [{ 'x-shop': 'a' }, { 'x-shop': 'b' }];
    const token = await reserveStream(server.url, own);
    const statusOf = async (request: RawRequest) => (await exchange(server.url, request)).status;
    for (const headers of [other, {}]) {
      const ending = endingRequest(token);
      expect([
        await statusOf(openingRequest(token, headers)),
        await statusOf(operationRequest(token, { query }, '1', headers)),
        await statusOf({ ...ending, headers: { ...ending.headers, ...headers } }),
      ]).toEqual([404, 404, 404]);
    }
    await using _ = await openStream(server.url, token, '', own);
    expect(await statusOf(operationRequest(token, { query }, '1', own))).toBe(202);
    // Without an identity, the token is all that a client needs.
    await using _other = await openStream(server.url, await reserveStream(server.url), '', other);
  });

  test('apply to reserved and open streams, per client and in total', async () => {
    const limits = { eventStreams: 3, eventStreamsPerClient: 2 };
    await using server = await startScriptedServer(undefined, {
      limits,
      authentication: new HeaderAuthentication(createIdentityReader({ header: 'x-shop' })),
    });
    const rejection = async (shop: string) =>
      rejectionOf(await exchange(server.url, { method: 'PUT', headers: { 'x-shop': shop } }));
    const shop = { 'x-shop': 'a' };
    const stream = await openStream(server.url, await reserveStream(server.url, shop), '', shop);
    await reserveStream(server.url, { 'x-shop': 'a' });
    expect(await rejection('a')).toEqual([503, 'OVERLOADED']);
    await reserveStream(server.url, { 'x-shop': 'b' });
    expect(await rejection('c')).toEqual([503, 'OVERLOADED']);
    await stream[Symbol.asyncDispose]();
    // The gateway notices the end of the connection some time later.
    while ((await exchange(server.url, { method: 'PUT', headers: { 'x-shop': 'a' } })).status === 503);
    expect(await rejection('a')).toEqual([503, 'OVERLOADED']);
  });

  test('turn event streams off when limits.eventStreams is 0', async () => {
    await using server = await startScriptedServer(undefined, { limits: { eventStreams: 0 } });
    expect(rejectionOf(await exchange(server.url, { method: 'PUT' }))).toEqual([403, 'FORBIDDEN']);
  });

  test('apply to the operations on one stream', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      limits: { operationsPerSocket: 1 },
    });
    const token = await reserveStream(server.url);
    expect((await send(server, token, { query: subscription }, '1')).status).toBe(202);
    expect(rejectionOf(await send(server, token, { query: subscription }, '2'))).toEqual([503, 'OVERLOADED']);
  });

  test('include the reservation timeout, which ends a stream and its operations', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, { timers });
    const token = await reserveStream(server.url);
    await send(server, token, { query: subscription });
    timers.advance(10_000);
    await scripted.returned;
    const tooLate = await exchange(server.url, openingRequest(token));
    expect(rejectionOf(tooLate)).toEqual([404, 'BAD_REQUEST']);
    expect(timers.pendingCount).toBe(0);
  });

  test('include the buffer size, beyond which operations pause for a client that does not read or has not opened the stream', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, { timers, bufferSize: 1000 });
    const token = await reserveStream(server.url);
    await send(server, token, { query: subscription });
    const event = { data: { greetings: 'x'.repeat(400) } };
    for (let i = 0; i < 5; i++) scripted.push(event);
    // Another operation takes some turns of the event loop, in which the first one would have continued.
    await send(server, token, { query: '{' }, '2');
    expect(scripted.pullCount).toBe(3);
    await using stream = await openStream(server.url, token, nextEvent(event).repeat(3));
    for (let i = 0; i < 2; i++) expect(await stream.readChunk()).toBe(nextEvent(event));
  });
});

describe('the event streams of a gateway that shuts down', () => {
  test('are closed at once, without a complete event, unless a query or mutation runs on them', async () => {
    const scripted = new ScriptedEvents();
    const server = await startScriptedServer(() => scripted.outcome, { drainTimeout: 60_000 });
    const token = await reserveStream(server.url);
    await using stream = await openStream(server.url, token);
    await send(server, token, { query: subscription });
    await using idleStream = await openStream(server.url, await reserveStream(server.url));
    await server.close();
    expect([await stream.readChunk(), await idleStream.readChunk()]).toStrictEqual([undefined, undefined]);
    await scripted.returned;
  });

  test('wait for queries, which end with an error after the drain timeout', async () => {
    const started = Promise.withResolvers<void>();
    const server = await startScriptedServer(
      ({ signal }) => {
        started.resolve();
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
      { drainTimeout: 1 },
    );
    const token = await reserveStream(server.url);
    await using stream = await openStream(server.url, token);
    const response = send(server, token, { query });
    await started.promise;
    await server.close();
    expect(await stream.readChunk()).toContain('SHUTTING_DOWN');
    expect((await response).status).toBe(202);
  });

  test('cannot be reserved while it drains', async () => {
    const gate = new Gate();
    const server = await startScriptedServer(async () => {
      await gate.pass();
      return singleOutcome('{"greeting":"hello"}');
    });
    const response = send(server, await reserveStream(server.url), { query });
    await gate.waitForArrivals();
    const closing = server.close();
    expect(rejectionOf(await exchange(server.url, { method: 'PUT' }))).toEqual([503, 'SHUTTING_DOWN']);
    gate.open();
    expect((await response).status).toBe(202);
    await closing;
  });
});
