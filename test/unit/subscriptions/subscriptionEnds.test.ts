import { describe, expect, jest, test } from '@jest/globals';
import { changed, complete, start, stockOf, stockOnly, whole } from './subscriptionFixture.ts';

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
