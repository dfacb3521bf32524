import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import type { SourceReceiver } from '../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { changed, complete, holdNames, inParts, names, start, whole } from './subscriptionFixture.ts';

describe('equal subscriptions', () => {
  test('have equal connection parameters for the subgraph', async () => {
    const params = [{ tenant: 'a' }, { tenant: 'a' }, { tenant: 'b' }];
    let given = 0;
    const { source, subscribe } = start({ connectionParamsFor: () => params[given] ?? {} });
    for (given = 0; given < params.length; given++) await subscribe(whole);
    expect(source.subscriptions.map(({ request }) => request.connectionParams)).toEqual([
      { tenant: 'a' },
      { tenant: 'b' },
    ]);
  });

  test('share one subscription at the subgraph and its payloads', async () => {
    const { source, subscribe, calls } = start();
    const clients = await Promise.all([subscribe(whole), subscribe(whole), subscribe(whole, { w: 'north' })]);
    expect(source.subscriptions).toHaveLength(2);
    source.at(0).send(changed('1', 5));
    expect([await clients[0].next(), await clients[1].next()]).toEqual([complete('1', 5), complete('1', 5)]);
    expect(calls).toHaveLength(1);
  });

  test('end at the subgraph at once when the last client leaves', async () => {
    const { source, subscribe } = start();
    const [one, other] = await Promise.all([subscribe(whole), subscribe(whole)]);
    await one.leave();
    expect(source.at(0).isCancelled).toBe(false);
    await other.leave();
    expect(source.at(0).isCancelled).toBe(true);
    expect(await other.next()).toBe('done');
    await subscribe(whole);
    expect(source.subscriptions).toHaveLength(2);
  });
});

test.each([
  ['completed', (receiver: SourceReceiver) => receiver.onComplete(), 'done'],
  [
    'ended with an error',
    (receiver: SourceReceiver) => receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'enough')),
    'enough',
  ],
])(
  'a client does not join a subscription that the subgraph has %s, although its last event is being completed',
  async (_, end, expected) => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const release = holdNames();
    source.at(0).send(changed('1', 1));
    end(source.at(0).receiver);
    const next = await subscribe(whole);
    names.gate = Promise.resolve();
    release();
    expect(await client.next()).toEqual(complete('1', 1));
    expect(await client.next().catch((error: Error) => error.message)).toBe(expected);
    source.at(1).send(changed('2', 2));
    expect(await next.next()).toEqual(complete('2', 2));
    // New clients join the later one.
    await subscribe(whole);
    expect(source.subscriptions).toHaveLength(2);
  },
);

test('a client that joins while an event is being sent gets only the next event', async () => {
  const { source, subscribe } = start();
  const first = await subscribe(inParts, {}, 'deferSpec=20220824');
  const release = holdNames();
  source.at(0).send(changed('1', 1));
  expect(await first.next()).toMatchObject({ hasNext: true });
  const second = await subscribe(inParts, {}, 'deferSpec=20220824');
  release();
  expect(await first.next()).toMatchObject({ hasNext: false });
  source.at(0).send(changed('2', 2));
  expect(await second.next()).toMatchObject({ data: { stockChanged: { stock: 2 } }, hasNext: true });
});
