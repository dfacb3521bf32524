import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { describe, expect, test } from '@jest/globals';
import { type WebSocket, WebSocketServer } from 'ws';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import type { ReviewRecord } from '../../subgraphs/shared/records.ts';
import { CountingTimers } from '../harness/countingTimers.ts';
import {
  type EventUpstream,
  startCallbackUpstream,
  startMultipartUpstream,
  startSseUpstream,
} from '../harness/eventUpstreams.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { endingRequest, openStream, operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { Peer } from '../harness/webSocketPeer.ts';

/** A client with one subscription. */
interface Client extends AsyncDisposable {
  /** Resolves when the next event, or another payload with this text, has arrived. */
  event(text?: string): Promise<void>;
  /** Disconnects within this turn of the event loop. */
  leave(): void;
}

type Connect = (url: string) => Promise<Client>;

/** One field of the event and one of another subgraph. */
const query = 'subscription { reviewAdded { body author { displayName } } }';

function overHttp(accept: string): Connect {
  return async (url) => {
    const connection = await RawConnection.open(url);
    const headers = { accept, 'content-type': 'application/json' };
    connection.send({ headers, body: JSON.stringify({ query }) });
    let hasHead = false;
    return {
      event: async (text = 'Keen Otter') => {
        if (!hasHead) await connection.readHead();
        hasHead = true;
        while (!(await connection.readChunk())?.includes(text));
      },
      leave: () => void connection.socket.destroy(),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  };
}

function overWebSocket(leave: (socket: WebSocket) => void): Connect {
  return async (url) => {
    const peer = await Peer.ready(url);
    peer.subscribe(query);
    return {
      event: async (text = 'Keen Otter') => expect(JSON.stringify(await peer.next())).toContain(text),
      leave: () => leave(peer.socket),
      [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
    };
  };
}

/** Over an event stream for several operations; `end` ends the operation alone. */
function overSingleConnection(
  leave: (client: { readonly stream: RawConnection; readonly end: () => void }) => void,
): Connect {
  return async (url) => {
    const token = await reserveStream(url);
    const [stream, other] = [await openStream(url, token), await RawConnection.open(url)];
    await exchange(url, operationRequest(token, { query }));
    const end = (): void => other.send(endingRequest(token));
    return {
      event: async (text = 'Keen Otter') => {
        while (!(await stream.readChunk())?.includes(text));
      },
      leave: () => leave({ stream, end }),
      [Symbol.asyncDispose]: async () => {
        await stream[Symbol.asyncDispose]();
        await other[Symbol.asyncDispose]();
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
  ['of a single connection that ends', overSingleConnection(({ stream }) => stream.socket.destroy())],
  ['of a single connection that stays', overSingleConnection(({ end }) => end())],
];

interface CountedGateway extends TestGateway {
  readonly timers: CountingTimers;
}

/** `reviews`: replaces the subgraph of the demo. */
async function start(reviews?: NonNullable<GatewayOptions['subgraphs']>[string]): Promise<CountedGateway> {
  // No timeout may end anything by itself.
  const all = {
    subscription: { protocol: 'graphql_ws' as const, path: '/ws' },
    timeouts: { attempt: '1h', deadline: '1h' },
  };
  const timers = new CountingTimers();
  const gateway = await startTestGateway({
    config: { subgraphs: reviews === undefined ? { all } : { all, reviews } },
    dependencies: { timers },
  });
  return { ...gateway, timers };
}

/** The open connections and timers of this process. */
interface Open {
  /** Both ends of each connection. */
  readonly sockets: number;
  readonly timers: number;
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

function openIn({ timers }: CountedGateway): Open {
  return { sockets: openSockets(), timers: timers.activeCount };
}

/** Far more often than needed, but not forever: polling must end with its test. */
async function until(isSo: () => boolean): Promise<void> {
  for (let round = 0; round < 2_000_000 && !isSo(); round++) await waitForTurns();
}

/** `keptAlive`: idle connections to subgraphs that can be reused. */
async function nothingIsLeft(before: Open, { timers }: CountedGateway, keptAlive = 0): Promise<void> {
  const most = before.sockets + 2 * keptAlive;
  await until(() => openSockets() <= most && timers.activeCount <= before.timers);
  expect(openSockets()).toBeLessThanOrEqual(most);
  expect(timers.activeCount).toBe(before.timers);
}

/** Synchronous access to the state of the subgraph with the events. */
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

/** A subgraph that sends nothing from now on. */
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
    /** Resolves when the gateway waits for the subgraph. */
    reached: reached.promise,
    /** Resolves when the gateway closed its connection. */
    closed: closed.promise,
    /** Closes all connections, and accepts no others. */
    end: () => {
      server.close();
      for (const webSocket of sockets.clients) webSocket.terminate();
    },
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

describe.each(clients)('a client over %s leaves no resources when it disconnects', (_, connect) => {
  test.each(silences)('when the client disconnects before the %s of the subgraph', async (from) => {
    await using silent = await startSilent(from);
    await using gateway = await start({ url: silent.url });
    const before = openIn(gateway);
    {
      await using client = await connect(gateway.url);
      await silent.reached;
      client.leave();
      await silent.closed;
    }
    await nothingIsLeft(before, gateway);
  });

  test('when the client disconnects while the gateway reconnects to the subgraph', async () => {
    await using silent = await startSilent('first event');
    await using gateway = await start({ url: silent.url });
    const before = openIn(gateway);
    {
      await using client = await connect(gateway.url);
      await silent.reached;
      const failed = client.event('SUBGRAPH_UNREACHABLE');
      silent.end();
      await failed;
      client.leave();
    }
    await nothingIsLeft(before, gateway);
  });

  test('when the client disconnects between two events', async () => {
    await using gateway = await start();
    const before = openIn(gateway);
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
    await nothingIsLeft(before, gateway, 1);
  });

  test('when the client disconnects while an event is being completed', async () => {
    await using gateway = await start();
    const { accounts } = gateway.subgraphs;
    accounts.faults.replace({ targets: { '*': { hangRate: 1 } } });
    const before = openIn(gateway);
    {
      await using client = await connect(gateway.url);
      await listening(gateway);
      publish(gateway);
      // The second event waits for the first one.
      publish(gateway);
      await accounts.requests.waitUntil(({ counts }) => counts.pending === 1);
      client.leave();
      await nothingIsUnderWay(gateway);
    }
    expect(accounts.requests.counts).toMatchObject({ total: 1, aborted: 1 });
    await nothingIsLeft(before, gateway);
  });

  test('when the client disconnects at any moment of an event', async () => {
    await using gateway = await start();
    const before = openIn(gateway);
    for (let moment = 0; moment < 25; moment++) {
      await using client = await connect(gateway.url);
      await listening(gateway);
      publish(gateway);
      await waitForTurns(moment);
      client.leave();
      await nothingIsUnderWay(gateway);
      expect(listeners(gateway)).toBe(0);
    }
    await nothingIsLeft(before, gateway, 1);
  });
});

const upstreams: [string, 'sse' | 'multipart' | 'http_callback', () => Promise<EventUpstream>][] = [
  ['server-sent events', 'sse', startSseUpstream],
  ["Apollo's multipart protocol", 'multipart', startMultipartUpstream],
  ['HTTP callbacks', 'http_callback', startCallbackUpstream],
];
const [[, connectClient]] = clients as [(typeof clients)[number]];

describe.each(upstreams)('a subgraph that sends its events over %s', (_, protocol, startUpstream) => {
  test('leaves no resources when the client disconnects at any moment of an event', async () => {
    await using upstream = await startUpstream();
    const { url } = upstream;
    await using gateway = await start({ url, subscription: { protocol, path: '' } });
    const { authorId } = gateway.subgraphs.reviews.store.findReview('r1') as ReviewRecord;
    const author = { __typename: 'User', id: authorId };
    const reviewAdded = { __typename: 'Review', body: 'Good.', author };
    const isSubscribed = async (expected: boolean): Promise<void> => {
      while ((await upstream.isSubscribed()) !== expected) await waitForTurns();
    };
    const before = openIn(gateway);
    for (let moment = 0; moment < 25; moment++) {
      await using client = await connectClient(gateway.url);
      await isSubscribed(true);
      upstream.publish({ reviewAdded });
      await waitForTurns(moment);
      client.leave();
      await nothingIsUnderWay(gateway);
      await isSubscribed(false);
    }
    // An event arrives, so that the events before were not lost on their way.
    {
      await using client = await connectClient(gateway.url);
      await isSubscribed(true);
      const event = client.event();
      upstream.publish({ reviewAdded });
      await event;
      client.leave();
      await isSubscribed(false);
    }
    await nothingIsLeft(before, gateway, 1);
  });
});
