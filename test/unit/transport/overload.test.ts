import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { AdmissionQueue } from '../../../gateway/admission/admissionQueue.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { postJson } from '../../harness/postJson.ts';
import { RawConnection, type RawRequest } from '../../harness/rawHttp.ts';
import { singleOutcome, startScriptedServer } from '../../harness/scriptedServer.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

test.each(['application/json', 'multipart/mixed;deferSpec=20220824, application/json'])(
  'an operation rejected as OVERLOADED gets 503 with retry-after when the client accepts %s',
  async (accept) => {
    await using server = await startScriptedServer(() => {
      throw new GatewayError('OVERLOADED', 'Too many operations wait to be planned. Try again in a moment.');
    });
    const response = await postJson(server.url, { query: '{ greeting }' }, { accept });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual({
      errors: [
        {
          message: 'Too many operations wait to be planned. Try again in a moment.',
          extensions: { code: 'OVERLOADED' },
        },
      ],
    });
  },
);

describe('while many executions wait, a request', () => {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const operation = JSON.stringify({ query: '{ greeting }' });

  async function startFullServer() {
    const executionQueue = { length: 64 };
    const clock = { now: 0 };
    const queue = new AdmissionQueue({
      queueTimeMs: 1_000,
      executionQueue,
      now: () => clock.now,
      inNextTurn: setImmediate,
      onDrop: () => {},
    });
    const heldBack = Promise.withResolvers<true>();
    const server = await startScriptedServer(() => singleOutcome('{"greeting":"hello"}'), {
      holdBack() {
        if (!queue.isClosed) return undefined;
        heldBack.resolve(true);
        return queue.enter('normal');
      },
      // A request that still waits does not delay the end of a test.
      drainTimeout: 1,
    });
    const accepted: Socket[] = [];
    const onAccept = (message: unknown) => accepted.push((message as { socket: Socket }).socket);
    subscribe('net.server.socket', onAccept);
    const connection = await RawConnection.open(server.url);
    return {
      server,
      queue,
      clock,
      connection,
      /** Resolves when the request waits in the queue. */
      async send(request: RawRequest = { headers, body: operation }) {
        const { socket } = connection;
        const answered = Promise.race([once(socket, 'data'), once(socket, 'close')]).then(() => false);
        connection.send(request);
        if (!(await Promise.race([heldBack.promise, answered])))
          throw new Error('The server answered a request that should have waited in the admission queue.');
        expect(queue.length).toBe(1);
      },
      async letContinue() {
        executionQueue.length = 0;
        queue.onWaitEnd();
        await waitForTurns();
        expect(queue.length).toBe(0);
      },
      /** Resolves when the server knows that its client has disconnected. */
      async disconnect() {
        connection.socket.destroy();
        await Promise.all(accepted.map((socket) => once(socket, 'close')));
      },
      async [Symbol.asyncDispose]() {
        unsubscribe('net.server.socket', onAccept);
        await connection[Symbol.asyncDispose]();
        await server.close();
      },
    };
  }

  test('is read and executed when executions have started', async () => {
    await using full = await startFullServer();
    // Larger than what node:http reads in advance.
    await full.send({ headers, body: JSON.stringify({ query: `{ greeting }${' '.repeat(300_000)}` }) });
    expect(full.server.receivedOperations).toEqual([]);
    await full.letContinue();
    const { status, body } = await full.connection.readResponse();
    expect([status, body]).toEqual([200, '{"data":{"greeting":"hello"}}']);
    full.connection.send({ headers, body: operation });
    expect((await full.connection.readResponse()).status).toBe(200);
  });

  test('is forgotten when its client disconnects', async () => {
    await using full = await startFullServer();
    await full.send();
    await full.disconnect();
    expect(full.queue.length).toBe(0);
    await full.letContinue();
    await waitForTurns(3);
    expect(full.server.receivedOperations).toEqual([]);
    expect(full.server.logLines).toEqual([]);
  });

  test('fails with OVERLOADED after a long wait, and its connection serves the next one', async () => {
    await using full = await startFullServer();
    await full.send();
    full.clock.now = 1_001;
    await full.letContinue();
    const { status, headers: received, body } = await full.connection.readResponse();
    expect([status, received.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
    full.connection.send({ headers, body: operation });
    expect((await full.connection.readResponse()).status).toBe(200);
  });

  test.each<[string, RawRequest, number]>([
    ['as a status', { headers: { ...headers, accept: 'text/event-stream' }, body: operation }, 503],
    [
      'as an event if it is an EventSource, which would not connect again after a status',
      { method: 'GET', path: '/graphql?query=%7Bgreeting%7D', headers: { accept: 'text/event-stream' } },
      200,
    ],
  ])('of a client of server-sent events gets OVERLOADED %s', async (_, request, expected) => {
    await using full = await startFullServer();
    await full.send(request);
    full.clock.now = 1_001;
    await full.letContinue();
    const { status, body } = await full.connection.readResponse();
    expect([status, body]).toEqual([expected, expect.stringContaining('"code":"OVERLOADED"')]);
  });

  test('fails when the gateway shuts down', async () => {
    await using full = await startFullServer();
    await full.send();
    const closed = full.server.close();
    const { status, body } = await full.connection.readResponse();
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ extensions: { code: 'SHUTTING_DOWN' } }] });
    await closed;
  });
});
