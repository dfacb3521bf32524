import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { RateLimiter } from '../../../gateway/admission/rateLimiter.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { ReadClient } from '../../../gateway/redis/readClient.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { connectRedis, startDedicatedRedis } from '../../harness/redis.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const minute = 60_000;

/** `clock.now` is the present, in milliseconds. */
function createLocal(cost: number, clock = { now: 0 }): RateLimiter {
  const onFallback = (error: Error): never => {
    throw error;
  };
  return new RateLimiter({ cost, windowMs: minute, now: () => clock.now, onFallback });
}

describe('a rate limiter without Redis', () => {
  test('refuses what a client has not left, and what is refused spends nothing', async () => {
    const clock = { now: 0 };
    const limiter = createLocal(10, clock);
    expect(await limiter.spend('a', 7)).toEqual({ isAllowed: true, remaining: 3, resetMs: minute });
    clock.now = 9_999.5;
    expect(await limiter.spend('a', 4)).toEqual({ isAllowed: false, remaining: 3, resetMs: 50_001 });
    expect(await limiter.spend('a', 3)).toEqual({ isAllowed: true, remaining: 0, resetMs: 50_001 });
    expect(await limiter.spend('a', 1)).toEqual({ isAllowed: false, remaining: 0, resetMs: 50_001 });
    expect(await limiter.spend('b', 10)).toEqual({ isAllowed: true, remaining: 0, resetMs: minute });
  });

  test('allows what fits beside a refused operation of the same batch', async () => {
    const limiter = createLocal(10);
    const results = await Promise.all([7, 4, 3].map((cost) => limiter.spend('a', cost)));
    expect(results.map(({ isAllowed, remaining }) => [isAllowed, remaining])).toEqual([
      [true, 3],
      [false, 3],
      [true, 0],
    ]);
  });

  test('gives a client the whole limit again when its window has ended', async () => {
    const clock = { now: 0 };
    const limiter = createLocal(2, clock);
    await limiter.spend('a', 2);
    clock.now = minute - 1;
    expect(await limiter.spend('a', 1)).toEqual({ isAllowed: false, remaining: 0, resetMs: 1 });
    clock.now = minute;
    expect(await limiter.spend('a', 1)).toEqual({ isAllowed: true, remaining: 1, resetMs: minute });
  });
});

test('a rate limiter has nothing left after its limit was lowered, and closes its connection to Redis', async () => {
  let isClosed = false;
  const redis = {
    runScript: async () => [0, 15, 1_000],
    close: () => {
      isClosed = true;
    },
  };
  const shared = { redis, keyPrefix: 'test:' };
  const limiter = new RateLimiter({
    cost: 10,
    windowMs: minute,
    shared,
    now: () => 0,
    onFallback: () => {},
  });
  expect(await limiter.spend('a', 1)).toEqual({ isAllowed: false, remaining: 0, resetMs: 1_000 });
  limiter.close();
  expect(isClosed).toBe(true);
});

describe('a rate limiter with Redis', () => {
  /** Two processes that share a count. Resolves when both are connected. Their timeouts pass only by `timers`. */
  async function createShared(url: string) {
    const config = parseConfig({
      supergraph: { file: 'supergraph.graphql' },
      redis: { url, timeouts: { read: '20ms', socket: '10m' } },
    }).redis;
    const timers = new FakeTimers();
    const fallbacks: string[] = [];
    const limiters = [0, 1].map(() => {
      const client = new ReadClient({ config, timers, onFailure: () => {} });
      return new RateLimiter({
        cost: 10,
        windowMs: minute,
        shared: { redis: client, keyPrefix: 'test:' },
        now: timers.now,
        onFallback: ({ message }) => fallbacks.push(message),
      });
    });
    for (const [index, limiter] of limiters.entries()) {
      do {
        await waitForTurns();
        fallbacks.length = 0;
        await limiter.spend(`connected ${index}`, 1);
      } while (fallbacks.length > 0);
    }
    return { limiters: limiters as [RateLimiter, RateLimiter], fallbacks, timers };
  }

  test('shares the count of all processes, and what is refused spends nothing', async () => {
    await using redis = await startDedicatedRedis();
    const { limiters, fallbacks } = await createShared(redis.url);
    const [first, second] = limiters;
    try {
      expect(await first.spend('a', 7)).toMatchObject({ isAllowed: true, remaining: 3 });
      expect(await second.spend('a', 4)).toMatchObject({ isAllowed: false, remaining: 3 });
      const last = await second.spend('a', 3);
      expect(last).toMatchObject({ isAllowed: true, remaining: 0 });
      expect(last.resetMs).toBeGreaterThan(0);
      expect(last.resetMs).toBeLessThanOrEqual(minute);
      expect(await first.spend('a', 1)).toMatchObject({ isAllowed: false, remaining: 0 });
      expect(fallbacks).toEqual([]);
    } finally {
      for (const limiter of limiters) limiter.close();
    }
  });

  test('begins a window anew for a client whose key in Redis does not expire', async () => {
    await using redis = await startDedicatedRedis();
    const { limiters, fallbacks } = await createShared(redis.url);
    const [first, second] = limiters;
    const direct = connectRedis(redis.url);
    try {
      await first.spend('a', 10);
      const key = `test:rate:${hash('sha256', 'a', 'base64url')}`;
      expect(await direct.exists(key)).toBe(1);
      await direct.persist(key);
      expect(await first.spend('a', 7)).toEqual({ isAllowed: true, remaining: 3, resetMs: minute });
      expect(await second.spend('a', 4)).toMatchObject({ isAllowed: false, remaining: 3 });
      expect(await direct.pttl(key)).toBeGreaterThan(0);
      expect(fallbacks).toEqual([]);
    } finally {
      direct.disconnect();
      for (const limiter of limiters) limiter.close();
    }
  });

  test('shares the count also when a busy process sends a command late', async () => {
    await using redis = await startDedicatedRedis();
    const { limiters, fallbacks, timers } = await createShared(redis.url);
    try {
      const spending = limiters[0].spend('a', 7);
      // The time is over before the command has left the process.
      timers.fire(20);
      await spending;
      expect(await limiters[1].spend('a', 4)).toMatchObject({ isAllowed: false, remaining: 3 });
      expect(fallbacks).toEqual([]);
    } finally {
      for (const limiter of limiters) limiter.close();
    }
  });

  test('counts in each process alone while Redis hangs, and stops asking it', async () => {
    await using redis = await startDedicatedRedis();
    const { limiters, fallbacks, timers } = await createShared(redis.url);
    const [first, second] = limiters;
    try {
      redis.pause();
      const spendAfterTimeout = async (limiter: RateLimiter) => {
        const spending = limiter.spend('a', 3);
        while (!timers.pendingMs().includes(20)) await waitForTurns();
        // The command is sent by then.
        await waitForTurns();
        timers.fire(20);
        return spending;
      };
      for (const remaining of [7, 4, 1]) {
        expect(await spendAfterTimeout(first)).toMatchObject({ isAllowed: true, remaining });
      }
      expect(await first.spend('a', 3)).toMatchObject({ isAllowed: false, remaining: 1 });
      expect(await spendAfterTimeout(second)).toMatchObject({ isAllowed: true, remaining: 7 });
      const timeoutMessage = 'Redis did not answer in time (redis.timeouts.read).';
      expect(fallbacks).toEqual([
        timeoutMessage,
        timeoutMessage,
        timeoutMessage,
        'Redis did not answer in time before.',
        timeoutMessage,
      ]);
      redis.resume();
    } finally {
      for (const limiter of limiters) limiter.close();
    }
  });
});
