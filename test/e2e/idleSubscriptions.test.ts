import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { createManualTimers } from '../harness/manualTimers.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { startTestGateway } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

/** No other timer has this length. */
const idleTimeout = 3_599_000;

const query = 'subscription { reviewAdded { body } }';

interface Subscribed extends AsyncDisposable {
  /** Everything that arrives from now on, until the subscription ends. */
  rest(): Promise<unknown>;
}

function overHttp(accept: string): (url: string) => Promise<Subscribed> {
  return async (url) => {
    const connection = await RawConnection.open(url);
    connection.send({
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    await connection.readHead();
    await connection.readChunk();
    return {
      rest: () => connection.readBody(),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  };
}

async function overWebSocket(url: string): Promise<Subscribed> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  await once(socket, 'message');
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  const message = once(socket, 'message');
  return {
    rest: async () => JSON.parse(String((await message)[0])),
    [Symbol.asyncDispose]: async () => socket.terminate(),
  };
}

async function overSingleConnection(url: string): Promise<Subscribed> {
  const { body: token } = await exchange(url, { method: 'PUT' });
  const own = { 'x-graphql-event-stream-token': token };
  const stream = await RawConnection.open(url);
  stream.send({ method: 'GET', headers: { ...own, accept: 'text/event-stream' } });
  await stream.readHead();
  await stream.readChunk();
  const body = JSON.stringify({ query, extensions: { operationId: '1' } });
  await exchange(url, { headers: { ...own, 'content-type': 'application/json' }, body });
  return {
    rest: async () => {
      let read = '';
      while (!read.includes('event: complete')) read += await stream.readChunk();
      return read;
    },
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}

const error = {
  message:
    'The subscription had no event for 3599000 ms and was ended (subscriptions.idleTimeout). Subscribe again when you expect events.',
  extensions: { code: 'SUBSCRIPTION_IDLE' },
};
const errors = [error];

const ends: [string, (url: string) => Promise<Subscribed>, unknown][] = [
  [
    'server-sent events',
    overHttp('text/event-stream'),
    `event: next\ndata: ${JSON.stringify({ errors })}\n\nevent: complete\ndata:\n\n`,
  ],
  [
    "Apollo's multipart protocol",
    overHttp('multipart/mixed;subscriptionSpec=1.0'),
    `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ payload: null, errors })}\r\n--graphql--\r\n`,
  ],
  ['a WebSocket', overWebSocket, { id: '1', type: 'error', payload: errors }],
  [
    'a single connection',
    overSingleConnection,
    `event: next\ndata: ${JSON.stringify({ id: '1', payload: { errors } })}\n\nevent: complete\ndata: {"id":"1"}\n\n`,
  ],
];

describe('idle timeout of subscriptions', () => {
  test.each(ends)(
    'an idle subscription over %s ends with SUBSCRIPTION_IDLE, also at the subgraph',
    async (_, connect, end) => {
      const timers = createManualTimers();
      const lines: string[] = [];
      const logger = createLogger('info', { write: (line: string) => void lines.push(line) } as never);
      await using gateway = await startTestGateway({
        config: {
          subscriptions: { idleTimeout },
          subgraphs: { all: { subscription: { protocol: 'graphql_ws', path: '/ws' } } },
        },
        dependencies: { timers, logger },
      });
      const { reviewAdded } = gateway.subgraphs.reviews.store;
      await using client = await connect(gateway.url);
      await timers.waitForTimer(idleTimeout);
      while (reviewAdded.subscriberCount < 1) await waitForTurns();
      timers.fire(idleTimeout);
      expect(await client.rest()).toEqual(end);
      while (reviewAdded.subscriberCount > 0) await waitForTurns();
      expect(timers.pendingMs()).not.toContain(idleTimeout);
      const ended = () => lines.filter((line) => line.includes('"type":"subscription"'));
      while (ended().length === 0) await waitForTurns();
      expect(ended()).toEqual([expect.stringContaining('"outcome":"ok"')]);
    },
  );
});
