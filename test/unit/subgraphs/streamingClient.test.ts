import { expect, test } from '@jest/globals';
import type { GatewayError } from '../../../gateway/errors.ts';
import { StreamingClient, type StreamingListener } from '../../../gateway/subgraphs/streamingClient.ts';
import { startScriptedSubgraph } from '../../harness/scriptedSubgraph.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

interface Received {
  status: number | undefined;
  bytes: number;
  failure: GatewayError | undefined;
  hasEnded: boolean;
}

function listen(): { received: Received; listener: StreamingListener; ended: Promise<void> } {
  const received: Received = { status: undefined, bytes: 0, failure: undefined, hasEnded: false };
  const { promise, resolve } = Promise.withResolvers<void>();
  const listener: StreamingListener = {
    onHead: ({ status }) => {
      received.status = status;
      return { kind: 'chunks' };
    },
    onChunk: (chunk) => {
      received.bytes += chunk.length;
    },
    onBody: () => {},
    onEnd: () => {
      received.hasEnded = true;
      resolve();
    },
    onFailure: (error) => {
      received.failure = error;
      resolve();
    },
  };
  return { received, listener, ended: promise };
}

/** Longer than anything takes. */
const connectTimeoutMs = 60_000;
const request = { subgraph: 'reviews', headers: ['content-type', 'application/json'], body: '{}' };

test('a paused stream applies back-pressure to the server, and a resumed one gets all data', async () => {
  await using subgraph = await startScriptedSubgraph();
  const size = 64 * 1024 * 1024;
  subgraph.setDefaultScript((exchange) => {
    exchange.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    exchange.write(Buffer.alloc(size));
  });
  const client = new StreamingClient();
  const { received, listener, ended } = listen();
  const call = client.open({ url: subgraph.url, connectTimeoutMs }, request, {
    ...listener,
    onHead: (head) => {
      call.pause();
      return listener.onHead(head);
    },
  });
  while (received.status === undefined) await waitForTurns();
  await waitForTurns(100);
  // The chunk that was read together with the head.
  expect(received.bytes).toBeLessThan(1024 * 1024);
  call.resume();
  await ended;
  expect(received).toEqual({ status: 200, bytes: size, failure: undefined, hasEnded: true });
  await client.close();
});

test('each stream has a connection of its own', async () => {
  await using subgraph = await startScriptedSubgraph();
  subgraph.setDefaultScript((exchange) => exchange.respond({ body: 'x' }));
  const client = new StreamingClient();
  for (let i = 0; i < 2; i++) {
    const { listener, ended } = listen();
    client.open({ url: subgraph.url, connectTimeoutMs }, request, listener);
    await ended;
    // At this point the connection could be reused for another call.
    await waitForTurns(5);
  }
  expect(subgraph.requests.map(({ connection }) => connection)).toEqual([1, 2]);
  await client.close();
});

test('a header that cannot be sent is reported as a failure', async () => {
  await using subgraph = await startScriptedSubgraph();
  const client = new StreamingClient();
  const { received, listener, ended } = listen();
  const headers = ['x-a', 'line\r\nbreak'];
  client.open({ url: subgraph.url, connectTimeoutMs }, { ...request, headers }, listener);
  expect(received.failure).toBeUndefined();
  await ended;
  expect(received.failure?.code).toBe('INTERNAL_SERVER_ERROR');
  await client.close();
});
