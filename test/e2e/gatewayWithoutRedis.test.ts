import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { GatewayDependencies, GatewayOptions } from '../../gateway/gateway.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { connectRedis, startDedicatedRedis, startRedisCluster } from '../harness/redis.ts';
import { longRedisTimeouts } from '../harness/redisStoreFixture.ts';

describe('a gateway that cannot use Redis', () => {
  interface Line {
    readonly level: number;
    readonly msg: string;
    readonly message?: string;
  }

  /** Shortens the interval of the writes that measure whether Redis can be used. */
  const frequentWrites: Timers = {
    now: systemTimers.now,
    after: (ms, run) => systemTimers.after(ms === 1_000 ? 1 : ms, run),
  };

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
    const address = `127.0.0.1:${proxy.port}`;
    const redis = { url: `redis://${address}`, timeouts: longRedisTimeouts };
    await using opened = await startGateway(redis, { timers: frequentWrites });
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

  test('has a note and a metric while any one master of a Cluster is down, and logs it once', async () => {
    await using cluster = await startRedisCluster();
    await using opened = await startGateway(
      { cluster: { nodes: [...cluster.nodes] } },
      { timers: frequentWrites },
    );
    const problem = 'A master of the Redis Cluster cannot be used';
    const effect = 'its part of the data is not shared with other processes';
    for (const [index, master] of cluster.servers.entries()) {
      await opened.waitForNotes(false);
      await master.kill();
      expect(await opened.waitForNotes(true)).toMatchObject({
        status: 200,
        notes: [
          {
            code: 'REDIS_UNAVAILABLE',
            message: expect.stringMatching(
              new RegExp(`^${problem}, and ${effect}: .*127.0.0.1:${master.port}`),
            ),
          },
        ],
      });
      expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 1');
      await master.restart();
      await opened.waitForNotes(false);
      expect(await opened.unavailableMetric()).toBe('tributary_redis_unavailable 0');
      expect(opened.linesOf(`${problem}: ${effect}`)).toHaveLength(index + 1);
      expect(opened.linesOf('Redis can be used again')).toHaveLength(index + 1);
    }
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
