import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { describe, expect, jest, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { CacheStore } from '../../gateway/cache/store/cacheStore.ts';
import { RedisStore } from '../../gateway/cache/store/redisStore.ts';
import { slotOf } from '../../gateway/redis/clusterSlots.ts';
import { connectRedis as connectGatewayRedis } from '../../gateway/redis/connectRedis.ts';
import { createQueueConnection } from '../../gateway/redis/queueConnection.ts';
import { RedisClient } from '../../gateway/redis/redisClient.ts';
import { RedisFailure } from '../../gateway/redis/redisFailure.ts';
import { connectionOptions } from '../../gateway/redis/redisOptions.ts';
import { createCertificate, type TestCertificate } from '../harness/createCertificate.ts';
import { freePort } from '../harness/freePort.ts';
import {
  connectRedis,
  downloadTimeoutMs,
  startDedicatedRedis,
  startRedisCluster,
  startSentinel,
} from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  EventCounter,
  longRedisTimeouts,
  openRedisStore,
  parseRedisConfig,
  shortSocketTimeout,
  waitForProblem,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

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

test.each([
  ['of one turn are one write', 'end of turn', [1, 0]],
  ['of one callback are one write, for jobs', 'end of callback', [0, 0]],
] as const)(
  'the commands %s, on a connection to a server and on one to a node of a Cluster',
  async (_, writeMoment, corked) => {
    await using server = await startDedicatedRedis();
    await using cluster = await startRedisCluster();
    for (const redis of [{ url: server.url }, { cluster: { nodes: [...cluster.nodes] } }]) {
      const config = parseRedisConfig({ ...redis, timeouts: longRedisTimeouts });
      const client = connectGatewayRedis(
        config,
        { ...connectionOptions(config), enableOfflineQueue: true },
        writeMoment,
      );
      client.on('error', () => {});
      await client.set('key', 'value');
      const nodes = 'nodes' in client ? client.nodes('master') : [client];
      const replies = [client.get('key'), client.get('key')];
      // A node of a Cluster is connected when a command needs it.
      const waiting = nodes.filter(({ stream }) => stream?.writableCorked === 1);
      expect(waiting).toHaveLength(1);
      const counts = [];
      for (const defer of [process.nextTick, setImmediate]) {
        await new Promise<void>((resolve) => defer(resolve));
        counts.push(waiting[0]?.stream.writableCorked);
      }
      expect(counts).toEqual(corked);
      expect(await Promise.all(replies)).toEqual(['value', 'value']);
      client.disconnect();
    }
  },
);

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

describe('a client that finds its server through Sentinels', () => {
  async function openClient(
    sentinels: readonly { readonly port: number }[],
    name: string,
    timeouts: typeof longRedisTimeouts | typeof shortSocketTimeout = longRedisTimeouts,
  ) {
    const nodes = sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const [readyEvents, failureEvents] = [new EventCounter(), new EventCounter()];
    const failures: string[] = [];
    const client = new RedisClient({
      config: parseRedisConfig({ sentinel: { nodes, name }, timeouts }),
      onReady: readyEvents.increment,
      onFailure: ({ cause }) => {
        failures.push(cause.message);
        failureEvents.increment();
      },
    });
    return { client, readyEvents, failureEvents, failures };
  }

  test('asks the same Sentinel again after each loss of the connection, and reports no failure', async () => {
    await using master = await startDedicatedRedis();
    await using sentinel = await startSentinel(master);
    const { client, readyEvents, failures } = await openClient([sentinel], 'cache');
    const operator = connectRedis(master.url);
    for (let connections = 1; connections <= 3; connections++) {
      await readyEvents.waitForCount(connections);
      await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    await readyEvents.waitForCount(4);
    operator.disconnect();
    client.close();
    expect(failures).toEqual([]);
  });

  test('uses a new master as soon as a Sentinel announces it, although the old one accepts writes', async () => {
    // No Sentinel can make the old master a replica and close its connections, as it otherwise does after 8 s.
    await using master = await startDedicatedRedis(['--rename-command', 'SLAVEOF', '']);
    await using promoted = await startDedicatedRedis(['--replicaof', `127.0.0.1 ${master.port}`]);
    await using sentinel = await startSentinel(master);
    const { client, readyEvents } = await openClient([sentinel], 'cache');
    await readyEvents.waitForCount(1);
    const watcher = connectRedis(sentinel.url);
    const clientsOf = async () => String(await watcher.client('LIST'));
    while (!(await clientsOf()).includes('cmd=subscribe'));
    const tryFailover = () => watcher.call('SENTINEL', 'FAILOVER', 'cache').catch(() => undefined);
    // The Sentinel needs some time to find the replica.
    while ((await tryFailover()) !== 'OK');
    await readyEvents.waitForCount(2);
    expect(await client.sendCommand('set', ['key', 'value'])).toEqual(Buffer.from('OK'));
    const servers = [master, promoted].map(({ url }) => connectRedis(url));
    expect(await Promise.all(servers.map((redis) => redis.get('key')))).toEqual([null, 'value']);
    client.close();
    for (const redis of [watcher, ...servers]) redis.disconnect();
  });

  test('prints nothing when the Sentinel is gone that announces new masters, and subscribes again', async () => {
    await using master = await startDedicatedRedis();
    await using sentinel = await startSentinel(master);
    const printed = jest.spyOn(console, 'error').mockImplementation(() => {});
    const { client, readyEvents } = await openClient([sentinel], 'cache');
    await readyEvents.waitForCount(1);
    for (let start = 1; start <= 2; start++) {
      const watcher = connectRedis(sentinel.url);
      while (!String(await watcher.client('LIST')).includes('cmd=subscribe'));
      watcher.disconnect();
      if (start === 1) await sentinel.kill();
      if (start === 1) await sentinel.restart();
    }
    client.close();
    expect(printed).not.toHaveBeenCalled();
    expect(readyEvents.count).toBe(1);
  });

  test('reports that the Sentinels do not know the name of the master', async () => {
    await using master = await startDedicatedRedis();
    await using sentinel = await startSentinel(master);
    const { client, failureEvents, failures } = await openClient([sentinel], 'other');
    await failureEvents.waitForCount(1);
    client.close();
    expect(failures[0]).toBe(
      `127.0.0.1:${sentinel.port}: no Sentinel knows a master of this name (redis.sentinel.name)`,
    );
  });

  test('reports that the Sentinels do not answer in time, with the option', async () => {
    await using master = await startDedicatedRedis();
    await using sentinel = await startSentinel(master);
    sentinel.pause();
    const { client, failureEvents, failures } = await openClient([sentinel], 'cache', shortSocketTimeout);
    await failureEvents.waitForCount(1);
    client.close();
    sentinel.resume();
    expect(failures[0]).toBe(
      `127.0.0.1:${sentinel.port}: All sentinels are unreachable. Last error: no answer in time (redis.timeouts.socket)`,
    );
  });
});

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
    expect(untrusted.getMany(['key 1'])).toStrictEqual([undefined]);
    await untrusted.close();
  } finally {
    for (const socket of sockets) socket.destroy();
    terminator.close();
  }
});

test('a Redis that demands client certificates gets the one of redis.tls, and otherwise the log has the option', async () => {
  const authority = createCertificate({ name: 'authority', isAuthority: true });
  const folder = createTemporaryDirectory();
  const write = (name: string, issuer: TestCertificate) => {
    const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    const { cert, key } = createCertificate({ name, issuer });
    writeFileSync(files.certificate, cert);
    writeFileSync(files.key, key);
    return files;
  };
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, authority.cert);
  const server = write('localhost', authority);
  const port = await freePort();
  await using _ = await startDedicatedRedis([
    ...['--tls-port', `${port}`, '--tls-cert-file', server.certificate, '--tls-key-file', server.key],
    ...['--tls-ca-cert-file', ca, '--tls-auth-clients', 'yes'],
  ]);
  const configWith = (tls: object) =>
    parseRedisConfig({ url: `rediss://127.0.0.1:${port}`, tls: { ca, ...tls }, timeouts: longRedisTimeouts });
  await using trusted = await openRedisStore(configWith(write('gateway', authority)), clock.now);
  expect(await roundTrip(trusted, '1')).toBe('1');
  const other = createCertificate({ name: 'other', isAuthority: true });
  for (const tls of [{}, write('foreign', other)]) {
    const parts = createRedisStoreFixture(configWith(tls), clock.now);
    const refused = new RedisStore(parts.options);
    await waitForProblem(parts, 'unreachable');
    expect(parts.logLines[0]).toMatchObject({ message: expect.stringContaining('redis.tls.certificate') });
    await refused.close();
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

test('a blocking command on a duplicate of a queue connection is rejected when that is closed after Redis has died', async () => {
  await using server = await startDedicatedRedis();
  const connection = createQueueConnection(parseRedisConfig({ url: server.url }));
  connection.client.on('error', () => {});
  const duplicate = (connection.client as Redis).duplicate();
  await once(duplicate, 'ready');
  const popped = duplicate.bzpopmin('key', 0);
  // The loss may come with an error, which would reject `once`.
  duplicate.on('error', () => {});
  const { promise: isLost, resolve } = Promise.withResolvers<void>();
  duplicate.once('reconnecting', () => resolve());
  await server.kill();
  await isLost;
  connection.close();
  duplicate.disconnect();
  await expect(popped).rejects.toThrow('Connection is closed.');
});

test('a queue connection sends what waits for a lost master of a Cluster to the one that has taken its slots', async () => {
  await using cluster = await startRedisCluster();
  const reconnect = { minDelay: '10ms', maxDelay: '50ms' };
  const config = parseRedisConfig({ cluster: { nodes: [...cluster.nodes] }, reconnect });
  const { client, close } = createQueueConnection(config);
  client.on('error', () => {});
  expect(await client.set('key', '1')).toBe('OK');
  const owner = Math.floor((slotOf('key') * 3) / 16_384);
  await cluster.servers[owner]?.kill();
  const waiting = client.set('key', '2');
  const others = cluster.servers.filter((_, index) => index !== owner).map(({ url }) => connectRedis(url));
  const id = await others[0]?.cluster('MYID');
  for (const other of others) {
    const takeOver = other.pipeline();
    for (let slot = Math.ceil((owner * 16_384) / 3); slot < ((owner + 1) * 16_384) / 3; slot++)
      takeOver.call('CLUSTER', 'SETSLOT', slot, 'NODE', id ?? '');
    await takeOver.exec();
  }
  expect(await waiting).toBe('OK');
  expect(await others[0]?.get('key')).toBe('2');
  close();
  for (const other of others) other.disconnect();
});

test('a queue connection sends no command while the configured database does not exist', async () => {
  await using server = await startDedicatedRedis();
  const connection = createQueueConnection(parseRedisConfig({ url: server.url, database: 16 }));
  const errors: string[] = [];
  const { promise: failedTwice, resolve } = Promise.withResolvers<readonly string[]>();
  connection.client.on('error', ({ message }) => {
    if (errors.push(message) === 2) resolve(errors);
  });
  const set = connection.client.set('key', 'value').catch(({ message }) => message);
  expect(await Promise.race([failedTwice, set])).toEqual([
    'ERR DB index is out of range',
    'ERR DB index is out of range',
  ]);
  connection.close();
});

/** Blocks the event loop without the use of a processor. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a connection whose replies have arrived while the event loop was blocked stays open', async () => {
  await using server = await startDedicatedRedis();
  const config = parseRedisConfig({ url: server.url, timeouts: { ...longRedisTimeouts, socket: '1s' } });
  const readyEvents = new EventCounter();
  const failures: string[] = [];
  const client = new RedisClient({
    config,
    onReady: readyEvents.increment,
    onClose: () => failures.push('closed'),
    onFailure: ({ cause }) => failures.push(cause.message),
  });
  await readyEvents.waitForCount(1);
  for (const isSentBefore of [true, false]) {
    // In the phase of immediates, the command is sent after the next timers.
    await new Promise((resolve) => setImmediate(resolve));
    const reply = client.sendCommand('ping', []);
    if (isSentBefore) await new Promise((resolve) => setImmediate(resolve));
    else server.pause();
    blockEventLoop(1_200);
    // Redis has the whole timeout for a command that was sent late.
    if (!isSentBefore) {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      server.resume();
    }
    expect(String(await reply)).toBe('PONG');
  }
  expect(failures).toEqual([]);
  client.close();
});

test('a client of a read-only replica reconnects with a growing delay', async () => {
  await using replica = await startDedicatedRedis();
  const operator = connectRedis(replica.url);
  await operator.call('REPLICAOF', '127.0.0.1', '1');
  const config = parseRedisConfig({
    url: replica.url,
    timeouts: longRedisTimeouts,
    reconnect: { minDelay: '50ms', maxDelay: '2s' },
  });
  const readyEvents = new EventCounter();
  const client = new RedisClient({ config, onReady: readyEvents.increment, onFailure: () => {} });
  const startedAt = performance.now();
  while (readyEvents.count < 7) {
    await client.sendCommand('set', ['key', 'value']);
    await sleep(5);
  }
  client.close();
  operator.disconnect();
  // After the first reconnection, the delays are 50, 100, 200, 400 and 800 ms, each of which can be half as long.
  expect(performance.now() - startedAt).toBeGreaterThan(750);
});

test('a command that blocks in a server which becomes a replica fails as read only, and the client connects again', async () => {
  await using server = await startDedicatedRedis();
  const operator = connectRedis(server.url);
  const readyEvents = new EventCounter();
  const client = new RedisClient({
    config: parseRedisConfig({ url: server.url, timeouts: { ...longRedisTimeouts, socket: '1m' } }),
    onReady: readyEvents.increment,
    onFailure: () => {},
  });
  await readyEvents.waitForCount(1);
  const reply = client.sendCommand('xread', ['BLOCK', 0, 'STREAMS', 'stream', '0-0']);
  while (!(await operator.info('clients')).includes('blocked_clients:1'));
  await operator.call('REPLICAOF', '127.0.0.1', '1');
  expect(await reply).toMatchObject({ kind: 'read only' });
  await readyEvents.waitForCount(2);
  client.close();
  operator.disconnect();
});

test('a command that is sent while its connection is being closed fails as one whose connection is lost', async () => {
  await using server = await startDedicatedRedis();
  const config = parseRedisConfig({ url: server.url, timeouts: longRedisTimeouts });
  const redis = connectGatewayRedis(config, connectionOptions(config)) as Redis;
  await once(redis, 'ready');
  redis.stream.end();
  const error = await redis.get('key').catch((reason: unknown) => reason);
  redis.disconnect();
  expect(new RedisFailure(error).cause.message).toBe('The connection was lost before Redis answered.');
});
