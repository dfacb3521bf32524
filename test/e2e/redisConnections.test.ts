import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import type { CacheStore } from '../../gateway/cache/store/cacheStore.ts';
import { RedisStore } from '../../gateway/cache/store/redisStore.ts';
import type { GatewayDependencies, GatewayOptions } from '../../gateway/gateway.ts';
import { connectRedis as connectGatewayRedis } from '../../gateway/redis/connectRedis.ts';
import { createQueueConnection } from '../../gateway/redis/queueConnection.ts';
import { RedisClient } from '../../gateway/redis/redisClient.ts';
import { connectionOptions } from '../../gateway/redis/redisOptions.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
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
    const until = performance.now() + 1_200;
    while (performance.now() < until);
    // Redis has the whole timeout for a command that was sent late.
    if (!isSentBefore) setTimeout(() => server.resume(), 300);
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

describe('a gateway that cannot use Redis', () => {
  interface Line {
    readonly level: number;
    readonly msg: string;
    readonly message?: string;
  }

  async function startGateway(redis: GatewayOptions['redis'], dependencies: GatewayDependencies = {}) {
    const lines: Line[] = [];
    const gateway = await startInlineGateway({
      subgraphs: [{ name: 'accounts', sdl: 'type Query { me: String }' }],
      config: { redis },
      dependencies: {
        logger: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
        ...dependencies,
      },
    });
    const ready = async (): Promise<{ status: number; notes?: unknown }> => {
      const response = await fetch(new URL('/health/ready', gateway.adminUrl));
      return { status: response.status, notes: (await response.json()).notes };
    };
    const waitForNotes = async (hasNotes: boolean) => {
      let health = await ready();
      while ((health.notes !== undefined) !== hasNotes) health = await ready();
      return health;
    };
    const linesOf = (start: string) => lines.filter(({ msg }) => msg.startsWith(start));
    const unavailableMetric = async () => {
      const text = await (await fetch(new URL('/metrics', gateway.adminUrl))).text();
      return /^tributary_redis_unavailable .*$/m.exec(text)?.[0];
    };
    return {
      gateway,
      waitForNotes,
      linesOf,
      unavailableMetric,
      [Symbol.asyncDispose]: () => gateway.close(),
    };
  }

  test('is ready with a note and has a metric while Redis refuses its password, and without a note as soon as it does not', async () => {
    await using server = await startDedicatedRedis(['--requirepass', 'other']);
    const url = `redis://:canary@127.0.0.1:${server.port}`;
    await using opened = await startGateway({ url, timeouts: longRedisTimeouts });
    const cause = `127.0.0.1:${server.port}: WRONGPASS invalid username-password pair or user is disabled.`;
    expect(await opened.waitForNotes(true)).toEqual({
      status: 200,
      notes: [
        {
          code: 'REDIS_UNAVAILABLE',
          message: `Redis cannot be used, and nothing is shared with other processes: ${cause}`,
        },
      ],
    });
    expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 1');
    const operator = connectRedis(server.url.replace('redis://', 'redis://:other@'));
    await operator.call('CONFIG', 'SET', 'requirepass', 'canary');
    operator.disconnect();
    await opened.waitForNotes(false);
    expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 0');
    expect(opened.linesOf('Redis can')).toMatchObject([
      {
        level: 40,
        problem: 'authentication',
        message: cause,
        msg: expect.stringContaining('cannot be used'),
      },
      { level: 30, msg: 'Redis can be used again' },
    ]);
    for (const { message } of opened.linesOf('The cache store has a problem')) expect(message).toBe(cause);
  });

  test.each([
    ['with a password', ['--requirepass', 'canary'], ':canary@'],
    ['without one', [], ''],
  ])('has a note as soon as another password is set, for a gateway %s', async (_, options, credentials) => {
    await using server = await startDedicatedRedis(options);
    const url = `redis://${credentials}127.0.0.1:${server.port}`;
    await using opened = await startGateway({ url, timeouts: longRedisTimeouts });
    await opened.waitForNotes(false);
    const operator = connectRedis(url);
    await operator.call('CONFIG', 'SET', 'requirepass', 'other');
    const cause = `127.0.0.1:${server.port}: WRONGPASS invalid username-password pair or user is disabled.`;
    const effect = 'each part of the gateway uses Redis only until its connection ends';
    expect(await opened.waitForNotes(true)).toEqual({
      status: 200,
      notes: [
        { code: 'REDIS_UNAVAILABLE', message: `Redis refuses new connections, and ${effect}: ${cause}` },
      ],
    });
    await operator.call('ACL', 'SETUSER', 'default', '>canary', options.length > 0 ? 'on' : 'nopass');
    await opened.waitForNotes(false);
    operator.disconnect();
  });

  test('has a note with the address when it expects TLS at a port without it', async () => {
    await using server = await startDedicatedRedis();
    await using opened = await startGateway({
      url: `rediss://127.0.0.1:${server.port}`,
      timeouts: { connect: '200ms' },
    });
    expect(await opened.waitForNotes(true)).toMatchObject({
      status: 200,
      notes: [{ message: expect.stringContaining(`127.0.0.1:${server.port} with TLS: connect ETIMEDOUT`) }],
    });
  });

  test('has a note when the server closes each connection', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => {}).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using opened = await startGateway({ url: `redis://127.0.0.1:${port}` });
    expect(await opened.waitForNotes(true)).toMatchObject({
      notes: [{ message: expect.stringContaining(`127.0.0.1:${port}: the server closed the connection`) }],
    });
    server.close();
  });

  test.each([
    ['a Cluster', { cluster: { nodes: ['127.0.0.1:1', '127.0.0.1:2'] } }],
    ['Sentinels', { sentinel: { nodes: ['127.0.0.1:1', '127.0.0.1:2'], name: 'cache' } }],
  ])('has a note with the addresses and a cause when no node of %s listens', async (_, redis) => {
    await using opened = await startGateway(redis);
    const cause =
      /127\.0\.0\.1:1, 127\.0\.0\.1:2: (.+ Last error: )?the connection was refused, was closed, or timed out$/;
    expect(await opened.waitForNotes(true)).toMatchObject({
      status: 200,
      notes: [{ code: 'REDIS_UNAVAILABLE', message: expect.stringMatching(cause) }],
    });
    const messages = opened.linesOf('Redis cannot be used').map(({ message }) => message);
    expect(messages).toEqual([expect.stringMatching(cause)]);
    expect(messages[0]).not.toContain('Retrying');
  });

  test.each([
    [
      'is a read-only replica',
      ['REPLICAOF', '127.0.0.1', '1'],
      ['REPLICAOF', 'NO', 'ONE'],
      'READONLY',
      'read_only',
    ],
    [
      'permits no writes',
      ['ACL', 'SETUSER', 'gateway', '-@write'],
      ['ACL', 'SETUSER', 'gateway', '+@write'],
      'NOPERM',
      'authentication',
    ],
    [
      'permits no scripts',
      ['ACL', 'SETUSER', 'gateway', '-@scripting'],
      ['ACL', 'SETUSER', 'gateway', '+@scripting'],
      "NOPERM User gateway has no permissions to run the 'evalsha' command",
      'authentication',
    ],
    [
      'is full',
      ['CONFIG', 'SET', 'maxmemory', '1'],
      ['CONFIG', 'SET', 'maxmemory', '0'],
      'OOM',
      'out_of_memory',
    ],
  ])('has a note while Redis answers but %s', async (_, refuse, allow, error, problem) => {
    await using server = await startDedicatedRedis();
    const operator = connectRedis(server.url);
    await operator.call('ACL', 'SETUSER', 'gateway', 'on', '>password', '~tributary:*', '&*', '+@all');
    const call = ([command = '', ...args]: readonly string[]) => operator.call(command, ...args);
    await call(refuse);
    const url = `redis://gateway:password@127.0.0.1:${server.port}`;
    await using opened = await startGateway({ url, timeouts: longRedisTimeouts });
    const start = problem === 'out_of_memory' ? 'Redis stores nothing' : 'Redis cannot be used';
    const cause = `127.0.0.1:${server.port}: ${error}`;
    expect(await opened.waitForNotes(true)).toMatchObject({
      status: 200,
      notes: [
        { code: 'REDIS_UNAVAILABLE', message: expect.stringMatching(new RegExp(`^${start}.*: ${cause}`)) },
      ],
    });
    await call(allow);
    await opened.waitForNotes(false);
    operator.disconnect();
    expect([...opened.linesOf('Redis stores'), ...opened.linesOf('Redis can')]).toMatchObject([
      { level: 40, problem, message: expect.stringContaining(cause), msg: expect.stringContaining(start) },
      { level: 30, msg: 'Redis can be used again' },
    ]);
  });

  test('has a note while Redis cannot save its data', async () => {
    await using server = await startDedicatedRedis();
    await server.setDiskFull(true);
    await using opened = await startGateway({ url: server.url, timeouts: longRedisTimeouts });
    const message = `127.0.0.1:${server.port}: MISCONF `;
    expect(await opened.waitForNotes(true)).toMatchObject({
      status: 200,
      notes: [
        {
          code: 'REDIS_UNAVAILABLE',
          message: expect.stringContaining(
            `Redis stores nothing, and nothing new is shared with other processes: ${message}`,
          ),
        },
      ],
    });
    await server.setDiskFull(false);
    await opened.waitForNotes(false);
    expect([...opened.linesOf('Redis stores'), ...opened.linesOf('Redis can')]).toMatchObject([
      { level: 40, problem: 'not_persisting', message: expect.stringContaining(message) },
      { level: 30, msg: 'Redis can be used again' },
    ]);
  });

  test('has a note, a metric and a log line while Redis answers each command too late', async () => {
    await using server = await startDedicatedRedis();
    await using proxy = await startPausableProxy(server.port);
    // The interval of the writes that measure it.
    const timers: Timers = {
      now: systemTimers.now,
      after: (ms, run) => systemTimers.after(ms === 1_000 ? 1 : ms, run),
    };
    const address = `127.0.0.1:${proxy.port}`;
    const redis = { url: `redis://${address}`, timeouts: longRedisTimeouts };
    await using opened = await startGateway(redis, { timers });
    await opened.waitForNotes(false);
    await proxy.setFault({ kind: 'delay', ms: 50 });
    const lateNote = `Redis answers too late, and requests do without it: ${address}: Redis did not answer in time (redis.timeouts.read)`;
    while (JSON.stringify((await opened.waitForNotes(true)).notes).includes('cannot be used'));
    expect(await opened.waitForNotes(true)).toEqual({
      status: 200,
      notes: [{ code: 'REDIS_UNAVAILABLE', message: lateNote }],
    });
    expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 1');
    await proxy.setFault({ kind: 'none' });
    await opened.waitForNotes(false);
    expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 0');
    const late = opened.linesOf('Redis answers too late: requests do without it');
    expect(late).toMatchObject([{ level: 40, problem: 'timeout' }]);
    expect(opened.linesOf('Redis can be used again').length).toBeGreaterThan(0);
  });

  test('has a note while the configured database does not exist, and stores nothing in another one', async () => {
    await using server = await startDedicatedRedis();
    await using opened = await startGateway({ url: server.url, database: 16 });
    await opened.waitForNotes(true);
    const operator = connectRedis(server.url);
    // After INFO, ioredis accepts commands.
    while (!/cmd=(info|set|evalsha)/.test(String(await operator.client('LIST')))) {
      await opened.waitForNotes(true);
    }
    const message = `Redis cannot be used, and nothing is shared with other processes: 127.0.0.1:${server.port}: ERR DB index is out of range (redis.database, or the number in redis.url)`;
    expect(await opened.waitForNotes(true)).toEqual({
      status: 200,
      notes: [{ code: 'REDIS_UNAVAILABLE', message }],
    });
    expect(await operator.dbsize()).toBe(0);
    expect(opened.linesOf('Redis can be')).toEqual([]);
    operator.disconnect();
  });

  test('logs once, for each policy, that Redis evicts keys', async () => {
    await using server = await startDedicatedRedis(['--maxmemory-policy', 'allkeys-lru']);
    await using opened = await startGateway({ url: server.url });
    await opened.waitForNotes(false);
    const operator = connectRedis(server.url);
    const waitForLines = async (count: number) => {
      while (opened.linesOf('Redis evicts').length < count) await opened.waitForNotes(false);
    };
    const reconnect = async () => {
      await operator.config('RESETSTAT');
      await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      while (!/cmdstat_info:/.test(await operator.info('commandstats')));
      await opened.waitForNotes(false);
    };
    await waitForLines(1);
    await reconnect();
    await operator.config('SET', 'maxmemory-policy', 'volatile-ttl');
    await reconnect();
    await waitForLines(2);
    operator.disconnect();
    expect(opened.linesOf('Redis evicts')).toMatchObject([
      { level: 40, policy: 'allkeys-lru' },
      { level: 40, policy: 'volatile-ttl' },
    ]);
  });

  test('has a note while Redis hangs', async () => {
    await using server = await startDedicatedRedis();
    await using opened = await startGateway({ url: server.url });
    await opened.waitForNotes(false);
    server.pause();
    expect(await opened.waitForNotes(true)).toMatchObject({ status: 200 });
    server.resume();
    await opened.waitForNotes(false);
  });
});
