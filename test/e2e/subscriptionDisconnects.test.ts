import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { describe, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import type { ReviewRecord } from '../../subgraphs/shared/records.ts';
import { turns } from '../harness/clock.ts';
import { RawConnection } from '../harness/frames.ts';
import { startTestGateway, type TestGateway } from '../harness/gateway.ts';

/** One that has asked for a subscription. */
interface Client extends AsyncDisposable {
  /** Resolves when the next event has come. */
  event(): Promise<void>;
  /** Leaves in this turn. */
  leave(): void;
}

type Connect = (url: string) => Promise<Client>;

/** What the event has, and what another subgraph is asked for. */
const query = 'subscription { reviewAdded { body author { displayName } } }';

function overHttp(accept: string): Connect {
  return async (url) => {
    const connection = await RawConnection.open(url);
    const headers = { accept, 'content-type': 'application/json' };
    connection.send({ headers, body: JSON.stringify({ query }) });
    let hasHead = false;
    return {
      event: async () => {
        if (!hasHead) await connection.readHead();
        hasHead = true;
        while (!(await connection.readChunk())?.includes('Keen Otter'));
      },
      leave: () => void connection.socket.destroy(),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  };
}

function overWebSocket(leave: (socket: WebSocket) => void): Connect {
  return async (url) => {
    const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
    const closed = once(socket, 'close');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init' }));
    await once(socket, 'message');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    return {
      event: async () => {
        const [message] = await once(socket, 'message');
        expect(String(message)).toContain('Keen Otter');
      },
      leave: () => leave(socket),
      [Symbol.asyncDispose]: async () => {
        socket.terminate();
        await closed;
      },
    };
  };
}

const clients: [string, Connect][] = [
  ['of server-sent events', overHttp('text/event-stream')],
  ["of Apollo's multipart protocol", overHttp('multipart/mixed;subscriptionSpec=1.0')],
  ['of a WebSocket that ends', overWebSocket((socket) => socket.terminate())],
  [
    'of a WebSocket that stays',
    overWebSocket((socket) => socket.send(JSON.stringify({ id: '1', type: 'complete' }))),
  ],
];

/** `reviews`: in the place of the demo's. */
function start(reviews?: { readonly url: string }): Promise<TestGateway> {
  // Nothing may end by itself.
  const all = { subscription: { path: '/ws' }, timeouts: { attempt: '1h', deadline: '1h' } };
  return startTestGateway({ config: { subgraphs: reviews === undefined ? { all } : { all, reviews } } });
}

/** Open sockets of this process, both ends of each connection. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

/** Far more often than it takes: what never comes must not go on after its test. */
async function until(isSo: () => boolean): Promise<void> {
  for (let round = 0; round < 2_000_000 && !isSo(); round++) await turns();
}

/** `keptAlive`: connections to subgraphs that may be used again. */
async function nothingIsLeft(before: number, keptAlive = 0): Promise<void> {
  const most = before + 2 * keptAlive;
  await until(() => openSockets() <= most);
  expect(openSockets()).toBeLessThanOrEqual(most);
}

/** Of the subgraph that has the events: to be asked in the turn in which something else is done. */
function listeners({ subgraphs }: TestGateway): number {
  return subgraphs.reviews.store.reviewAdded.subscriberCount;
}

async function listening(gateway: TestGateway): Promise<void> {
  await until(() => listeners(gateway) === 1);
  expect(listeners(gateway)).toBe(1);
}

function publish({ subgraphs }: TestGateway): void {
  const { reviewAdded, findReview } = subgraphs.reviews.store;
  reviewAdded.publish(findReview('r1') as ReviewRecord);
}

async function nothingIsUnderWay({ subgraphs }: TestGateway): Promise<void> {
  for (const { requests } of subgraphs.all) await requests.waitUntil(({ counts }) => counts.pending === 0);
}

const silences = ['handshake', 'acknowledgement', 'first event'] as const;

/** A subgraph that says no more from here on. */
async function startSilent(from: (typeof silences)[number]) {
  const [reached, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    socket.once('close', closed.resolve);
    if (from === 'handshake') {
      socket.once('end', () => socket.end()).resume();
      reached.resolve();
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data) => {
        const { type } = JSON.parse(String(data));
        if (type === 'connection_init' && from === 'first event') {
          webSocket.send(JSON.stringify({ type: 'connection_ack' }));
        } else {
          reached.resolve();
        }
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    /** The gateway waits for it. */
    reached: reached.promise,
    /** The gateway has closed its connection. */
    closed: closed.promise,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

describe.each(clients)('a client %s leaves nothing behind when it leaves', (_, connect) => {
  test.each(silences)('before the %s of the subgraph', async (from) => {
    await using silent = await startSilent(from);
    await using gateway = await start({ url: silent.url });
    const before = openSockets();
    {
      await using client = await connect(gateway.url);
      await silent.reached;
      client.leave();
      await silent.closed;
    }
    await nothingIsLeft(before);
  });

  test('between two events', async () => {
    await using gateway = await start();
    const before = openSockets();
    {
      await using client = await connect(gateway.url);
      await listening(gateway);
      const event = client.event();
      publish(gateway);
      await event;
      client.leave();
      await nothingIsUnderWay(gateway);
    }
    expect(listeners(gateway)).toBe(0);
    await nothingIsLeft(before, 1);
  });

  test('while an event is completed', async () => {
    await using gateway = await start();
    const { accounts } = gateway.subgraphs;
    accounts.faults.replace({ targets: { '*': { hangRate: 1 } } });
    const before = openSockets();
    {
      await using client = await connect(gateway.url);
      await listening(gateway);
      publish(gateway);
      // It waits for the first.
      publish(gateway);
      await accounts.requests.waitUntil(({ counts }) => counts.pending === 1);
      client.leave();
      await nothingIsUnderWay(gateway);
    }
    expect(accounts.requests.counts).toMatchObject({ total: 1, aborted: 1 });
    await nothingIsLeft(before);
  });

  test('at any moment of an event', async () => {
    await using gateway = await start();
    const before = openSockets();
    for (let moment = 0; moment < 25; moment++) {
      await using client = await connect(gateway.url);
      await listening(gateway);
      publish(gateway);
      await turns(moment);
      client.leave();
      await nothingIsUnderWay(gateway);
      expect(listeners(gateway)).toBe(0);
    }
    await nothingIsLeft(before, 1);
  });
});
