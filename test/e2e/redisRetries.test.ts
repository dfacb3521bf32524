import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createRedisScript } from '../../gateway/redis/redisClient.ts';
import type { RedisFailure } from '../../gateway/redis/redisFailure.ts';
import { RetryingRedisClient } from '../../gateway/redis/retryingRedisClient.ts';
import { StreamTopic } from '../../gateway/subscriptions/topics/streamTopic.ts';
import { TopicProblemLog } from '../../gateway/subscriptions/topics/topicProblemLog.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { startDedicatedRedis } from '../harness/redis.ts';
import { EventCounter, longRedisTimeouts, parseRedisConfig } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server, redis } = await startSuiteRedis();

const countEntries = createRedisScript("return redis.call('xlen', KEYS[1])");

/** The test fires the delays between attempts. */
function open() {
  const timers = new FakeTimers();
  const failed = new EventCounter();
  const failures: RedisFailure[] = [];
  const client = new RetryingRedisClient({
    config: parseRedisConfig({ url: server.url, timeouts: longRedisTimeouts }),
    onFailure: (failure) => {
      failures.push(failure);
      failed.increment();
    },
    timers,
  });
  return { client, timers, failed, failures, [Symbol.dispose]: () => client.close() };
}

/** Longer than any wait between two attempts. */
const longMs = 3_600_000;

describe('A command that Redis refuses', () => {
  test('is retried if the refusal can be temporary', async () => {
    const key = randomUUID();
    await redis.set(key, 'no stream');
    using opened = open();
    const reply = opened.client.sendCommand('xlen', [key]);
    await opened.failed.waitForCount(1);
    await redis.del(key);
    // The delay begins in the turn in which the failure is reported.
    await Promise.resolve();
    opened.timers.advance(longMs);
    expect(await reply).toBe(0);
    expect(opened.failures.map(({ isPermanent }) => isPermanent)).toEqual([false]);
  });

  test('is not retried if it is invalid, and is reported once', async () => {
    using opened = open();
    expect(
      await opened.client.sendCommand('xrange', [randomUUID(), '99999999999999999999-0', '+']),
    ).toBeUndefined();
    expect(await opened.client.sendCommand('set', [randomUUID(), '1', 'NOPE'])).toBeUndefined();
    expect(opened.failures.map(({ kind, isPermanent }) => [kind, isPermanent])).toEqual([
      ['refused', true],
      ['refused', true],
    ]);
    expect(opened.timers.pendingCount).toBe(0);
  });

  test('is not retried after its signal is aborted', async () => {
    const key = randomUUID();
    await redis.set(key, 'no stream');
    using opened = open();
    const waiting = new AbortController();
    const reply = opened.client.runScript(countEntries, [key], [], waiting.signal);
    await opened.failed.waitForCount(1);
    await Promise.resolve();
    expect(opened.timers.pendingCount).toBe(1);
    waiting.abort();
    expect(await reply).toBeUndefined();
    expect([opened.timers.pendingCount, opened.failures.length]).toEqual([0, 1]);
    expect(await opened.client.runScript(countEntries, [key], [], waiting.signal)).toBeUndefined();
    expect(opened.failures).toHaveLength(1);
  });
});

test('a wait for a connection ends when its signal is aborted', async () => {
  const gone = await startDedicatedRedis();
  await gone[Symbol.asyncDispose]();
  const client = new RetryingRedisClient({
    config: parseRedisConfig({ url: gone.url }),
    onFailure: () => {},
    timers: new FakeTimers(),
  });
  const waiting = new AbortController();
  const reply = client.runScript(countEntries, ['any'], [], waiting.signal);
  waiting.abort();
  expect(await reply).toBeUndefined();
  client.close();
});

test('a client that leaves while the stream cannot be read stops its reads, and those of other clients continue', async () => {
  const stream = randomUUID();
  await redis.set(stream, 'no stream');
  const timers = new FakeTimers();
  const topic = new StreamTopic({
    config: parseRedisConfig({ url: server.url, timeouts: longRedisTimeouts }),
    stream,
    maxEventBytes: 1000,
    problems: new TopicProblemLog({ log: pino({ level: 'silent' }), now: () => 0 }),
    timers,
  });
  const listener = {
    onEvent: () => {},
    onReplayedEvent: async () => {},
    onCaughtUp: () => {},
    onGap: () => {},
  };
  topic.subscribe(undefined, listener);
  const { unsubscribe } = topic.subscribe('1-0', listener);
  // The shared connection, and the one for the client.
  while (timers.pendingCount < 2) await waitForTurns();
  unsubscribe();
  expect(timers.pendingCount).toBe(1);
  topic.close();
  expect(timers.pendingCount).toBe(0);
});
