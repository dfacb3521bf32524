import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { PatientRedis } from '../../gateway/redis/patientRedis.ts';
import type { RedisFailure } from '../../gateway/redis/redisFailure.ts';
import { StreamTopic } from '../../gateway/subscriptions/topics/streamTopic.ts';
import { TopicProblems } from '../../gateway/subscriptions/topics/topicProblems.ts';
import { turns } from '../harness/clock.ts';
import { HandTimers } from '../harness/handTimers.ts';
import { connectRedis, type OwnRedisServer, startOwnRedis } from '../harness/redis.ts';
import { Happenings, patience, redisConfig } from '../harness/storeUnderTest.ts';

// The first run on a machine may have to download the program.
const downloadTimeoutMs = 300_000;

let server: OwnRedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startOwnRedis();
  redis = connectRedis(server.url);
}, downloadTimeoutMs);
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Waits between attempts pass as the test lets them. */
function open() {
  const timers = new HandTimers();
  const failed = new Happenings();
  const failures: RedisFailure[] = [];
  const patient = new PatientRedis({
    config: redisConfig({ url: server.url, timeouts: patience }),
    onFailure: (failure) => {
      failures.push(failure);
      failed.happen();
    },
    timers,
  });
  return { patient, timers, failed, failures, [Symbol.dispose]: () => patient.close() };
}

/** Longer than any wait between two attempts. */
const longMs = 3_600_000;

describe('a request that Redis refuses', () => {
  test('is made again where that can change', async () => {
    const key = randomUUID();
    await redis.set(key, 'no stream');
    using opened = open();
    const reply = opened.patient.ask('xlen', [key]);
    await opened.failed.reached(1);
    await redis.del(key);
    // The wait begins in the turn in which the failure is told.
    await Promise.resolve();
    opened.timers.pass(longMs);
    expect(await reply).toBe(0);
    expect(opened.failures.map(({ isFinal }) => isFinal)).toEqual([false]);
  });

  test('is not made again where it can never be taken, and is told once', async () => {
    using opened = open();
    expect(await opened.patient.ask('xrange', [randomUUID(), '99999999999999999999-0', '+'])).toBeUndefined();
    expect(await opened.patient.ask('set', [randomUUID(), '1', 'NOPE'])).toBeUndefined();
    expect(opened.failures.map(({ kind, isFinal }) => [kind, isFinal])).toEqual([
      ['refused', true],
      ['refused', true],
    ]);
    expect(opened.timers.size).toBe(0);
  });

  test('is not made again when nobody waits for it any more', async () => {
    const key = randomUUID();
    await redis.set(key, 'no stream');
    using opened = open();
    const waiting = new AbortController();
    const reply = opened.patient.ask('xlen', [key], waiting.signal);
    await opened.failed.reached(1);
    await Promise.resolve();
    expect(opened.timers.size).toBe(1);
    waiting.abort();
    expect(await reply).toBeUndefined();
    expect([opened.timers.size, opened.failures.length]).toEqual([0, 1]);
    expect(await opened.patient.ask('xlen', [key], waiting.signal)).toBeUndefined();
    expect(opened.failures).toHaveLength(1);
  });
});

test('who waits for a connection need not wait for it', async () => {
  const gone = await startOwnRedis();
  await gone[Symbol.asyncDispose]();
  const patient = new PatientRedis({ config: redisConfig({ url: gone.url }), onFailure: () => {} });
  const waiting = new AbortController();
  const reply = patient.ask('ping', [], waiting.signal);
  waiting.abort();
  expect(await reply).toBeUndefined();
  patient.close();
});

test('a client that leaves while its past cannot be read has no more asked for, whoever stays', async () => {
  const stream = randomUUID();
  await redis.set(stream, 'no stream');
  const timers = new HandTimers();
  const topic = new StreamTopic({
    config: redisConfig({ url: server.url, timeouts: patience }),
    stream,
    maxEventBytes: 1000,
    problems: new TopicProblems({ log: pino({ level: 'silent' }), now: () => 0 }),
    timers,
  });
  const listener = { onEvent: () => {}, onPastEvent: async () => {}, onCaughtUp: () => {}, onGap: () => {} };
  topic.listen(undefined, listener);
  const { leave } = topic.listen('1-0', listener);
  // The one that all share, and the one for the client.
  while (timers.size < 2) await turns();
  leave();
  expect(timers.size).toBe(1);
  topic.close();
  expect(timers.size).toBe(0);
});
