import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '../../../gateway/config/loadConfig.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import { printConfig } from '../../../gateway/config/printConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';
import { connectionOptions, isRedisConfigured, serverOptions } from '../../../gateway/redis/redisOptions.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const supergraph = { file: 'supergraph.graphql' };

function redisOf(redis: GatewayOptions['redis']) {
  return parseConfig({ supergraph, redis }).redis;
}

test('Redis is disabled by default', () => {
  expect(isRedisConfigured(redisOf({}))).toBe(false);
  expect(isRedisConfigured(redisOf({ url: '' }))).toBe(false);
  expect(isRedisConfigured(redisOf({ url: 'redis://localhost' }))).toBe(true);
  expect(isRedisConfigured(redisOf({ cluster: { nodes: ['a:1'] } }))).toBe(true);
  expect(isRedisConfigured(redisOf({ sentinel: { nodes: ['a:1'] } }))).toBe(true);
  expect(parseConfig({ supergraph }).cache.memory).toEqual({ maxSize: 64 * 1024 ** 2 });
});

test('redis.url may contain user, password and database', () => {
  expect(serverOptions(redisOf({ url: 'redis://me:p%40ss@redis.internal:6380/3' }))).toEqual({
    host: 'redis.internal',
    port: 6380,
    username: 'me',
    password: 'p@ss',
    db: 3,
  });
  expect(serverOptions(redisOf({ url: 'redis://[::1]' }))).toEqual({ host: '::1', port: 6379 });
});

test.each([
  ['a password with # that reads as a port', 'redis://me:12#3@redis.internal'],
  ['a password with % that is not an escape sequence', 'redis://me:100%@redis.internal'],
  ['options after ?, which have no effect', 'redis://redis.internal:6379?db=3'],
])('redis.url is refused, and not quoted, with %s', (_, url) => {
  expect(findConfigProblems({ supergraph, redis: { url } })).toEqual([
    { path: 'redis.url', message: 'is invalid', expected: expect.stringContaining('without ? and #') },
  ]);
});

test('redis.sentinel configures a master by its Sentinels', () => {
  const sentinel = { nodes: ['a:1', '[::1]:2'], name: 'cache', password: 'secret' };
  expect(serverOptions(redisOf({ sentinel }))).toMatchObject({
    sentinels: [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ],
    name: 'cache',
    sentinelPassword: 'secret',
  });
});

test('Redis connections fail fast and do not retry commands', () => {
  expect(connectionOptions(redisOf({ url: 'redis://localhost' }))).toMatchObject({
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    socketTimeout: 500,
  });
});

test('TLS to Redis is enabled by rediss:// or redis.tls.enabled, with certificates from files', () => {
  const folder = createTemporaryDirectory();
  writeFileSync(join(folder, 'ca.pem'), 'CA');
  writeFileSync(
    join(folder, 'gateway.yaml'),
    'supergraph: { file: a }\nredis: { url: rediss://localhost, tls: { ca: ca.pem, serverName: redis } }\n',
  );
  const { redis } = loadConfig({ file: join(folder, 'gateway.yaml'), env: {} });
  expect(connectionOptions(redis).tls).toEqual({ ca: Buffer.from('CA'), servername: 'redis' });
  expect(connectionOptions(redisOf({ url: 'rediss://localhost' })).tls).toEqual({});
  expect(connectionOptions(redisOf({ url: 'redis://localhost' })).tls).toBeUndefined();
  expect(connectionOptions(redisOf({ url: 'redis://localhost', tls: { enabled: true } })).tls).toEqual({});
  expect(() => connectionOptions(redisOf({ tls: { enabled: true, key: '/none.pem' } }))).toThrow(
    'redis.tls.key /none.pem does not exist',
  );
});

test('later connections to Redis use the files of TLS as they were at the start, although they are missing or others now', () => {
  const directory = createTemporaryDirectory();
  const file = join(directory, 'ca.pem');
  writeFileSync(file, 'CA');
  const redis = redisOf({ url: 'rediss://localhost', tls: { ca: file } });
  const { tls } = connectionOptions(redis);
  expect(tls).toEqual({ ca: Buffer.from('CA') });
  writeFileSync(file, 'other');
  expect(connectionOptions(redis).tls).toEqual(tls);
  rmSync(file);
  expect(connectionOptions(redis).tls).toEqual(tls);
});

test.each(['ca', 'certificate', 'key', 'serverName'])(
  'redis.tls.%s without TLS is refused, because the connection would be in plain text',
  (key) => {
    const problem = {
      path: 'redis.tls.enabled',
      message: `is false, but redis.tls.${key} is set`,
      expected: 'true, or a rediss:// address, or none of the other options of `tls`',
    };
    const tls = { certificate: 'c.pem', key: 'k.pem', ca: '', serverName: '' };
    const withOne = { ...Object.fromEntries(Object.keys(tls).map((name) => [name, ''])), [key]: 'a' };
    const problemsOf = (redis: object) => findConfigProblems({ supergraph, redis });
    expect(problemsOf({ url: 'redis://a', tls: withOne })).toEqual([problem]);
    expect(problemsOf({ cluster: { nodes: ['a:1'] }, tls: withOne })).toEqual([problem]);
    expect(problemsOf({ url: 'rediss://a', tls: { ...tls, [key]: 'a' } })).toEqual([]);
    expect(problemsOf({ cluster: { nodes: ['a:1'] }, tls: { ...tls, [key]: 'a', enabled: 'true' } })).toEqual(
      [],
    );
    // No Redis is configured where REDIS_URL is not set.
    expect(problemsOf({ url: '', tls: withOne })).toEqual([]);
  },
);

test('a certificate for Redis needs its key, and the reverse', () => {
  const problemsOf = (tls: object) => findConfigProblems({ supergraph, redis: { url: 'rediss://a', tls } });
  const expected = 'both the certificate and its key, or neither';
  expect(problemsOf({ certificate: 'c.pem' })).toEqual([
    { path: 'redis.tls.key', message: 'is missing, and `certificate` is set', expected },
  ]);
  expect(problemsOf({ certificate: '', key: 'k.pem' })).toEqual([
    { path: 'redis.tls.certificate', message: 'is missing, and `key` is set', expected },
  ]);
});

test('every problem in the section redis is reported with its path and the expected value', () => {
  expect(
    findConfigProblems({
      supergraph,
      redis: {
        url: 'http://localhost',
        cluster: { nodes: ['redis-1'], buckets: 0 },
        sentinel: { name: ' ' },
        keyPrefix: '{a}',
        timeouts: { read: 0 },
        database: -1,
      },
      cache: { memory: { maxSize: 'much' } },
    }).map(({ path, expected }) => `${path}: ${expected}`),
  ).toEqual([
    'cache.memory.maxSize: a size such as 64KB, 1MB or 2GB, at least 1B',
    'redis.url: a redis:// or rediss:// address such as redis://localhost:6379/0, without ? and #, with special characters of a password as %2F, or nothing',
    'redis.cluster.nodes[0]: a host and a port, such as redis-1.internal:6379',
    'redis.cluster.buckets: a whole number from 1 to 1024',
    "redis.sentinel.name: the master's name",
    'redis.database: a whole number of at least 0',
    'redis.keyPrefix: text without { and }, which determine the slot of a key in a Cluster',
    'redis.timeouts.read: a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h',
    'redis: only one of them; remove the others',
  ]);
  expect(
    findConfigProblems({
      supergraph,
      redis: { cluster: { nodes: ['a:1'] }, database: 2, reconnect: { minDelay: '5s' } },
    }),
  ).toEqual([
    { path: 'redis.database', message: 'is 2', expected: '0 with `cluster`' },
    {
      path: 'redis.reconnect.minDelay',
      message: 'conflicts: minDelay is 5s, maxDelay is 2s',
      expected: 'a value of minDelay that is no larger than maxDelay',
    },
  ]);
});

test('a printed configuration masks Redis passwords, but not empty ones', () => {
  const url = 'redis://me:secret@localhost:6379/1';
  const printed = parse(
    printConfig(parseConfig({ supergraph, redis: { url, sentinel: { password: 's' } } })),
  );
  expect(printed.redis).toMatchObject({
    url: 'redis://***:***@localhost:6379/1',
    password: '',
    sentinel: { password: '***' },
  });
  expect(parse(printConfig(parseConfig({ supergraph }))).redis.url).toBe('');
});
