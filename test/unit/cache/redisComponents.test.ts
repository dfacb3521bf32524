import { describe, expect, test } from '@jest/globals';
import { decodeEntry, encodeEntry } from '../../../gateway/cache/store/entryCodec.ts';

import { slotNames, slotOf } from '../../../gateway/redis/clusterSlots.ts';
import { ReadCircuitBreaker } from '../../../gateway/redis/readCircuitBreaker.ts';
import { RedisClient } from '../../../gateway/redis/redisClient.ts';
import { RedisFailure } from '../../../gateway/redis/redisFailure.ts';
import { describeAddress } from '../../../gateway/redis/redisOptions.ts';
import { backoffDelayMs } from '../../../gateway/time/backoffDelayMs.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { parseRedisConfig } from '../../harness/redisStoreFixture.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

describe('The hash tags of buckets', () => {
  test('have the slots of the Cluster specification', () => {
    expect(slotOf('123456789')).toBe(0x31c3);
    expect(slotOf('')).toBe(0);
  });

  test('are one in each of equal ranges of slots', () => {
    for (const count of [1, 3, 32, 1_024]) {
      const parts = slotNames(count).map((name) => Math.floor((slotOf(name) * count) / 16_384));
      expect(parts).toEqual(Array.from({ length: count }, (_, part) => part));
    }
  });
});

describe('An encoded entry', () => {
  const entry = {
    value: '{"name":"Tisch – 漢字"}',
    readVersion: 1_764_000_000_000_001,
    storedAt: 1.5,
    freshUntil: 2,
    staleWhileRevalidateUntil: 3,
    staleIfErrorUntil: 4,
    tags: ['type:Product', 'ключ'],
  };

  test('decodes to the same entry', () => {
    expect(decodeEntry('key', encodeEntry('key', entry))).toEqual(entry);
    const bare = { ...entry, value: '', tags: [] };
    expect(decodeEntry('', encodeEntry('', bare))).toEqual(bare);
  });

  test('is rejected if a byte was changed, if it is truncated, or under another key', () => {
    const bytes = encodeEntry('key', entry);
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(decodeEntry('key', changed)).toBeUndefined();
      expect(decodeEntry('key', bytes.subarray(0, index))).toBeUndefined();
    }
    expect(decodeEntry('kez', bytes)).toBeUndefined();
  });
});

describe('The circuit breaker for reads', () => {
  function open(probe: () => Promise<boolean>) {
    const timers = new FakeTimers();
    return { timers, breaker: new ReadCircuitBreaker({ timers, probeIntervalMs: 500, probe }) };
  }

  test('opens after three consecutive timeouts', () => {
    const { breaker } = open(() => Promise.resolve(true));
    breaker.recordFailure();
    breaker.recordFailure();
    breaker.recordSuccess();
    breaker.recordFailure();
    breaker.recordFailure();
    expect(breaker.isOpen).toBe(false);
    breaker.recordFailure();
    expect(breaker.isOpen).toBe(true);
  });

  test('closes when a probe is answered in time, and not by answers to earlier reads', async () => {
    const answers = [false, true];
    const { timers, breaker } = open(() => Promise.resolve(answers.shift() ?? false));
    for (let failure = 0; failure < 5; failure++) breaker.recordFailure();
    breaker.recordSuccess();
    expect(timers.pendingMs()).toEqual([500]);
    timers.fire(500);
    await waitForTurns();
    expect(breaker.isOpen).toBe(true);
    timers.fire(500);
    await waitForTurns();
    expect([breaker.isOpen, timers.pendingMs()]).toEqual([false, []]);
  });

  test('stays closed after a reset, even if a running probe fails', async () => {
    const answer = Promise.withResolvers<boolean>();
    const { timers, breaker } = open(() => answer.promise);
    for (let failure = 0; failure < 3; failure++) breaker.recordFailure();
    timers.fire(500);
    breaker.reset();
    answer.resolve(false);
    await waitForTurns();
    expect([breaker.isOpen, timers.pendingMs()]).toEqual([false, []]);
  });
});

test('the backoff delay grows exponentially with jitter', () => {
  const delays = { minDelay: 50, maxDelay: 2_000 };
  const at = (random: number) =>
    [1, 2, 3, 6, 7, 1_000].map((attempt) => backoffDelayMs(attempt, delays, () => random));
  expect(at(0)).toEqual([25, 50, 100, 800, 1_000, 1_000]);
  expect(at(1)).toEqual([50, 100, 200, 1_600, 2_000, 2_000]);
});

test('Redis failures are classified by their message', () => {
  const kinds = {
    'WRONGPASS invalid username-password pair or user is disabled.': 'authentication',
    'NOAUTH Authentication required.': 'authentication',
    "NOPERM User default has no permissions to run the 'evalsha' command": 'authentication',
    "ERR ACL failure in script: User default has no permissions to run the 'hset' command": 'authentication',
    "ERR The user executing the script can't run this command or subcommand": 'authentication',
    "OOM command not allowed when used memory > 'maxmemory'.": 'out of memory',
    "ERR Error running script: OOM command not allowed when used memory > 'maxmemory'.": 'out of memory',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.':
      'not persisting',
    "READONLY You can't write against a read only replica.": 'read only',
    'LOADING Redis is loading the dataset in memory': 'loading',
    'MOVED 3999 127.0.0.1:6381': 'cluster',
    'ASK 3999 127.0.0.1:6381': 'cluster',
    'CLUSTERDOWN The cluster is down': 'cluster',
    'Too many Cluster redirections. Last error: Error: MOVED 1 a:1': 'cluster',
    'WRONGTYPE Operation against a key holding the wrong kind of value': 'refused',
    "ERR unknown command 'evalsha'": 'refused',
    'connect ECONNREFUSED 127.0.0.1:6379': 'unreachable',
    "Socket timeout. Expecting data, but didn't receive any in 500ms.": 'unreachable',
    "Stream isn't writeable and enableOfflineQueue options is false": 'unreachable',
    'Connection is closed.': 'unreachable',
  };
  for (const [message, kind] of Object.entries(kinds)) {
    expect([message, new RedisFailure(new Error(message)).kind]).toEqual([message, kind]);
  }
  expect(new RedisFailure('no error').cause).toBeInstanceOf(Error);
});

test.each([
  ['NOPERM No permissions to access a key', 'get', ['a key'], 'authentication'],
  [
    'ERR ACL failure in script: No permissions to access a key',
    'evalsha',
    ['the sha', '1', 'a key', 'an argument'],
    'authentication',
  ],
  [
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'xread',
    ['COUNT', '1', 'STREAMS', 'a key', '0-0'],
    'refused',
  ],
])(
  'the message of a command that is refused because of its key has the key: %s',
  (text, name, args, kind) => {
    const failure = new RedisFailure(Object.assign(new Error(text), { command: { name, args } }));
    expect([failure.cause.message, failure.kind]).toEqual([`${text} (${name} a key)`, kind]);
  },
);

test.each([
  ['no address', new Error('connect ETIMEDOUT'), 'redis:6379: connect ETIMEDOUT', 'unreachable'],
  [
    'the address',
    new Error('connect ECONNREFUSED redis:6379'),
    'connect ECONNREFUSED redis:6379',
    'unreachable',
  ],
  ['a refusal', new Error('WRONGPASS invalid'), 'redis:6379: WRONGPASS invalid', 'authentication'],
  [
    'errors of several addresses',
    new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ECONNREFUSED 127.0.0.1')]),
    'redis:6379: connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1',
    'unreachable',
  ],
  [
    'the error of the last node of a Cluster',
    Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: new Error('NOAUTH') }),
    'redis:6379: Failed to refresh slots cache. Last error: NOAUTH',
    'authentication',
  ],
  [
    'a connection that ioredis only calls closed',
    new Error('Connection is closed.'),
    'redis:6379: the connection was refused, was closed, or timed out',
    'unreachable',
  ],
  ['only a code', Object.assign(new Error(''), { code: 'EPIPE' }), 'redis:6379: EPIPE', 'unreachable'],
])('a failed connection has the address of Redis and the cause, with %s', (_, error, message, kind) => {
  const failure = new RedisFailure(error, 'redis:6379');
  expect([failure.cause.message, failure.kind]).toEqual([message, kind]);
});

test('a Redis client creates no failure for each read while it is not connected', () => {
  const config = parseRedisConfig({ url: 'redis://127.0.0.1:1' });
  const client = new RedisClient({ config, onReady: () => {}, onFailure: () => {} });
  const { disconnection } = client;
  expect(disconnection?.cause.message).toBe('127.0.0.1:1: Redis is not connected.');
  expect(client.disconnection).toBe(disconnection);
  client.close();
});

test.each([
  [{ url: 'redis://user:secret@redis.test/3' }, 'redis.test:6379'],
  [{ url: 'rediss://:secret@[::1]:7000' }, '[::1]:7000 with TLS'],
  [{ cluster: { nodes: ['a:1', 'b:2'] }, tls: { enabled: true } }, 'a:1, b:2 with TLS'],
  [{ sentinel: { nodes: ['a:1'], name: 'cache', password: 'secret' } }, 'a:1'],
])('the address of Redis in messages has no secret, for %j', (redis, address) => {
  expect(describeAddress(parseRedisConfig(redis))).toBe(address);
});
