import { expect, test } from '@jest/globals';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  changed,
  complete,
  dropping,
  holdNames,
  inParts,
  interrupted,
  lost,
  missed,
  partsOf,
  start,
  stockOf,
  stockOnly,
  whole,
} from './subscriptionFixture.ts';

test('an interruption and its end are reported only with reportsInterruptions', async () => {
  const reporting = start();
  const client = await reporting.subscribe(whole);
  reporting.source.at(0).receiver.onInterrupted(lost);
  expect(await client.next()).toEqual(interrupted);
  reporting.source.at(0).receiver.onResubscribed?.();
  expect(await client.next()).toEqual(missed);
  const silent = start({ reportsInterruptions: false });
  const other = await silent.subscribe(whole);
  silent.source.at(0).receiver.onInterrupted(lost);
  silent.source.at(0).receiver.onResubscribed?.();
  silent.source.at(0).send(changed('1', 5));
  expect(await other.next()).toEqual(complete('1', 5));
});

test('a client that reads after the end of an interruption gets only the error for its end', async () => {
  const { source, subscribe } = start();
  const client = await subscribe(whole);
  source.at(0).receiver.onInterrupted(lost);
  await waitForTurns(2);
  source.at(0).receiver.onResubscribed?.();
  source.at(0).send(changed('1', 1));
  expect(await client.take(2)).toEqual([missed, complete('1', 1)]);
});

test('an interruption is reported between events, never within one', async () => {
  const { source, subscribe, send } = start();
  const client = await subscribe(inParts, {}, 'deferSpec=20220824');
  const release = holdNames();
  source.at(0).send(changed('1', 1));
  await send('2', 2);
  source.at(0).receiver.onInterrupted(lost);
  source.at(0).send(changed('3', 3));
  release();
  expect(await client.take(7)).toEqual([...partsOf(1), ...partsOf(2), interrupted, ...partsOf(3)]);
});

test('an interruption is never dropped, and covers events that were dropped next to it', async () => {
  const { source, subscribe, send } = start(dropping);
  const client = await subscribe(stockOnly);
  await send('1', 0);
  source.at(0).receiver.onInterrupted(lost);
  for (let amount = 1; amount < 6; amount++) await send('1', amount);
  expect(await client.take(4)).toEqual([interrupted, ...[3, 4, 5].map(stockOf)]);
});

test('the end of an interruption is never dropped with the events before it', async () => {
  const { source, subscribe, send } = start(dropping);
  const client = await subscribe(stockOnly);
  const { receiver } = source.at(0);
  await send('1', 0);
  receiver.onInterrupted(lost);
  await send('1', 1);
  receiver.onResubscribed?.();
  for (let amount = 2; amount < 5; amount++) await send('1', amount);
  expect(await client.take(2)).toEqual([missed, stockOf(2)]);
});
