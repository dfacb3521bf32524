import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import {
  Broadcast,
  type SubscriptionEvents,
  type SubscriptionPayload,
} from '../../../gateway/response/subscriptionEvents.ts';
import { SubscriberQueue } from '../../../gateway/subscriptions/subscriberQueue.ts';
import { RawConnection } from '../../harness/rawHttp.ts';
import { type ScriptedServer, startScriptedServer } from '../../harness/scriptedServer.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { waitUntil } from '../../harness/waitUntil.ts';

/** A client's subscription, as the gateway sees it. */
interface Subscription {
  readonly queue: SubscriberQueue;
  /** The payloads of each broadcast that was written directly. */
  readonly direct: number[];
  isReading: boolean;
  /** Set while payloads go the plain way, as when one is larger than the buffer. */
  isPlain: boolean;
}

let server: ScriptedServer;
let subscriptions: Subscription[] = [];

beforeAll(async () => {
  server = await startScriptedServer(({ operationName }) => {
    const queue = new SubscriberQueue({
      queue: { maxEvents: 10_000, maxBytes: 1e9, policy: 'close' },
      reportsDroppedEvents: false,
      onDropped: () => {},
      onEnd: () => {},
    });
    const subscription: Subscription = { queue, direct: [], isReading: false, isPlain: false };
    subscriptions.push(subscription);
    const events = queue.events();
    const iterator = events[Symbol.asyncIterator]();
    const observed: SubscriptionEvents = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          subscription.isReading = true;
          return iterator.next();
        },
        return: () => iterator.return?.() as Promise<IteratorResult<SubscriptionPayload>>,
      }),
      // Without a direct writer, everything goes the plain way.
      ...(operationName !== 'Plain' && {
        setDirectWriter: (writer) =>
          events.setDirectWriter?.({
            write: (broadcast) => {
              const isWritten = !subscription.isPlain && writer.write(broadcast);
              if (isWritten) subscription.direct.push(broadcast.payloads.length);
              return isWritten;
            },
          }),
      }),
    };
    return { kind: 'subscription', events: observed };
  });
});
afterAll(() => server.close());

const origin = { overflowPolicy: 'close', isNotice: false } as const;

function broadcast(payloads: readonly SubscriptionPayload[]): void {
  const sent = new Broadcast(payloads);
  const origins = payloads.map(() => origin);
  for (const { queue } of subscriptions) queue.onBroadcast(sent, origins);
}

/** Resolves when all clients are subscribed, and wait for events. */
async function subscribed(count: number): Promise<void> {
  while (subscriptions.length < count || subscriptions.some(({ isReading }) => !isReading))
    await waitForTurns(1);
  await waitForTurns(2);
}

interface Client {
  /** The results that the client has received, as JSON texts. */
  readonly results: string[];
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: () => void;
}

type OpenClient = (operationName: string, id: string) => Promise<Client>;

function overHttp(accept: string, result: RegExp): OpenClient {
  return async (operationName) => {
    const connection = await RawConnection.open(server.url);
    connection.send({
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify({ query: `subscription ${operationName} { greetings }`, operationName }),
    });
    await connection.readHead();
    const results: string[] = [];
    const read = async (): Promise<void> => {
      for (
        let chunk = await connection.readChunk();
        chunk !== undefined;
        chunk = await connection.readChunk()
      )
        for (const [, id = '', text = ''] of chunk.matchAll(result)) results.push(id + text);
    };
    void read().catch(() => undefined);
    const { socket } = connection;
    return {
      results,
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.destroy(),
    };
  };
}

const overWebSocket: OpenClient = async (operationName, id) => {
  const socket = new WebSocket(server.url.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  const results: string[] = [];
  socket.on('message', (bytes) => {
    const text = String(bytes);
    const before = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
    if (text.startsWith(before)) results.push(text.slice(before.length, -1));
    else if (!text.includes('connection_ack')) results.push(`unexpected: ${text.slice(0, 100)}`);
  });
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  const query = `subscription ${operationName} { greetings }`;
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query, operationName } }));
  return {
    results,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.terminate(),
  };
};

const transports: readonly (readonly [string, OpenClient])[] = [
  ['server-sent events', overHttp('text/event-stream', /(?:id: (.*)\n)?event: next\ndata: (.*)\n\n/g)],
  [
    'multipart',
    overHttp(
      'multipart/mixed;boundary=graphql;subscriptionSpec=1.0',
      /()content-type: application\/json\r\n\r\n\{"payload":(.*)\}\r\n--graphql/g,
    ),
  ],
  ['a WebSocket', overWebSocket],
];

function result(value: string): SubscriptionPayload {
  return { text: JSON.stringify({ data: { greetings: value } }) };
}

describe.each(transports)('a direct writer for %s', (_, open) => {
  const clients: Client[] = [];
  const openAll = async (...ids: (readonly [string, string])[]): Promise<void> => {
    subscriptions = [];
    for (const [index, [operationName, id]] of ids.entries()) {
      clients.push(await open(operationName, id));
      await subscribed(index + 1);
    }
  };
  const closeAll = (): void => {
    for (const client of clients.splice(0)) client.close();
  };

  test('sends the bytes that the plain way sends, for any payloads, any number of them and any id of the client', async () => {
    await openAll(['Plain', 'plain'], ['Direct', '1'], ['Direct', 'an id with "ä"'], ['Direct', '2']);
    const batches: readonly (readonly SubscriptionPayload[])[] = [
      [result('hello')],
      [{ ...result('with a cursor'), cursor: '1-0' }],
      [result('größer, 漢字, 🐝')],
      [result('one of three'), { text: '{"errors":[{"message":"no"}],"data":null}' }, result('三')],
      // The sizes at which the length of a frame is written in another way.
      ...[125, 126, 127, 65_535, 65_536, 100_000].map((size) => [
        { text: JSON.stringify({ data: 'x'.repeat(size - 50) }) },
        result('after'),
      ]),
      ...Array.from({ length: 20 }, (_, index) => [
        { text: JSON.stringify({ data: 'x'.repeat(60 + index) }) },
      ]),
    ];
    const count = batches.flat().length;
    for (const batch of batches) {
      broadcast(batch);
      await waitForTurns(3);
    }
    await waitUntil(() => clients.every(({ results }) => results.length >= count));
    const [plain, ...others] = clients.map(({ results }) => results);
    expect(plain?.map((text) => text.replace(/^1-0/, ''))).toEqual(batches.flat().map(({ text }) => text));
    for (const results of others) expect(results).toEqual(plain);
    expect(subscriptions.map(({ direct }) => direct.length)).toEqual([
      0,
      ...others.map(() => batches.length),
    ]);
    closeAll();
  });

  test('leaves payloads to the plain way while a client reads slowly: it gets each once and in order, and others do not change its bytes', async () => {
    await openAll(['Direct', 'slow'], ['Direct', 'fast']);
    const [slow, fast] = clients as [Client, Client];
    const [slowSide, fastSide] = subscriptions as [Subscription, Subscription];
    slow.pause();
    const sent: string[] = [];
    const send = async (): Promise<void> => {
      const payloads = [result(`${sent.length} ${'x'.repeat(300_000)}`), result(`${sent.length + 1}`)];
      sent.push(...payloads.map(({ text }) => text));
      broadcast(payloads);
      await waitUntil(() => fast.results.length === sent.length);
    };
    while (slowSide.direct.length === fastSide.direct.length) await send();
    for (let more = 0; more < 3; more++) await send();
    const directBefore = slowSide.direct.length;
    slow.resume();
    await waitUntil(() => slow.results.length === sent.length);
    await waitForTurns(3);
    await send();
    await waitUntil(() => slow.results.length === sent.length);
    expect(slow.results).toEqual(sent);
    expect(fast.results).toEqual(sent);
    expect(slowSide.direct.length).toBe(directBefore + 1);
    closeAll();
  });

  test('sends a payload after an earlier one that went the plain way in the same turn', async () => {
    await openAll(['Direct', '1']);
    const [client] = clients as [Client];
    const [subscription] = subscriptions as [Subscription];
    const payloads = [result('the plain way'), result('directly')];
    for (const payload of payloads) {
      subscription.isPlain = payload === payloads[0];
      broadcast([payload]);
      // The reader writes the payload and waits for the next one, without a turn of the event loop.
      for (let step = 0; step < 50; step++) await Promise.resolve();
    }
    await waitUntil(() => client.results.length === payloads.length);
    expect(client.results).toEqual(payloads.map(({ text }) => text));
    closeAll();
  });
});
