import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../gateway/errors.ts';
import type { OperationRequest } from '../../gateway/operation/operationRequest.ts';
import { failCurrentRequest } from '../../gateway/transport/http/requestScope.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { exchange } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';
import { Peer, rejectionOf } from '../harness/webSocketPeer.ts';

const query = '{ greeting }';
const subscription = 'subscription { greetings }';

function next(payload: unknown, id = '1'): object {
  return { id, type: 'next', payload };
}

function complete(id = '1'): object {
  return { id, type: 'complete' };
}

function failed(message: unknown, code: string, id = '1'): object {
  return {
    id,
    type: 'error',
    payload: [expect.objectContaining({ message, extensions: expect.objectContaining({ code }) })],
  };
}

describe('an operation on a WebSocket', () => {
  test('is parsed in slices of the event loop if it is large, and no later message overtakes it', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    await using peer = await Peer.ready(server.url);
    const parse = jest.spyOn(JSON, 'parse');
    peer.subscribe(subscription, '1', { variables: { values: Array.from({ length: 40_000 }, () => 12345) } });
    peer.subscribe(subscription, '1');
    expect(await peer.closed).toEqual({ code: 4409, reason: 'Subscriber for 1 already exists' });
    const parsedLengths = parse.mock.calls.map(([text]) => text.length);
    parse.mockRestore();
    expect(Math.max(...parsedLengths)).toBeLessThan(100_000);
    expect(server.receivedOperations.map(({ variables }) => Object.keys(variables ?? {}))).toEqual([
      ['values'],
    ]);
  });

  test('gets the same messages when it is sent again', async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(server.url);
    for (const id of ['1', '2']) {
      peer.subscribe(query, id);
      expect([await peer.next(), await peer.next()]).toEqual([
        next({ data: { greeting: 'hello' } }, id),
        complete(id),
      ]);
    }
    expect(server.receivedOperations).toHaveLength(2);
  });

  test('is executed with its variables and gets errors and extensions', async () => {
    const errors = [{ message: 'No.', path: ['greet'], extensions: { code: 'SUBGRAPH_ERROR' } }];
    await using server = await startScriptedServer(() =>
      singleOutcome('{"greet":null}', { errors, extensions: { a: 1 } }),
    );
    await using peer = await Peer.ready(server.url);
    const text = 'query Other { greeting } mutation Greet($name: String!) { greet(name: $name) }';
    peer.subscribe(text, '1', { variables: { name: 'n' }, operationName: 'Greet' });
    expect(await peer.next()).toEqual(next({ data: { greet: null }, errors, extensions: { a: 1 } }));
    expect(server.receivedOperations[0]).toMatchObject({ operationName: 'Greet', variables: { name: 'n' } });
  });

  test('gets a response of several buffers in one message', async () => {
    await using server = await startScriptedServer(() => {
      const parts = { takeWrapped: () => [Buffer.from('{"data":'), Buffer.from('{"a":"ü"}}')] };
      return { ...singleOutcome(''), data: parts as never } as ReturnType<typeof singleOutcome>;
    });
    await using peer = await Peer.ready(server.url);
    peer.subscribe(query);
    expect(await peer.next()).toEqual(next({ data: { a: 'ü' } }));
  });

  test('gets an error message when it is rejected, and the socket stays open', async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(server.url);
    peer.subscribe('{ nothing }');
    expect(await peer.next()).toEqual(failed(expect.any(String), 'GRAPHQL_VALIDATION_FAILED'));
    peer.subscribe(query);
    expect(await peer.next()).toEqual(next({ data: { greeting: 'hello' } }));
  });

  test('gets payloads of the 2022 format by default, one per message', async () => {
    const payloads = [
      { data: {}, hasNext: true },
      { incremental: [], hasNext: true },
      { incremental: [], hasNext: false },
    ];
    await using server = await startScriptedServer(() => {
      const scripted = new ScriptedPayloads();
      scripted.push([payloads[0]]);
      scripted.push(payloads.slice(1));
      return scripted.outcome;
    });
    await using peer = await Peer.ready(server.url);
    peer.subscribe('{ ... @defer { greeting } }');
    for (const payload of payloads) expect(await peer.next()).toEqual(next(payload));
    expect(await peer.next()).toEqual(complete());
    expect(server.receivedOperations[0]?.incrementalFormat).toBe('deferSpec=20220824');
  });

  test.each([
    ['multipart/mixed;incrementalSpec=v0.2', 'incrementalSpec=v0.2'],
    ['application/json', undefined],
  ])('gets payloads in the format of the connection parameter accept: %s', async (accept, format) => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(server.url, { accept });
    peer.subscribe('{ ... @defer { greeting } }');
    await peer.next();
    expect(server.receivedOperations[0]?.incrementalFormat).toBe(format);
  });

  test('ends with an error in a last payload when its deferred payloads fail', async () => {
    const scripted = new ScriptedPayloads();
    scripted.push([{ data: {}, hasNext: true }]);
    scripted.push(new GatewayError('DEADLINE_EXCEEDED', 'Too late.'));
    await using server = await startScriptedServer(() => scripted.outcome);
    await using peer = await Peer.ready(server.url);
    peer.subscribe('{ ... @defer { greeting } }');
    await peer.next();
    const errors = [{ message: 'Too late.', extensions: { code: 'DEADLINE_EXCEEDED' } }];
    expect([await peer.next(), await peer.next()]).toEqual([next({ errors, hasNext: false }), complete()]);
  });

  test('can register and send a persisted query with an empty text', async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(server.url);
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    peer.subscribe('', '1', { extensions });
    expect(await peer.next()).toEqual(failed('PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND'));
    for (const text of [query, '']) {
      peer.subscribe(text, '1', { extensions });
      expect([await peer.next(), await peer.next()]).toEqual([
        next({ data: { greeting: 'hello' } }),
        complete(),
      ]);
    }
  });

  test('gets every event and the end of a subscription', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    await using peer = await Peer.ready(server.url);
    peer.subscribe(subscription);
    for (const greetings of ['one', 'two']) {
      scripted.push({ data: { greetings } });
      expect(await peer.next()).toEqual(next({ data: { greetings } }));
    }
    scripted.push('end');
    expect(await peer.next()).toEqual(complete());
  });

  test('resumes a subscription after the cursor in its extensions, also when it is sent again', async () => {
    await using server = await startScriptedServer(() => new ScriptedEvents().outcome);
    const peer = await Peer.ready(server.url);
    for (const id of ['1', '2']) {
      peer.subscribe(subscription, id, { extensions: { tributary: { cursor: '7-0' } } });
      peer.send({ type: 'ping' });
      expect(await peer.next()).toEqual({ type: 'pong' });
    }
    await peer[Symbol.asyncDispose]();
    await server.close();
    expect(server.receivedOperations.map(({ resumeAfter }) => resumeAfter)).toEqual(['7-0', '7-0']);
  });

  test('gets the error that ends a subscription', async () => {
    const scripted = new ScriptedEvents();
    scripted.push(new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.'));
    await using server = await startScriptedServer(() => scripted.outcome);
    await using peer = await Peer.ready(server.url);
    peer.subscribe(subscription);
    expect(await peer.next()).toEqual(failed('Gone.', 'SUBGRAPH_UNREACHABLE'));
  });

  test('ends at once when the client completes it, and its id can be used again', async () => {
    const requests: OperationRequest[] = [];
    const entered = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = await startScriptedServer(async (request) => {
      requests.push(request);
      entered[requests.length - 1]?.resolve();
      if (requests.length > 1) return singleOutcome('{"greeting":"second"}');
      await new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      );
      throw new Error('Never.');
    });
    await using peer = await Peer.ready(server.url);
    peer.subscribe(query);
    await entered[0]?.promise;
    peer.send(complete());
    peer.subscribe(query);
    expect([await peer.next(), await peer.next()]).toEqual([
      next({ data: { greeting: 'second' } }),
      complete(),
    ]);
    expect([requests[0]?.signal.aborted, server.logLines]).toEqual([true, []]);
  });

  test('ends and releases everything when the socket closes', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    const server = await startScriptedServer(() => scripted.outcome, { timers });
    const peer = await Peer.ready(server.url);
    peer.subscribe(subscription);
    scripted.push({ data: {} });
    await peer.next();
    await peer[Symbol.asyncDispose]();
    await scripted.returned;
    await server.close();
    expect([timers.pendingCount, server.supergraphs.leases.get('first')]).toEqual([0, 0]);
  });

  test('is rejected at the limit of operations per socket', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      limits: { operationsPerSocket: 1 },
    });
    await using peer = await Peer.ready(server.url);
    peer.subscribe(subscription);
    peer.subscribe(query, '2');
    expect(await peer.next()).toEqual(
      failed(expect.stringContaining('limits.operationsPerSocket'), 'OVERLOADED', '2'),
    );
  });
});

describe('a pong', () => {
  test("answers a client's ping with its payload, also before connection_init", async () => {
    await using server = await startScriptedServer();
    await using peer = await Peer.open(server.url);
    peer.send({ type: 'ping' });
    peer.send({ type: 'pong' });
    peer.send({ type: 'ping', payload: { a: 1 } });
    expect([await peer.next(), await peer.next()]).toEqual([
      { type: 'pong' },
      { type: 'pong', payload: { a: 1 } },
    ]);
  });

  test('is requested one heartbeat interval after the last message of the client, and its absence closes the socket', async () => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      timers,
      heartbeatIntervalMs: 1000,
    });
    await using peer = await Peer.ready(server.url, undefined, { autoPong: false });
    peer.subscribe(subscription);
    scripted.push({ data: {} });
    await peer.next();
    const pinged = once(peer.socket, 'ping');
    timers.advance(1000);
    await pinged;
    peer.send({ type: 'ping' });
    await peer.next();
    const again = once(peer.socket, 'ping');
    timers.advance(1000);
    await again;
    timers.advance(1000);
    expect((await peer.closed).code).toBe(1006);
    await scripted.returned;
  });

  test('is not expected from a client in the middle of a message, as long as its bytes arrive', async () => {
    const timers = new FakeTimers();
    await using server = await startScriptedServer(() => singleOutcome('{"greeting":"hello"}'), {
      timers,
      heartbeatIntervalMs: 1000,
    });
    await using peer = await Peer.ready(server.url, undefined, { autoPong: false });
    // Sends the header of a message whose mask is zero, and its parts in turn.
    const { _socket: connection } = peer.socket as unknown as { readonly _socket: Socket };
    const message = JSON.stringify({ id: '1', type: 'subscribe', payload: { query } });
    const parts = [...message.matchAll(/.{1,20}/g)].map(String);
    connection.write(Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]));
    for (const part of parts) {
      connection.write(part);
      // The server reads the part before a later request on another connection.
      await exchange(server.url, { method: 'GET', path: '/health/live' });
      timers.advance(1000);
    }
    expect(parts.length).toBeGreaterThan(3);
    expect([await peer.next(), await peer.next()]).toEqual([
      next({ data: { greeting: 'hello' } }),
      complete(),
    ]);
  });
});

describe('a WebSocket client that reads slowly', () => {
  const size = 16 * 1024 * 1024;
  const big = { data: { greetings: 'x'.repeat(size) } };

  test('pauses its subscription and is closed when it reads nothing', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      bufferSize: 1000,
      readTimeoutMs: 50,
    });
    const peer = await Peer.ready(server.url);
    peer.socket.pause();
    peer.subscribe(subscription);
    for (let count = 0; count < 3; count++) scripted.push(big);
    await scripted.returned;
    expect(scripted.pullCount).toBe(1);
    peer.socket.resume();
    expect(JSON.stringify(await peer.next()).length).toBeGreaterThan(size);
    expect(await peer.closed).toEqual({ code: 1013, reason: 'The client reads too slowly' });
  });

  test.each([
    ['stays connected without a pong as long as it has not read what was sent before the ping', 60_000],
    ['is closed after the read timeout when it reads nothing of what was sent before a ping', 50],
  ])('%s', async (_, readTimeoutMs) => {
    const timers = new FakeTimers();
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      timers,
      heartbeatIntervalMs: 1000,
      bufferSize: 2 * size,
      readTimeoutMs,
    });
    await using peer = await Peer.ready(server.url);
    peer.subscribe(subscription);
    scripted.push({ data: {} });
    await peer.next();
    peer.socket.pause();
    scripted.push(big);
    // The server has written the event before it responds to a later request.
    await exchange(server.url, { method: 'GET', path: '/health/live' });
    for (let count = 0; count < 3; count++) timers.advance(1000);
    if (readTimeoutMs === 50) return await scripted.returned;
    const pinged = once(peer.socket, 'ping');
    peer.socket.resume();
    expect(JSON.stringify(await peer.next()).length).toBeGreaterThan(size);
    await pinged;
    scripted.push('end');
    expect(await peer.next()).toEqual(complete());
  });

  test('gets every event when it continues to read', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, {
      bufferSize: 1000,
      readTimeoutMs: 60_000,
    });
    await using peer = await Peer.ready(server.url);
    peer.socket.pause();
    peer.subscribe(subscription);
    for (let count = 0; count < 3; count++) scripted.push(big);
    scripted.push('end');
    peer.socket.resume();
    for (let count = 0; count < 3; count++)
      expect(JSON.stringify(await peer.next()).length).toBeGreaterThan(size);
    expect(await peer.next()).toEqual(complete());
  });
});

test('an unhandled error of an operation closes its WebSocket with code 4500', async () => {
  await using server = await startScriptedServer(async () => {
    await null;
    expect(failCurrentRequest()).toBe(true);
    return await new Promise<never>(() => {});
  });
  await using peer = await Peer.ready(server.url);
  peer.subscribe(query);
  expect(await peer.closed).toEqual({ code: 4500, reason: 'Internal server error' });
});

describe('the WebSockets of a server that shuts down', () => {
  test('are closed at once unless a query or mutation runs on them, and new ones are rejected', async () => {
    const scripted = new ScriptedEvents();
    const held = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    const server = await startScriptedServer(
      async ({ document }) => {
        if (document.loc?.source.body === subscription) return scripted.outcome;
        entered.resolve();
        await held.promise;
        return singleOutcome('{"greeting":"late"}');
      },
      { drainTimeout: 60_000 },
    );
    await using idle = await Peer.ready(server.url);
    await using subscribed = await Peer.ready(server.url);
    subscribed.subscribe(subscription);
    scripted.push({ data: {} });
    await subscribed.next();
    await using busy = await Peer.ready(server.url);
    busy.subscribe(query);
    await entered.promise;
    const closed = server.close();
    const goingAway = { code: 1001, reason: 'Going away' };
    expect([await idle.closed, await subscribed.closed]).toEqual([goingAway, goingAway]);
    await scripted.returned;
    expect(await rejectionOf(server.url)).toEqual([503, 'SHUTTING_DOWN']);
    held.resolve();
    expect([await busy.next(), await busy.next()]).toEqual([
      next({ data: { greeting: 'late' } }),
      complete(),
    ]);
    expect(await busy.closed).toEqual(goingAway);
    await closed;
  });

  test('stay open until their clients have read the responses, however slowly', async () => {
    const size = 16 * 1024 * 1024;
    await using server = await startScriptedServer(
      async () => singleOutcome(JSON.stringify({ greeting: 'x'.repeat(size) })),
      { drainTimeout: 60_000, bufferSize: 2 * size },
    );
    await using peer = await Peer.ready(server.url);
    peer.socket.pause();
    peer.subscribe(query);
    await waitUntil(() => server.receivedOperations.length === 1);
    await waitForTurns();
    const closed = server.close();
    await waitForTurns();
    // Only an open socket answers it.
    peer.send({ type: 'ping' });
    await waitForTurns();
    peer.socket.resume();
    const types: unknown[] = [];
    for (let count = 0; count < 3; count++) types.push(((await peer.next()) as { type: string }).type);
    expect(types.sort()).toEqual(['complete', 'next', 'pong']);
    expect(await peer.closed).toEqual({ code: 1001, reason: 'Going away' });
    await closed;
  });

  test('get an error for each running operation after the drain timeout, so that no client repeats it', async () => {
    const entered = Promise.withResolvers<void>();
    const server = await startScriptedServer(
      async ({ signal }) => {
        entered.resolve();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        throw new Error('Never.');
      },
      { drainTimeout: 1 },
    );
    await using peer = await Peer.ready(server.url);
    peer.subscribe('mutation { greet(name: "a") }');
    await entered.promise;
    await server.close();
    expect(await peer.next()).toEqual(failed('The gateway is shutting down.', 'SHUTTING_DOWN'));
    await peer.closed;
  });
});
