import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import {
  changed,
  complete,
  holdNames,
  interrupted,
  lost,
  missed,
  names,
  ownNames,
  products,
  start,
  stock,
  waiting,
  whole,
} from './subscriptionFixture.ts';

const own = (amount: number) => ({ stockChanged: { id: '1', stock: amount, name: 'own' } });
const ownComplete = (amount: number) => ({ data: own(amount) });

/** A client whose subscription at the subgraph is being replaced, because the subgraph now also has the names. */
async function startReplaced(options: Parameters<typeof start>[0] = {}) {
  const started = start(options);
  const client = await started.subscribe(whole);
  await started.replan(ownNames);
  return { ...started, client };
}

describe('a new supergraph', () => {
  test('subscribes again when the text for the subgraph changes, and loses no event: the old subscription continues until the first event of the new one', async () => {
    const started = start();
    const { source } = started;
    const client = await started.subscribe(whole);
    source.at(0).send(changed('1', 1));
    await started.replan(ownNames);
    expect(source.at(1).request.query).toContain('name');
    expect(source.at(0).isCancelled).toBe(false);
    source.at(0).send(changed('1', 2));
    source.at(1).send(own(3));
    expect(source.at(0).isCancelled).toBe(true);
    source.at(1).send(own(4));
    // Events of the old subscription are completed with the old plan.
    const completed = [complete('1', 1), complete('1', 2), missed, ownComplete(3), ownComplete(4)];
    expect(await client.take(5)).toEqual(completed);
    await client.leave();
    expect(source.at(1).isCancelled).toBe(true);
  });

  test('reports no interruption of the new subscription as long as the old one continues', async () => {
    const { source, client } = await startReplaced();
    const { receiver } = source.at(1);
    receiver.onInterrupted(lost);
    receiver.onResubscribed?.();
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
  });

  test('continues with the new subscription when the old one ends first', async () => {
    const { source, client } = await startReplaced();
    source.at(0).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'not any more'));
    expect(await client.next()).toEqual(missed);
    source.at(1).send(own(1));
    expect(await client.next()).toEqual(ownComplete(1));
    source.at(1).receiver.onComplete();
    expect(await client.next()).toBe('done');
  });

  test('ends a subscription that the subgraph refuses when subscribing again', async () => {
    const { source, client } = await startReplaced();
    source.at(1).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'no name here'));
    await expect(client.next()).rejects.toThrow('no name here');
    expect(source.at(0).isCancelled).toBe(true);
  });

  test('keeps the old subscription while the subgraph is unavailable for the new one, and tries again', async () => {
    const reported: GatewayError[] = [];
    const { source, timers, client } = await startReplaced({
      onResubscribeFailed: (error) => reported.push(error),
    });
    source.at(1).receiver.onError(lost);
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    timers.advance(100);
    source.at(2).receiver.onError(lost);
    timers.advance(200);
    source.at(3).send(own(2));
    expect(await client.take(2)).toEqual([missed, ownComplete(2)]);
    expect(source.at(0).isCancelled).toBe(true);
    expect(reported).toEqual([lost, lost]);
  });

  test('continues with the next attempt at the new subscription when the old one has ended', async () => {
    const { source, timers, client } = await startReplaced();
    source.at(1).receiver.onError(lost);
    source.at(0).receiver.onComplete();
    expect(await client.next()).toEqual(missed);
    timers.advance(100);
    source.at(2).send(own(1));
    expect(await client.next()).toEqual(ownComplete(1));
    source.at(2).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
  });

  test('tries the new subscription again when the subgraph becomes unavailable after the old one has ended', async () => {
    const { source, timers, client } = await startReplaced();
    source.at(0).receiver.onComplete();
    expect(await client.next()).toEqual(missed);
    source.at(1).receiver.onError(lost);
    expect(await client.next()).toEqual(interrupted);
    timers.advance(100);
    source.at(2).receiver.onError(lost);
    timers.advance(200);
    source.at(3).send(own(1));
    // The interruption is reported once, and its end before the next event.
    expect(await client.take(2)).toEqual([missed, ownComplete(1)]);
    source.at(3).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
    expect(timers.pendingCount).toBe(0);
  });

  test('ends the subscription when all attempts have failed after the old one has ended', async () => {
    const { source, timers, client } = await startReplaced({
      retryLimits: { attempts: 2, connectTimeoutMs: 0, minDelay: 100, maxDelay: 100 },
      reportsInterruptions: false,
    });
    // Attempts while the old one continues do not count.
    for (const attempt of [1, 2, 3]) {
      source.at(attempt).receiver.onError(lost);
      timers.advance(100);
    }
    source.at(0).receiver.onError(lost);
    for (const attempt of [4, 5]) {
      source.at(attempt).receiver.onError(lost);
      timers.advance(100);
    }
    source.at(6).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
    expect(timers.pendingCount).toBe(0);
  });

  test('makes no attempt at a subscription that a later supergraph replaces, or whose clients have left', async () => {
    const { source, timers, replan, client } = await startReplaced();
    source.at(1).receiver.onError(lost);
    await replan({ stock, products });
    expect(timers.pendingCount).toBe(0);
    source.at(2).receiver.onError(lost);
    expect(timers.pendingCount).toBe(1);
    await client.leave();
    expect(timers.pendingCount).toBe(0);
    expect(source.subscriptions).toHaveLength(3);
  });

  test('leaves at most two upstream subscriptions, however many supergraphs arrive', async () => {
    const { source, replan, client } = await startReplaced({ reportsInterruptions: false });
    await replan({ stock, products });
    expect(source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([false, true, false]);
    source.at(2).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    expect(source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([true, true, false]);
  });

  test('pauses both upstream subscriptions when whenFull is "wait"', async () => {
    const { source, client } = await startReplaced({ ...waiting, reportsInterruptions: false });
    holdNames();
    for (let amount = 1; amount <= 4; amount++) source.at(0).send(changed('1', amount));
    names.gate = Promise.resolve();
    expect([source.at(0).isPaused, source.at(1).isPaused]).toEqual([true, true]);
    await client.leave();
    expect([source.at(0).isCancelled, source.at(1).isCancelled]).toEqual([true, true]);
  });

  test('subscribes again once for each subscription prepared before it, however many arrive at a time', async () => {
    const started = start({ reportsInterruptions: false });
    await started.replan(ownNames);
    // The test's pipeline still prepares operations for the previous supergraph.
    const selections = ['name', 'id name', 'id stock name'];
    const clients = await Promise.all(
      selections.map((selection) => started.subscribe(`subscription { stockChanged { ${selection} } }`)),
    );
    const { subscriptions } = started.source;
    while (subscriptions.length < 6) await waitForTurns();
    await waitForTurns(50);
    expect(subscriptions.map(({ isCancelled }) => isCancelled)).toEqual(Array(6).fill(false));
    await Promise.all(clients.map((client) => client.leave()));
  });
});
