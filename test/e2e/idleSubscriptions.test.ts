import { describe, expect, test } from '@jest/globals';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { openStream, operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { startTestGateway } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { Peer } from '../harness/webSocketPeer.ts';

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
  const peer = await Peer.ready(url);
  peer.subscribe(query);
  return { rest: () => peer.next(), [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}

async function overSingleConnection(url: string): Promise<Subscribed> {
  const token = await reserveStream(url);
  const stream = await openStream(url, token);
  await exchange(url, operationRequest(token, { query }));
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
      const timers = new FakeTimers();
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
