import { expect, test } from '@jest/globals';
import { Broadcast } from '../../../gateway/response/subscriptionEvents.ts';
import type { EventQueueOptions } from '../../../gateway/subscriptions/eventQueue.ts';
import type { PayloadOrigin } from '../../../gateway/subscriptions/subscriber.ts';
import { SubscriberQueue } from '../../../gateway/subscriptions/subscriberQueue.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** A client whose connection takes payloads directly while `isWritable`. A reader reads the others. */
function connect(queue: Partial<EventQueueOptions> = {}) {
  const connection = { isWritable: true };
  const received: string[] = [];
  const subscriber = new SubscriberQueue({
    queue: { maxEvents: 3, maxBytes: 1000, policy: 'close', ...queue },
    reportsDroppedEvents: false,
    onDropped: () => {},
    onEnd: () => received.push('end'),
  });
  const events = subscriber.events();
  events.setDirectWriter?.({
    write: ({ payloads }) => {
      if (connection.isWritable) received.push(`direct ${payloads.map(({ text }) => text).join('+')}`);
      return connection.isWritable;
    },
  });
  const iterator = events[Symbol.asyncIterator]();
  const read = async (): Promise<void> => {
    const { done, value } = await iterator.next();
    received.push(done === true ? 'done' : `read ${value.text}`);
  };
  return { subscriber, connection, received, read };
}

function originOf(overflowPolicy: PayloadOrigin['overflowPolicy'] = 'close'): PayloadOrigin {
  return { overflowPolicy, isNotice: false };
}

function send({ subscriber }: ReturnType<typeof connect>, text: string, origin = originOf()): void {
  const texts = text.split('+');
  subscriber.onBroadcast(
    new Broadcast(texts.map((one) => ({ text: one }))),
    texts.map(() => origin),
  );
}

test('payloads are written directly only while the reader waits and nothing is queued, and are in order', async () => {
  const client = connect();
  // The reader is still writing the head.
  send(client, '1');
  await client.read();
  const reading = client.read();
  send(client, '2');
  send(client, '3+4');
  client.connection.isWritable = false;
  send(client, '5+6');
  client.connection.isWritable = true;
  // The reader has been woken, and has not run yet.
  send(client, '7');
  await reading;
  await client.read();
  await client.read();
  const last = client.read();
  await waitForTurns(1);
  send(client, '8');
  expect(client.received).toEqual([
    'read 1',
    'direct 2',
    'direct 3+4',
    'read 5',
    'read 6',
    'read 7',
    'direct 8',
  ]);
  client.connection.isWritable = false;
  send(client, '9');
  await last;
  expect(client.received.at(-1)).toBe('read 9');
});

test('an event whose first payload was written directly is not dropped when its client becomes slow', async () => {
  const policy = 'drop-oldest';
  const client = connect({ policy });
  const begun = originOf(policy);
  const reading = client.read();
  send(client, 'begun', begun);
  client.connection.isWritable = false;
  send(client, 'rest', begun);
  send(client, 'end', begun);
  for (const text of ['1', '2', '3', '4']) send(client, text, originOf(policy));
  await reading;
  for (let count = 0; count < 4; count++) await client.read();
  expect(client.received).toEqual(['direct begun', 'read rest', 'read end', 'read 2', 'read 3', 'read 4']);
});

test('a client that has left or was too slow gets nothing more, and its end is reported once', async () => {
  const left = connect();
  const reading = left.read();
  left.subscriber.unsubscribe();
  send(left, '1');
  left.subscriber.unsubscribe();
  await reading;
  const slow = connect();
  slow.connection.isWritable = false;
  for (const text of ['1', '2', '3', '4']) send(slow, text);
  slow.connection.isWritable = true;
  send(slow, '5');
  await expect(slow.read()).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect([left.received, slow.received]).toEqual([['end', 'done'], ['end']]);
});

test('payloads of an event that its client has begun to receive need no room in the queue', async () => {
  const client = connect({ maxBytes: 100 });
  const begun = originOf();
  const reading = client.read();
  send(client, 'begun', begun);
  client.connection.isWritable = false;
  for (let part = 0; part < 3; part++) send(client, 'x'.repeat(60), begun);
  await reading;
  for (let part = 1; part < 3; part++) await client.read();
  for (const text of ['1', '2']) send(client, text.repeat(40));
  await client.read();
  await client.read();
  expect(client.received.map((text) => text.slice(0, 6))).toEqual([
    'direct',
    ...new Array<string>(3).fill('read x'),
    'read 1',
    'read 2',
  ]);
});

test('a client that has left reads nothing that was queued for it', async () => {
  const client = connect();
  send(client, '1');
  send(client, '2');
  await client.read();
  client.subscriber.unsubscribe();
  await client.read();
  expect(client.received).toEqual(['read 1', 'end', 'done']);
});

test('no event waits for a client whose subscription has ended, although its queue is full', async () => {
  const client = connect({ policy: 'wait' });
  for (const text of ['1', '2', '3']) send(client, text, originOf('wait'));
  let waits = 2;
  const waitFor = async (wait: Promise<void>): Promise<void> => {
    await wait;
    waits -= 1;
  };
  void waitFor(client.subscriber.waitForRoom());
  void waitFor(client.subscriber.waitForDrain());
  await waitForTurns();
  expect(waits).toBe(2);
  client.subscriber.onComplete();
  await waitForTurns();
  expect(waits).toBe(0);
  await Promise.all([client.subscriber.waitForRoom(), client.subscriber.waitForDrain()]);
});

test('a source that waits for a client has room when half of the full queue is read, and has drained it when all is', async () => {
  const client = connect({ maxEvents: 4, policy: 'wait' });
  for (const text of ['1', '2', '3', '4+5']) send(client, text, originOf('wait'));
  void client.subscriber.waitForRoom().then(() => client.received.push('room'));
  void client.subscriber.waitForDrain().then(() => client.received.push('drained'));
  for (let count = 0; count < 5; count++) {
    await client.read();
    await waitForTurns(1);
  }
  // The waits end before the reader continues with the payload.
  expect(client.received).toEqual(['read 1', 'room', 'read 2', 'read 3', 'read 4', 'drained', 'read 5']);
});
