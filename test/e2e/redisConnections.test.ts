import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { CacheStore } from '../../gateway/cache/store/cacheStore.ts';
import { RedisStore } from '../../gateway/cache/store/redisStore.ts';
import { createQueueConnection } from '../../gateway/redis/queueConnection.ts';
import { connectRedis, startDedicatedRedis, startSentinel } from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  longRedisTimeouts,
  openRedisStore,
  parseRedisConfig,
  waitForProblem,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';

// The first run on a machine may download redis-server.
const downloadTimeoutMs = 300_000;

const clock = new TestClock();

async function roundTrip(
  { store, waitForWrites }: { store: CacheStore; waitForWrites(): Promise<void> },
  value: string,
) {
  const key = `key ${value}`;
  store.setMany([createCacheWrite(clock, { key, value })], store.beginRead());
  await waitForWrites();
  const [found] = await store.getMany([key]);
  return found?.value;
}

test(
  'after a failover, the store connects to the new master of the Sentinels',
  async () => {
    await using master = await startDedicatedRedis();
    await using promoted = await startDedicatedRedis();
    await using sentinel = await startSentinel(master);
    const nodes = [`127.0.0.1:${sentinel.port}`];
    await using opened = await openRedisStore(
      parseRedisConfig({ sentinel: { nodes, name: 'cache' }, timeouts: longRedisTimeouts }),
      clock.now,
    );
    expect(await roundTrip(opened, '1')).toBe('1');
    const [isReady, isHeard] = [opened.readyEvents.waitForNext(), opened.heardInvalidations.waitForNext()];
    // Simulates the end of a failover, without the time that Sentinels need to agree on it.
    const operator = connectRedis(sentinel.url);
    await operator.call('SENTINEL', 'REMOVE', 'cache');
    await operator.call('SENTINEL', 'MONITOR', 'cache', '127.0.0.1', promoted.port, 1);
    operator.disconnect();
    await master.kill();
    await Promise.all([isReady, isHeard]);
    expect(await roundTrip(opened, '2')).toBe('2');
    const redis = connectRedis(promoted.url);
    expect(await redis.dbsize()).toBeGreaterThan(0);
    redis.disconnect();
  },
  downloadTimeoutMs,
);

test('the store uses TLS if configured, with a server whose certificate is valid', async () => {
  await using server = await startDedicatedRedis();
  const folder = join(import.meta.dirname, '../fixtures/tls');
  const sockets = new Set<Socket>();
  const [key, cert] = ['key.pem', 'certificate.pem'].map((file) => readFileSync(join(folder, file)));
  const terminator = createServer({ key, cert }, (socket) => {
    const inner = connect(server.port, '127.0.0.1');
    for (const side of [socket, inner]) {
      sockets.add(side);
      side.on('error', () => {});
    }
    socket.pipe(inner).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(terminator, 'listening');
  const address = terminator.address();
  const url = `rediss://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  try {
    const tls = { ca: join(folder, 'certificate.pem'), serverName: 'redis.test' };
    await using trusted = await openRedisStore(
      parseRedisConfig({ url, tls, timeouts: longRedisTimeouts }),
      clock.now,
    );
    expect(await roundTrip(trusted, '1')).toBe('1');
    const parts = createRedisStoreFixture(
      parseRedisConfig({ url, tls: { serverName: 'redis.test' } }),
      clock.now,
    );
    const untrusted = new RedisStore(parts.options);
    await waitForProblem(parts, 'unreachable');
    expect(parts.logLines[0]).toMatchObject({ message: expect.stringContaining('self-signed certificate') });
    expect(untrusted.getMany(['key 1'])).toEqual([undefined]);
    await untrusted.close();
  } finally {
    for (const socket of sockets) socket.destroy();
    terminator.close();
  }
});

test('after a queue connection was closed, no duplicate of its client connects again', async () => {
  await using server = await startDedicatedRedis();
  const connection = createQueueConnection(parseRedisConfig({ url: server.url }));
  const duplicate = (connection.client as Redis).duplicate();
  await Promise.all([connection.client, duplicate].map((client) => once(client, 'ready')));
  const ended = once(duplicate, 'end');
  duplicate.disconnect();
  await ended;
  // Before it is closed, BullMQ connects its duplicate again after a pause.
  await duplicate.connect();
  expect(duplicate.status).toBe('ready');
  const endedAgain = once(duplicate, 'end');
  duplicate.disconnect();
  await endedAgain;
  connection.close();
  await expect(duplicate.connect()).rejects.toThrow('Connection is closed.');
  expect(duplicate.status).toBe('end');
});
