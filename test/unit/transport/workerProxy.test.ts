import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { addCallbackRoute } from '../../../gateway/subscriptions/callbackRoute.ts';
import { Gate } from '../../harness/gate.ts';
import { exchange, RawConnection, type RawRequest, type RawResponse } from '../../harness/rawHttp.ts';
import { ScriptedEvents, singleOutcome, startScriptedServer } from '../../harness/scriptedServer.ts';
import {
  completeEvent,
  endingRequest,
  nextEvent,
  openingRequest,
  openStream,
  operationRequest,
  reserveStream,
  tokenHeader,
} from '../../harness/singleConnection.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  query,
  startFakeWorker,
  startWorkers,
  subscription,
  tokenOf,
  type Workers,
} from './workersFixture.ts';

/** The parts of a response that are equal for equal requests. */
function comparable({ status, headers, body }: RawResponse): unknown {
  const { date, 'x-request-id': requestId, ...rest } = Object.fromEntries(headers);
  return { status, body, headers: rest, isDated: date !== undefined, isNamed: requestId !== undefined };
}

describe('requests about the resources of a worker that is gone', () => {
  const requests = (token: string): RawRequest[] => [
    openingRequest(token),
    operationRequest(token, { query }),
    endingRequest(token),
    {
      method: 'POST',
      path: `/callback/${encodeURIComponent(token)}`,
      headers: { 'content-type': 'application/json' },
      body: '{}',
    },
  ];

  async function startWithCallbacks(): Promise<Workers> {
    const callbacks = {
      isKnown: () => false,
      receive: () => 'unknown' as const,
      isVerifier: () => false,
      failTooLarge: () => {},
    };
    return startWorkers(undefined, {
      addPublicRoutes: (routes) =>
        addCallbackRoute(routes, {
          callbacks,
          bodySize: 1000,
          queueLimits: { maxWaiting: 10, maxBytes: 1000 },
        }),
    });
  }

  const sendAll = async ({ second }: Workers, token: string): Promise<unknown[]> => {
    const responses: unknown[] = [];
    for (const request of requests(token)) responses.push(comparable(await exchange(second.url, request)));
    return responses;
  };

  test('get the same responses as unknown ids, and so do ids with made-up worker names', async () => {
    await using workers = await startWithCallbacks();
    const unknown = await sendAll(workers, tokenOf('2'));
    expect(unknown).toMatchObject([{ status: 404 }, { status: 404 }, { status: 404 }, { status: 404 }]);
    const token = await reserveStream(workers.first.url);
    const madeUp = ['1', '3', '999999999', '0', '01', '../1', '/etc/passwd', 'x', ''].map((name) =>
      tokenOf(name),
    );
    for (const id of [...madeUp, tokenOf('1').slice(0, -2)]) {
      expect(await sendAll(workers, id)).toEqual(unknown);
    }
    await workers.first.close();
    expect(await sendAll(workers, token)).toEqual(unknown);
  });

  test('get the same responses as unknown ids when the worker stops while it handles the request', async () => {
    await using workers = await startWithCallbacks();
    const unknown = await sendAll(workers, tokenOf('2'));
    await using gone = await startFakeWorker(workers, (request) => request.socket.destroy());
    expect(await sendAll(workers, gone.token)).toEqual(unknown);
  });

  test('end with the connection when the worker stops in the middle of its response', async () => {
    await using workers = await startWorkers();
    const answering = Promise.withResolvers<ServerResponse>();
    await using owner = await startFakeWorker(workers, (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(':\n\n');
      answering.resolve(response);
    });
    await using stream = await openStream(workers.second.url, owner.token);
    (await answering.promise).destroy();
    await stream.waitForClose();
    await expect(stream.readChunk()).rejects.toThrow('The connection ended');
  });

  test('get 503 when the worker cannot be reached for another reason', async () => {
    await using workers = await startWorkers();
    const { directory, second } = workers;
    await rm(directory, { recursive: true });
    await writeFile(directory, '');
    const { status, headers, body } = await exchange(second.url, operationRequest(tokenOf('3'), { query }));
    expect([status, headers.get('retry-after'), JSON.parse(body).errors[0].extensions.code]).toEqual([
      503,
      '1',
      'OVERLOADED',
    ]);
    expect(second.logLines).toEqual(['Proxying a request to another worker failed']);
  });
});

describe('a proxied request', () => {
  test('is transferred with backpressure and ends when its client disconnects', async () => {
    await using workers = await startWorkers();
    const received = Promise.withResolvers<IncomingMessage>();
    // This worker does not read the body.
    await using owner = await startFakeWorker(workers, (request) => received.resolve(request));
    const { port } = new URL(workers.second.url);
    const client = connect(Number(port), '127.0.0.1');
    client.on('error', () => {});
    client.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\n${tokenHeader}: ${owner.token}\r\ncontent-length: 1000000000\r\n\r\n`,
    );
    const chunk = Buffer.alloc(1024 * 1024);
    client.write(chunk);
    const request = await received.promise;
    // Ends when the socket buffers are full, and never if a worker buffers the body.
    let sent = 1;
    for (let idleTurns = 0; sent < 64 && idleTurns < 1_000; idleTurns++) {
      await waitForTurns();
      if (client.writableNeedDrain) continue;
      client.write(chunk);
      sent++;
      idleTurns = 0;
    }
    expect(sent).toBeLessThan(64);
    client.destroy();
    const read = once(request, 'end');
    request.resume();
    await expect(read).rejects.toThrow('aborted');
  });

  test('ends after the read timeout when its client reads nothing of the response', async () => {
    await using workers = await startWorkers(undefined, { readTimeoutMs: 50 });
    const responses = Promise.withResolvers<ServerResponse>();
    await using owner = await startFakeWorker(workers, (_, response) => {
      // Larger than all buffers.
      response.end(Buffer.alloc(64 * 1024 * 1024));
      responses.resolve(response);
    });
    await using client = await RawConnection.open(workers.second.url);
    client.socket.pause();
    client.send(operationRequest(owner.token, { query }));
    const response = await responses.promise;
    await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  });

  test('preserves repeated headers and empty request and response bodies', async () => {
    await using workers = await startWorkers();
    const heads: unknown[] = [];
    await using owner = await startFakeWorker(workers, (request, response) => {
      const { method, url, headers } = request;
      heads.push([method, url, headers['x-a'], headers['transfer-encoding'], headers.connection]);
      response.writeHead(207, 'So so', ['set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'keep-alive', 'timeout=7']);
      response.end();
    });
    const path = `/graphql?a=%2F&token=${owner.token}`;
    const clientRequest = openRequest(new URL(path, workers.second.url), {
      method: 'HEAD',
      headers: { 'x-a': ['1', '2'], connection: 'close' },
    });
    clientRequest.end();
    const [head] = await once(clientRequest, 'response');
    expect([
      head.statusCode,
      head.statusMessage,
      head.headers['set-cookie'],
      head.headers.connection,
    ]).toEqual([207, 'So so', ['a=1', 'b=2'], 'close']);
    expect(heads).toStrictEqual([['HEAD', path, '1, 2', undefined, 'keep-alive']]);
  });

  test('may have headers as large as a request that is not proxied', async () => {
    await using workers = await startWorkers();
    const token = await reserveStream(workers.first.url);
    const most = { 'x-large': 'x'.repeat(15_900) };
    const [there, here] = [workers.first, workers.second].map(({ url }) =>
      exchange(url, { ...endingRequest(token), headers: { [tokenHeader]: token, ...most } }),
    );
    expect([(await there)?.status, (await here)?.status]).toEqual([200, 200]);
  });

  test('may have no host, as of HTTP/1.0', async () => {
    await using workers = await startWorkers();
    const token = await reserveStream(workers.first.url);
    const heads: unknown[] = [];
    for (const { url } of [workers.second, workers.first]) {
      await using connection = await RawConnection.open(url);
      connection.socket.write(`GET /graphql HTTP/1.0\r\n${tokenHeader}: ${token}\r\n\r\n`);
      heads.push((await connection.readResponse()).body);
    }
    expect(heads[0]).toBe(heads[1]);
  });

  test('may be a subscription callback of a subgraph', async () => {
    const received: string[] = [];
    const callbacks = {
      isKnown: (id: string) => id === tokenOf('1'),
      receive: (id: string, message: unknown) => {
        received.push(`${id} ${JSON.stringify(message)}`);
        return 'checked' as const;
      },
      isVerifier: () => true,
      failTooLarge: () => {},
    };
    await using workers = await startWorkers(undefined, {
      addPublicRoutes: (routes) =>
        addCallbackRoute(routes, {
          callbacks,
          bodySize: 1000,
          queueLimits: { maxWaiting: 10, maxBytes: 1000 },
        }),
    });
    for (const { url } of [workers.first, workers.second]) {
      const { status, headers } = await exchange(url, {
        path: `/callback/${tokenOf('1')}`,
        headers: { 'content-type': 'application/json' },
        body: '{"a":1}',
      });
      expect([status, headers.get('subscription-protocol')]).toEqual([204, 'callback/1.0']);
    }
    expect(received).toEqual([`${tokenOf('1')} {"a":1}`, `${tokenOf('1')} {"a":1}`]);
  });
});

describe('a worker that shuts down', () => {
  // Longer than the timeout of a test.
  const drainTimeout = 60_000;

  test.each(['first', 'second'] as const)(
    'closes idle streams of the two workers at once: the %s one shuts down',
    async (which) => {
      const events = new ScriptedEvents();
      await using workers = await startWorkers(() => events.outcome, { drainTimeout });
      const token = await reserveStream(workers.first.url);
      await using stream = await openStream(workers.second.url, token);
      await exchange(workers.second.url, operationRequest(token, { query: subscription }));
      await workers[which].close();
      expect(await stream.readChunk()).toBeUndefined();
      await events.returned;
    },
  );

  test.each(['first', 'second'] as const)(
    'waits for the queries on a stream and still accepts requests about the stream: the %s one shuts down',
    async (which) => {
      const gate = new Gate();
      await using workers = await startWorkers(
        async () => {
          await gate.pass();
          return singleOutcome('{"greeting":"hello"}');
        },
        { drainTimeout },
      );
      const token = await reserveStream(workers.first.url);
      await using stream = await openStream(workers.second.url, token);
      await using control = await RawConnection.open(workers.second.url);
      const response = exchange(workers.second.url, operationRequest(token, { query }));
      await gate.waitForArrivals();
      const closing = workers[which].close();
      control.send(endingRequest(token, 'another'));
      expect((await control.readResponse()).status).toBe(200);
      gate.open();
      expect((await response).status).toBe(202);
      expect(await stream.readChunk()).toBe(nextEvent({ data: { greeting: 'hello' } }) + completeEvent);
      expect(await stream.readChunk()).toBeUndefined();
      await closing;
    },
  );

  test('ends proxied requests with 503 after the drain timeout', async () => {
    const started = Promise.withResolvers<void>();
    await using workers = await startWorkers(
      ({ signal }) => {
        started.resolve();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      { drainTimeout: 1 },
    );
    const response = exchange(
      workers.second.url,
      operationRequest(await reserveStream(workers.first.url), { query }),
    );
    await started.promise;
    await workers.second.close();
    const { status, headers, body } = await response;
    expect([status, headers.get('connection'), JSON.parse(body).errors[0].extensions.code]).toEqual([
      503,
      'close',
      'SHUTTING_DOWN',
    ]);
  });

  test('removes its Unix socket', async () => {
    await using workers = await startWorkers();
    await workers.first.close();
    const socket = connect(join(workers.directory, '1'));
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ENOENT');
  });

  test('fails to start when another process listens on the socket of its name', async () => {
    await using workers = await startWorkers();
    const holder = createNetServer().listen(join(workers.directory, '3'));
    await once(holder, 'listening');
    const { directory } = workers;
    await expect(startScriptedServer(undefined, { worker: { name: '3', directory } })).rejects.toThrow(
      'EADDRINUSE',
    );
    holder.close();
  });
});

test('the tokens of a gateway with one process contain no worker name', async () => {
  await using server = await startScriptedServer();
  expect(await reserveStream(server.url)).toMatch(/^[0-9a-f-]{36}$/);
});
