import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fastify from 'fastify';
import { systemTimers } from '../../../gateway/time/timers.ts';
import { closeStalledReplies } from '../../../gateway/transport/http/closeStalledReplies.ts';
import type { Compression } from '../../../gateway/transport/http/compression.ts';
import { incrementalPartEncoding } from '../../../gateway/transport/http/multipartIncremental.ts';
import { writePayloads } from '../../../gateway/transport/http/writePayloads.ts';
import { writeResponse } from '../../../gateway/transport/http/writeResponse.ts';
import { proxyRequest } from '../../../gateway/transport/workers/proxyRequest.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

/** Larger than any socket buffer. */
const size = 16 * 1024 * 1024;
const readTimeout = 50;

const zstd = { coding: 'zstd', minSize: 0, includesSubscriptions: false } as const;

async function* payloads(): AsyncGenerator<readonly string[]> {
  yield [`{"data":"${'x'.repeat(size)}","hasNext":true}`];
  yield ['{"hasNext":false}'];
}

async function* onePayload(data: string): AsyncGenerator<readonly string[]> {
  yield [`{"data":"${data}","hasNext":false}`];
}

function writeIncremental(
  response: ServerResponse,
  batches: AsyncGenerator<readonly string[]>,
  compression?: Compression,
): void {
  const controller = new AbortController();
  response.once('close', () => controller.abort(new Error('closed')));
  void writePayloads(response, batches, incrementalPartEncoding('deferSpec=20220824'), {
    headers: {},
    compression,
    bufferSize: 1024,
    readTimeoutMs: readTimeout,
    heartbeatIntervalMs: 60_000,
    timers: systemTimers,
    signal: controller.signal,
    formatFailure: (reason) => ({ message: String(reason) }),
  });
}

test.each([
  [
    'a response in one buffer',
    (response: ServerResponse) => {
      writeResponse(response, 200, {}, Buffer.alloc(size), readTimeout);
    },
  ],
  [
    'a response in several buffers',
    (response: ServerResponse) => {
      writeResponse(response, 200, {}, [Buffer.alloc(size / 2), Buffer.alloc(size / 2)], readTimeout);
    },
  ],
  [
    'a response that is compressed while it is sent',
    (response: ServerResponse) => {
      const parts = [randomBytes(size / 2), randomBytes(size / 2)];
      void writeResponse(response, 200, {}, parts, readTimeout, zstd);
    },
  ],
  ['incremental payloads', (response: ServerResponse) => writeIncremental(response, payloads())],
  [
    'the last incremental payload',
    (response: ServerResponse) => writeIncremental(response, onePayload('x'.repeat(size))),
  ],
  [
    'the last incremental payload, which is compressed,',
    (response: ServerResponse) =>
      writeIncremental(response, onePayload(randomBytes(size / 2).toString('hex')), zstd),
  ],
])(
  'the connection of a client that reads nothing of %s is closed after the read timeout',
  async (_, write) => {
    const server = createServer((_request, response) => write(response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const responses = once(server, 'request') as Promise<[unknown, ServerResponse]>;
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    client.pause();
    client.on('error', () => {});
    try {
      client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      const [, response] = await responses;
      if (!response.closed) await once(response, 'close');
      expect(response.writableFinished).toBe(false);
    } finally {
      client.destroy();
      server.close();
    }
  },
);

test('the connection of a client that reads nothing is closed although it sends something', async () => {
  const server = createServer(async (_request, response) => {
    await setImmediate();
    writeResponse(response, 200, {}, Buffer.alloc(size), 10 * readTimeout);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const responses = once(server, 'request') as Promise<[unknown, ServerResponse]>;
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.pause();
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const interval = setInterval(() => client.write('\r\n'), readTimeout / 5);
  try {
    const [, response] = await responses;
    await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  } finally {
    clearInterval(interval);
    client.destroy();
    server.close();
  }
});

test.each([
  ['one buffer', undefined],
  ['a compressed stream', zstd],
])(
  'further requests of a connection are read after a response in %s for which it was not',
  async (_, compression) => {
    const server = createServer(async (_request, response) => {
      await setImmediate();
      void writeResponse(response, 200, {}, randomBytes(size), 60_000, compression);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    try {
      for (let count = 0; count < 3; count += 1) {
        client.pause();
        client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
        const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
        while (response.socket?.isPaused() !== true) await setImmediate();
        client.resume();
        await once(response, 'finish');
      }
    } finally {
      client.destroy();
      server.close();
    }
  },
);

test('the connection of a client that does not read the end of a proxied response is closed after the read timeout', async () => {
  const socketPath = join(createTemporaryDirectory(), '1');
  const worker = createServer((_request, response) => response.end('small'));
  worker.listen(socketPath);
  const server = createServer(async (request, response) => {
    // Stands for a client that reads nothing: even a small response waits.
    Object.assign(request.socket, { _write: () => {}, _writev: null });
    await proxyRequest({
      request,
      response,
      socketPath,
      readTimeoutMs: readTimeout,
      signal: new AbortController().signal,
      isShuttingDown: () => false,
      onResponseHead: () => {},
    }).catch(() => {});
  });
  server.listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(worker, 'listening')]);
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => {});
  try {
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  } finally {
    client.destroy();
    server.close();
    worker.close();
  }
});

test('the connection of a client that reads nothing of a large reply of Fastify is closed after the read timeout', async () => {
  const server = fastify();
  closeStalledReplies(server, readTimeout);
  const responses = Promise.withResolvers<ServerResponse>();
  server.get('/', async (_, reply) => {
    responses.resolve(reply.raw);
    return reply.send(Buffer.alloc(size));
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  const client = connect({ port: (server.server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.pause();
  client.on('error', () => {});
  try {
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    const response = await responses.promise;
    if (!response.closed) await once(response, 'close');
    expect(response.writableFinished).toBe(false);
  } finally {
    client.destroy();
    await server.close();
  }
});

describe('with pipelined requests', () => {
  /** Sends two requests at once, and returns their responses, which the test writes. */
  async function receiveTwo() {
    const responses: ServerResponse[] = [];
    const received = Promise.withResolvers<void>();
    const server = createServer((_request, response) => {
      if (responses.push(response) === 2) received.resolve();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    client.pause();
    client.on('error', () => {});
    const request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
    client.write(request + request);
    const [socket] = (await once(server, 'connection')) as [Socket];
    await received.promise;
    const [first, second] = responses as [ServerResponse, ServerResponse];
    const dispose = (): void => {
      client.destroy();
      server.close();
    };
    return { client, socket, first, second, [Symbol.dispose]: dispose };
  }

  test('the connection of a client that reads nothing is closed when the large response was complete before the first one', async () => {
    using connection = await receiveTwo();
    const { socket, first, second } = connection;
    writeResponse(second, 200, {}, Buffer.alloc(size), readTimeout);
    first.end();
    await once(socket, 'close');
    expect([first.writableFinished, second.writableFinished]).toEqual([true, false]);
  });

  test('the read timeout of a response ends with it, so that the next one may take longer', async () => {
    using connection = await receiveTwo();
    const { client, socket, first } = connection;
    writeResponse(first, 200, {}, Buffer.alloc(size), 3_600_000);
    expect(socket.timeout).toBe(3_600_000);
    client.resume();
    await once(first, 'finish');
    expect(socket.timeout).toBe(0);
  });
});
