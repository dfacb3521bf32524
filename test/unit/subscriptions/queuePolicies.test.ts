import { expect, test } from '@jest/globals';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  changed,
  complete,
  dropping,
  holdNames,
  inParts,
  missed,
  names,
  partsOf,
  start,
  stockOf,
  stockOnly,
  waiting,
  whole,
} from './subscriptionFixture.ts';

test('events beyond the queue limit end the subscription with the policy "close"', async () => {
  const { source, subscribe } = start();
  const client = await subscribe(whole);
  holdNames();
  for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
  names.gate = Promise.resolve();
  await expect(client.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect(source.at(0).isCancelled).toBe(true);
});

test('a subgraph that waits for responses is slowed down with the policy "close" while events wait for completion', async () => {
  const { source, subscribe } = start();
  source.acknowledgesEvents = true;
  const [slow, fast] = [await subscribe(whole), await subscribe(whole)];
  const release = holdNames();
  const played = source.at(0);
  let sent = 0;
  while (!played.isPaused) played.send(changed('1', sent++));
  // Three wait for completion, and one is being completed.
  expect(sent).toBe(4);
  await waitForTurns(5);
  const releaseRest = holdNames();
  release();
  expect(await fast.next()).toEqual(complete('1', 0));
  await waitForTurns(5);
  // There is room for one more.
  expect(played.isPaused).toBe(false);
  while (!played.isPaused) played.send(changed('1', sent++));
  expect(sent).toBe(5);
  // It was in flight.
  played.send(changed('1', sent++));
  releaseRest();
  expect(await fast.take(5)).toEqual([1, 2, 3, 4, 5].map((amount) => complete('1', amount)));
  expect(played.isPaused).toBe(false);
  // A client that does not read still ends alone.
  await expect(slow.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
  played.send(changed('1', sent));
  expect(await fast.next()).toEqual(complete('1', sent));
});

test.each([true, false])(
  'the oldest events are dropped with the policy "drop-oldest", and reported once with reportsInterruptions: %p',
  async (reportsInterruptions) => {
    const { source, subscribe, subscriptions } = start({ ...dropping, reportsInterruptions });
    const client = await subscribe(stockOnly);
    for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
    await waitForTurns(5);
    const notices = reportsInterruptions ? [missed] : [];
    expect(await client.take(3 + notices.length)).toEqual([...notices, ...[3, 4, 5].map(stockOf)]);
    // Two were dropped before completion, and one in the client's queue.
    expect(subscriptions.droppedEventCount).toBe(3);
  },
);

test('events that are dropped before they are completed are reported to a client that has read all others', async () => {
  const { source, subscribe } = start(dropping);
  const client = await subscribe(whole);
  const release = holdNames();
  for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
  const payloads = client.take(5);
  release();
  expect(await payloads).toEqual([
    complete('1', 0),
    missed,
    ...[3, 4, 5].map((amount) => complete('1', amount)),
  ]);
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'of what comes in parts, whole events are dropped and none that was begun (%s)',
  async (format) => {
    const { subscribe, send } = start(dropping);
    const client = await subscribe(inParts, {}, format);
    await send('0', 0);
    const [first, ...rest] = partsOf(0);
    expect(await client.next()).toEqual(first);
    for (let amount = 1; amount < 7; amount++) await send(`${amount}`, amount);
    expect(await client.take(8)).toEqual([...rest, missed, ...[4, 5, 6].flatMap(partsOf)]);
  },
);

test('the source is paused and no event is lost with the policy "wait"', async () => {
  const { source, subscribe, send } = start(waiting);
  const [slow, fast] = [await subscribe(stockOnly), await subscribe(stockOnly)];
  const played = source.at(0);
  let sent = 0;
  while (!played.isPaused) await send('1', sent++);
  // Three wait for the slow client, three wait for completion, and one is being completed.
  expect(sent).toBe(7);
  // The event was in flight.
  played.send(changed('1', sent++));
  await fast.take(3);
  await waitForTurns(5);
  expect(played.isPaused).toBe(true);
  const [seen] = await Promise.all([slow.take(sent), fast.take(sent - 3)]);
  expect(seen).toEqual(Array.from({ length: sent }, (_, amount) => stockOf(amount)));
  expect(played.isPaused).toBe(false);
});

test('a slow client that leaves no longer delays the others', async () => {
  const { source, subscribe } = start(waiting);
  const [slow, fast] = [await subscribe(stockOnly), await subscribe(stockOnly)];
  for (let amount = 0; amount < 7; amount++) source.at(0).send(changed('1', amount));
  await waitForTurns(5);
  expect(source.at(0).isPaused).toBe(true);
  await slow.leave();
  expect(await fast.take(7)).toEqual([0, 1, 2, 3, 4, 5, 6].map(stockOf));
  expect(source.at(0).isPaused).toBe(false);
});

test('a slow client is ended with the policy "wait" when the source cannot be paused', async () => {
  const { source, subscribe } = start(waiting);
  source.isPausable = false;
  const [slow, fast] = [await subscribe(stockOnly), await subscribe(stockOnly)];
  for (let amount = 0; amount < 5; amount++) {
    source.at(0).send(changed('1', amount));
    expect(await fast.next()).toEqual(stockOf(amount));
  }
  await expect(slow.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
});
