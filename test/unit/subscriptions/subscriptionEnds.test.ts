import { describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import {
  changed,
  complete,
  interrupted,
  lost,
  start,
  stockOf,
  stockOnly,
  whole,
} from './subscriptionFixture.ts';

describe('idle timeout', () => {
  test('ends a subscription without events for idleTimeout with SUBSCRIPTION_IDLE', async () => {
    const { source, timers, subscribe } = start({ idleTimeoutMs: 1000 });
    const first = await subscribe(stockOnly);
    timers.advance(600);
    const second = await subscribe(stockOnly);
    timers.advance(400);
    await expect(first.next()).rejects.toMatchObject({ code: 'SUBSCRIPTION_IDLE' });
    expect(source.at(0).isCancelled).toBe(false);
    timers.advance(600);
    await expect(second.next()).rejects.toThrow('1000 ms');
    expect([source.at(0).isCancelled, timers.pendingCount]).toEqual([true, 0]);
  });

  test('restarts with each event', async () => {
    const { source, timers, subscribe } = start({ idleTimeoutMs: 1000 });
    const client = await subscribe(stockOnly);
    for (let amount = 0; amount < 3; amount++) {
      timers.advance(999);
      source.at(0).send(changed('1', amount));
      expect(await client.next()).toEqual(stockOf(amount));
    }
    await client.leave();
    expect(timers.pendingCount).toBe(0);
  });

  test('is off when idleTimeout is 0', async () => {
    const { timers, subscribe } = start();
    await subscribe(stockOnly);
    expect(timers.pendingCount).toBe(0);
  });
});

describe('a subgraph that is unavailable for a new subscription', () => {
  const retryLimits = { attempts: 10, minDelay: 100, maxDelay: 100, connectTimeoutMs: 150 };

  test('gets it again, and the client gets the first event', async () => {
    const { source, timers, subscribe } = start({ retryLimits });
    const client = await subscribe(stockOnly);
    source.at(0).receiver.onError(lost);
    timers.advance(100);
    source.at(1).send(changed('1', 1));
    expect(await client.next()).toEqual(stockOf(1));
    source.at(1).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
    expect([source.subscriptions.length, timers.pendingCount]).toEqual([2, 0]);
  });

  test('ends it with an error after connectTimeout, with the last attempt at its end', async () => {
    const { source, timers, subscribe } = start({ retryLimits });
    const client = await subscribe(stockOnly);
    source.at(0).receiver.onError(lost);
    timers.advance(100);
    source.at(1).receiver.onError(lost);
    timers.advance(50);
    source.at(2).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
    expect([source.subscriptions.length, timers.pendingCount]).toEqual([3, 0]);
  });

  test('ends it at once if it refuses it, or if reconnect.attempts is 0', async () => {
    const refusing = start({ retryLimits });
    const refused = await refusing.subscribe(stockOnly);
    refusing.source.at(0).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'refused'));
    await expect(refused.next()).rejects.toThrow('refused');
    const { source, subscribe } = start({ retryLimits: { ...retryLimits, attempts: 0 } });
    const client = await subscribe(stockOnly);
    source.at(0).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
  });

  test('makes no attempt when the client has left', async () => {
    const { source, timers, subscribe } = start({ retryLimits });
    const client = await subscribe(stockOnly);
    source.at(0).receiver.onError(lost);
    await client.leave();
    expect([source.subscriptions.length, timers.pendingCount]).toEqual([1, 0]);
  });

  test('gets no attempts beyond those of its source after it had accepted it', async () => {
    const { source, subscribe } = start({ retryLimits });
    const client = await subscribe(stockOnly);
    source.at(0).receiver.onInterrupted(lost);
    expect(await client.next()).toEqual(interrupted);
    source.at(0).receiver.onError(lost);
    await expect(client.next()).rejects.toThrow('lost');
  });
});

test('a source that throws leaves no resources', async () => {
  const { source, subscribe, subscriptions } = start({}, { total: 1 });
  const broken = jest.spyOn(source, 'subscribe').mockImplementationOnce(() => {
    throw new Error('broken');
  });
  await expect(subscribe(whole)).rejects.toThrow('broken');
  broken.mockRestore();
  const client = await subscribe(whole);
  source.at(0).send(changed('1', 1));
  expect(await client.next()).toEqual(complete('1', 1));
  await subscriptions.close();
});

test('a subscription counts once more for 20,000 characters of its operation and variables', async () => {
  const { subscribe } = start({}, { perClient: 2 });
  const large = { w: 'n'.repeat(20_000) };
  const client = await subscribe(whole, large);
  await expect(subscribe(whole)).rejects.toMatchObject({ code: 'OVERLOADED' });
  await client.leave();
  await subscribe(whole);
  await expect(subscribe(whole, large)).rejects.toThrow('which counts as 2 of 2');
});

test('closing the manager ends all subscriptions', async () => {
  const { source, subscriptions, subscribe } = start();
  const client = await subscribe(whole);
  await subscriptions.close();
  await expect(client.next()).rejects.toThrow('shutting down');
  expect(source.isClosed).toBe(true);
  expect(source.at(0).isCancelled).toBe(true);
});
