import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisStreamReader } from '../../gateway/redis/redisStreamReader.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { expectExit } from '../harness/expectExit.ts';
import { Gate } from '../harness/gate.ts';
import { openStreamReader } from '../harness/openStreamReader.ts';
import {
  connectRedis,
  downloadTimeoutMs,
  startDedicatedRedis,
  startRedisCluster,
  startSentinel,
} from '../harness/redis.ts';
import { longRedisTimeouts, parseRedisConfig } from '../harness/redisStoreFixture.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { waitUntil } from '../harness/waitUntil.ts';

// Otherwise a Redis that is killed while the disk is busy may lose entries, which is a gap.
const server = disposeAfterSuite(
  await startDedicatedRedis(['--appendonly', 'yes', '--appendfsync', 'always']),
);
let redis = connectRedis(server.url);
afterAll(() => redis.disconnect());

/** Adds entries with these ids. */
async function add(stream: string, ...ids: string[]): Promise<void> {
  for (const id of ids) await redis.xadd(stream, id, 'n', id);
}

const open = (
  options: Partial<Parameters<typeof openStreamReader>[0]> & { readonly stream: string },
  handle?: Parameters<typeof openStreamReader>[1],
) => openStreamReader({ config: parseRedisConfig({ url: server.url }), ...options }, handle);

test('the connection of a reader waits for a reply as much longer than others as a read blocks', async () => {
  const connect = jest.spyOn(Redis.prototype, 'connect');
  const send = jest.spyOn(Redis.prototype, 'callBuffer');
  const config = parseRedisConfig({ url: server.url, timeouts: { socket: '8s' } });
  const reader = new RedisStreamReader({
    config,
    stream: randomUUID(),
    timers: systemTimers,
    onEntries: async () => {},
    onGap: async () => {},
    onFailure: () => {},
  });
  const [client] = connect.mock.contexts as Redis[];
  const reads = () => send.mock.calls.filter(([command]) => command === 'xread');
  await waitUntil(() => reads().length > 0);
  reader.close();
  const [, , , , blockMs] = reads()[0] as unknown[];
  expect([client?.options.socketTimeout, blockMs]).toEqual([8_000 + Number(blockMs), 4_000]);
});

test('existing and new entries are passed in order with their fields', async () => {
  const stream = randomUUID();
  await redis.xadd(stream, '1-1', 'a', 'é', 'b', '');
  const fields: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const reader = new RedisStreamReader({
    config: parseRedisConfig({ url: server.url, timeouts: longRedisTimeouts }),
    stream,
    after: '0-0',
    timers: systemTimers,
    onEntries: async (entries) => {
      for (const entry of entries) fields.push([entry.id, [...entry.fields]]);
      if (fields.length === 1) await redis.xadd(stream, '1-2', 'a', '2');
      else done.resolve();
    },
    onGap: async () => done.reject(new Error('gap')),
    onFailure: ({ cause }) => done.reject(cause),
  });
  await done.promise.finally(() => reader.close());
  expect(fields).toEqual([
    [
      '1-1',
      [
        ['a', 'é'],
        ['b', ''],
      ],
    ],
    ['1-2', [['a', '2']]],
  ]);
});

test('without an id, reading begins after the last entry', async () => {
  const stream = randomUUID();
  await add(stream, '1-0', '2-0');
  await using opened = open({ stream });
  await opened.until(() => opened.started.length === 1);
  await add(stream, '3-0');
  await opened.until(() => opened.seen.length === 1);
  expect([opened.started, opened.seen, opened.gaps]).toEqual([['2-0'], ['3-0'], []]);
});

test.each<[string, ...string[]]>([['a stream with entries', '1-0'], ['a new stream']])(
  'without an id, entries that are added while the reader connects are read from %s',
  async (_, ...earlier) => {
    const stream = randomUUID();
    await add(stream, ...earlier);
    server.pause();
    await using opened = open({ stream });
    const added = Promise.all(['a', 'b'].map((text) => redis.xadd(stream, '*', 'n', text)));
    server.resume();
    const ids = await added;
    await opened.until(() => opened.started.length === 1);
    ids.push(await redis.xadd(stream, '*', 'n', 'c'));
    await opened.until(() => opened.seen.includes(ids[2] as string));
    expect([opened.seen, opened.gaps]).toEqual([ids, []]);
  },
);

test('the stream need not exist yet', async () => {
  const stream = randomUUID();
  await using opened = open({ stream });
  await opened.until(() => opened.started.length === 1);
  await add(stream, '3-0');
  await opened.until(() => opened.seen.length === 1);
  expect([opened.started, opened.seen, opened.gaps]).toEqual([['0-0'], ['3-0'], []]);
});

test('nothing is read while the handler runs, and then at most one batch', async () => {
  const stream = randomUUID();
  const gate = new Gate();
  await add(stream, '1-0', '2-0', '3-0');
  await using opened = open({ stream, after: '0-0', batchSize: 2 }, () => gate.pass());
  await gate.waitForArrivals();
  await add(stream, '4-0', '5-0');
  // A second reader reads all entries meanwhile.
  await using other = open({ stream, after: '0-0' });
  await other.until(() => other.seen.length === 5);
  expect(opened.batches).toEqual([['1-0', '2-0']]);
  gate.open();
  await opened.until(() => opened.seen.length === 5);
  expect(opened.batches).toEqual([['1-0', '2-0'], ['3-0', '4-0'], ['5-0']]);
});

test('large entries are passed in smaller batches, and very large ones alone', async () => {
  const stream = randomUUID();
  const sizes = [60_000, 60_000, 60_000, 300_000, 10, 20];
  const ids = sizes.map((_, index) => `${index + 1}-0`);
  for (const [index, size] of sizes.entries()) await redis.xadd(stream, ids[index]!, 'n', 'x'.repeat(size));
  await using opened = open({ stream, after: '0-0', batchSize: 6 });
  await opened.until(() => opened.seen.length === ids.length);
  expect(opened.batches).toEqual([['1-0', '2-0'], ['3-0'], ['4-0'], ['5-0', '6-0']]);
  await redis.xtrim(stream, 'MAXLEN', 0);
  await add(stream, '7-0');
  await opened.until(() => opened.seen.length === 7);
  expect(opened.gaps).toEqual([]);
});

test('entries are passed again if the handler rejects', async () => {
  const stream = randomUUID();
  let refusals = 2;
  await add(stream, '1-0');
  await using opened = open({ stream, after: '0-0' }, async () => {
    if (refusals-- > 0) throw new Error('not now');
  });
  await opened.until(() => opened.seen.length === 1);
  expect(opened.batches).toEqual([['1-0'], ['1-0'], ['1-0']]);
});

describe('After a lost connection,', () => {
  test('reading continues after the last handled entry when Redis restarts', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0' });
    await add(stream, '1-0', '2-0');
    await opened.until(() => opened.seen.length === 2);
    await server.kill();
    redis.disconnect();
    await opened.until(() => opened.failures.some(({ kind }) => kind === 'unreachable'));
    await server.restart();
    redis = connectRedis(server.url);
    await add(stream, '3-0');
    await opened.until(() => opened.seen.length === 3);
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '2-0', '3-0'], []]);
  });

  test('reading continues when a hanging Redis is detected', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0' });
    await add(stream, '1-0');
    await opened.until(() => opened.seen.length === 1);
    server.pause();
    const added = redis.xadd(stream, '2-0', 'n', '2');
    try {
      await opened.until(() => opened.failures.some(({ kind }) => kind === 'unreachable'));
    } finally {
      server.resume();
    }
    await added;
    await opened.until(() => opened.seen.length === 2);
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '2-0'], []]);
  });

  test('no entry is repeated if the handler was running', async () => {
    const stream = randomUUID();
    const gate = new Gate();
    await using opened = open({ stream, after: '0-0' }, () => gate.pass());
    await add(stream, '1-0');
    await gate.waitForArrivals();
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await add(stream, '2-0');
    gate.open();
    await opened.until(() => opened.seen.length === 2);
    expect(opened.batches).toEqual([['1-0'], ['2-0']]);
  });
});

describe('A gap', () => {
  test('of trimmed entries is reported before the next entries are read', async () => {
    const stream = randomUUID();
    const gate = new Gate();
    await using opened = open({ stream, after: '0-0', batchSize: 1 }, () => gate.pass());
    await add(stream, '1-0');
    await gate.waitForArrivals();
    await add(stream, '2-0', '3-0', '4-0');
    await redis.xtrim(stream, 'MAXLEN', 1);
    gate.open();
    await opened.until(() => opened.seen.length === 2);
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '4-0'], ['1-0 to 1-0']]);
  });

  test('of all entries is reported once, and reading continues at the end', async () => {
    const stream = randomUUID();
    const gate = new Gate();
    await using opened = open({ stream, after: '0-0' }, () => gate.pass());
    await add(stream, '1-0');
    await gate.waitForArrivals();
    await add(stream, '2-0', '3-0');
    await redis.xtrim(stream, 'MAXLEN', 0);
    gate.open();
    await opened.until(() => opened.gaps.length === 1);
    await add(stream, '4-0');
    await opened.until(() => opened.seen.length === 2);
    await add(stream, '5-0');
    await opened.until(() => opened.seen.length === 3);
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '4-0', '5-0'], ['1-0 to 3-0']]);
  });

  test('is not reported for entries that were trimmed after they were read', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0', batchSize: 1 });
    for (const [index, id] of ['1-0', '2-0', '3-0', '4-0'].entries()) {
      await redis.xadd(stream, 'MAXLEN', 1, id, 'n', '1');
      await opened.until(() => opened.seen.length === index + 1);
    }
    await redis.xtrim(stream, 'MAXLEN', 0);
    await add(stream, '5-0');
    await opened.until(() => opened.seen.length === 5);
    expect(opened.gaps).toEqual([]);
  });

  test('of deleted entries is reported once', async () => {
    const stream = randomUUID();
    await add(stream, '1-0', '2-0', '3-0');
    await redis.xdel(stream, '2-0');
    await using opened = open({ stream, after: '1-0', batchSize: 1 });
    await opened.until(() => opened.seen.length === 1);
    await redis.xdel(stream, '1-0');
    await add(stream, '4-0');
    await opened.until(() => opened.seen.length === 2);
    expect([opened.seen, opened.gaps]).toEqual([['3-0', '4-0'], ['1-0 to 1-0']]);
  });

  test('is reported once for a stream that was restored to an earlier state, although newer entries were added before it is read', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0', batchSize: 1 });
    await add(stream, '1-0', '2-0', '3-0');
    await opened.until(() => opened.seen.length === 3);
    const restored = redis.multi().del(stream);
    for (const id of ['1-0', '7-0', '8-0']) restored.xadd(stream, id, 'n', id);
    await restored.exec();
    await opened.until(() => opened.seen.length === 5);
    await add(stream, '9-0');
    await opened.until(() => opened.seen.length === 6);
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '2-0', '3-0', '7-0', '8-0', '9-0'], ['3-0 to 3-0']]);
  });

  test('is reported for a restored stream to which more entries than a batch has were added before it is read', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0', batchSize: 2 });
    await add(stream, '1-0', '2-0', '3-0');
    await opened.until(() => opened.seen.length === 3);
    const restored = redis.multi().del(stream);
    for (const id of ['1-0', '6-0', '7-0', '8-0', '9-0']) restored.xadd(stream, id, 'n', id);
    await restored.exec();
    await opened.until(() => opened.seen.includes('9-0'));
    expect(opened.gaps).toEqual(['3-0 to 3-0']);
  });

  test('is reported for a deleted stream, and a new one is read from its beginning', async () => {
    const stream = randomUUID();
    await using opened = open({ stream, after: '0-0' });
    await add(stream, '5-0');
    await opened.until(() => opened.seen.length === 1);
    await redis.del(stream);
    await opened.until(() => opened.gaps.length === 1);
    await add(stream, '1-0');
    await opened.until(() => opened.seen.length === 2);
    expect([opened.seen, opened.gaps]).toEqual([['5-0', '1-0'], ['5-0 to 0-0']]);
  });
});

describe('A refusal of Redis', () => {
  test('because of another type of value is reported and retried until the key is a stream', async () => {
    const stream = randomUUID();
    await redis.set(stream, 'text');
    await using opened = open({ stream, after: '0-0' });
    await opened.until(() => opened.failures.length >= 2);
    expect(opened.failures[0]?.kind).toBe('refused');
    expect(opened.failures[0]?.cause.message).toContain('WRONGTYPE');
    await redis.del(stream);
    await add(stream, '1-0');
    await opened.until(() => opened.seen.length === 1);
  });

  test('because of a wrong password is reported and retried until it is corrected', async () => {
    await using closed = await startDedicatedRedis(['--requirepass', 'right']);
    const config = parseRedisConfig({ url: closed.url, password: 'wrong' });
    await using opened = open({ config, stream: 'events', after: '0-0' });
    await opened.until(() => opened.failures.filter(({ kind }) => kind === 'authentication').length >= 2);
    const operator = connectRedis(closed.url.replace('//', '//:right@'));
    await operator.xadd('events', '1-0', 'n', '1');
    await operator.call('CONFIG', 'SET', 'requirepass', 'wrong');
    operator.disconnect();
    await opened.until(() => opened.seen.length === 1);
  });

  test('because of a running script is reported and retried until Redis answers', async () => {
    await using busy = await startDedicatedRedis(['--busy-reply-threshold', '10']);
    const [operator, script] = [connectRedis(busy.url), connectRedis(busy.url)];
    await using opened = open({
      config: parseRedisConfig({ url: busy.url }),
      stream: 'events',
      after: '0-0',
    });
    await opened.until(() => opened.started.length === 1);
    const running = script.eval('while true do end', 0).catch(() => {});
    await opened.until(() => opened.failures.some(({ kind }) => kind === 'loading'));
    await operator.call('SCRIPT', 'KILL');
    await running;
    await operator.xadd('events', '1-0', 'n', '1');
    await opened.until(() => opened.seen.length === 1);
    for (const client of [operator, script]) client.disconnect();
  });
});

test(
  'in a Cluster, the master of the stream is read, also after its restart',
  async () => {
    await using cluster = await startRedisCluster();
    const config = parseRedisConfig({ cluster: { nodes: cluster.nodes } });
    // Slots of the third, the second and the first master.
    for (const [stream, master] of [
      ['foo', 2],
      ['c', 1],
      ['bar', 0],
    ] as const) {
      const { url } = cluster.servers[master]!;
      const operator = connectRedis(url);
      await using opened = open({ config, stream, after: '0-0' });
      await operator.xadd(stream, '1-0', 'n', '1');
      await opened.until(() => opened.seen.length === 1);
      await cluster.servers[master]!.kill();
      operator.disconnect();
      await opened.until(() => opened.failures.length > 0);
      await cluster.servers[master]!.restart();
      await opened.until(() => opened.gaps.length === 1);
      const again = connectRedis(url);
      await again.xadd(stream, '2-0', 'n', '1');
      again.disconnect();
      await opened.until(() => opened.seen.length === 2);
    }
  },
  downloadTimeoutMs,
);

test(
  'in a Cluster, reading continues when a hanging master is detected',
  async () => {
    await using cluster = await startRedisCluster();
    const config = parseRedisConfig({ cluster: { nodes: cluster.nodes } });
    const server = cluster.servers[1]!;
    const operator = connectRedis(server.url);
    await using opened = open({ config, stream: 'c', after: '0-0' });
    await operator.xadd('c', '1-0', 'n', '1');
    await opened.until(() => opened.seen.length === 1);
    server.pause();
    const added = operator.xadd('c', '2-0', 'n', '2');
    await opened.until(() => opened.failures.some(({ kind }) => kind === 'unreachable'));
    server.resume();
    await added;
    await opened.until(() => opened.seen.length === 2);
    operator.disconnect();
    expect([opened.seen, opened.gaps]).toEqual([['1-0', '2-0'], []]);
  },
  downloadTimeoutMs,
);

test('the stream is found through Sentinels', async () => {
  await using sentinel = await startSentinel(server);
  const config = parseRedisConfig({ sentinel: { nodes: [`127.0.0.1:${sentinel.port}`], name: 'cache' } });
  const stream = randomUUID();
  await add(stream, '1-0');
  await using opened = open({ config, stream, after: '0-0' });
  await opened.until(() => opened.seen.length === 1);
});

test('an invalid start id is refused', () => {
  expect(() => open({ stream: 'events', after: '$' })).toThrow(
    new RangeError('"$" is not the id of a Redis stream entry.'),
  );
});

test('a closed reader does not keep the process alive, in any state of Redis', async () => {
  await expectExit(server.url, {
    imports: "import { RedisStreamReader } from './gateway/redis/redisStreamReader.ts';",
    code: `
      const isStarted = Promise.withResolvers();
      const reader = new RedisStreamReader({ config, stream: 'none', timers: systemTimers, onStart: isStarted.resolve,
        onEntries: async () => {}, onGap: async () => {}, onFailure: () => {} });
      if (works) {
        await isStarted.promise;
        await new Promise((resolve) => setImmediate(resolve));
      }
      reader.close();
    `,
  });
});
