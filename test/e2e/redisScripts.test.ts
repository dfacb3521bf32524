import { beforeEach, describe, expect, test } from '@jest/globals';
import { encodeEntry } from '../../gateway/cache/store/entryCodec.ts';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import {
  acquireClaims,
  allocateSequence,
  deleteTaggedEntries,
  releaseClaims,
  writeEntries,
} from '../../gateway/cache/store/redisScripts.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import {
  isRunWanted,
  joinRun,
  readRedisLog,
  reclaimRun,
  reopenRun,
  writeRun,
} from '../../gateway/enrichment/jobs/jobScripts.ts';
import type { RedisArgument, RedisScript } from '../../gateway/redis/redisClient.ts';
import { connectRedis } from '../harness/redis.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';

const { server, redis } = await startSuiteRedis();
beforeEach(() => redis.flushall());

function run(
  { text }: RedisScript,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<unknown> {
  return redis.eval(text, keys.length, ...keys, ...args);
}

const keys = new RedisKeys('test:', 1);
const hour = 3_600_000;

describe('The script that allocates sequence numbers', () => {
  const allocate = (maxTags: number, ...tags: string[]) =>
    run(allocateSequence, [keys.sequence, keys.log], [maxTags, 'channel', '{"sequence":', ...tags]);

  test('returns microseconds of the clock, and larger numbers than before if the clock was set back', async () => {
    const [seconds] = await redis.time();
    expect(Math.abs(Number(await allocate(10)) / 1e6 - Number(seconds))).toBeLessThan(60);
    // The largest numbers that Lua stores exactly have 16 digits.
    await redis.set(keys.sequence, '9000000000000000', 'PX', hour);
    expect([await allocate(10), await allocate(10)]).toEqual(['9000000000000001', '9000000000000002']);
    expect([await redis.get(keys.sequence), await redis.pttl(keys.sequence)]).toEqual([
      '9000000000000002',
      -1,
    ]);
  });

  test('logs and publishes the tags of an invalidation, and nothing without tags', async () => {
    const subscriber = connectRedis(server.url);
    const messages: string[] = [];
    await subscriber.subscribe('channel');
    subscriber.on('message', (_, message) => messages.push(message));
    const before = await allocate(2);
    expect(await redis.exists(keys.log)).toBe(0);
    const [first, second] = [await allocate(2, 'a', 'b'), await allocate(2, 'c')];
    const logged = ['', before, 'b', first, 'c', second];
    expect(await redis.zrange(keys.log, '0', '-1', 'WITHSCORES')).toEqual(logged);
    await subscriber.ping();
    subscriber.disconnect();
    expect(messages).toEqual([before, first, second].map((sequence) => `{"sequence":${sequence}}`));
  });

  test('begins the log with the number of its first invalidation, if Redis has lost the earlier ones', async () => {
    const first = await allocate(10, 'a');
    expect(await redis.zrange(keys.log, '0', '-1', 'WITHSCORES')).toEqual(['', first, 'a', first]);
  });
});

interface Write {
  readonly key?: string;
  readonly value?: string;
  readonly storedAt?: number;
  readonly ttl?: number;
  readonly tags?: readonly string[];
}

describe('The script that writes cache entries', () => {
  const maxStoredAt = 1_000;
  const entry = (name: string) => keys.entry(0, name);

  function write(since: number, writes: readonly Write[], maxMembers = 10) {
    const names = [keys.state(0)];
    const args: RedisArgument[] = [since, maxMembers, maxStoredAt, writes.length];
    for (const { key = 'key', value = '1', storedAt = 0, ttl = hour, tags = [] } of writes) {
      const times = { freshUntil: 0, staleWhileRevalidateUntil: 0, staleIfErrorUntil: 0 };
      names.push(entry(key), ...tags.map((tag) => keys.tag(0, tag)));
      const bytes = encodeEntry(key, { value, storedAt, readVersion: since, tags, ...times });
      args.push(bytes, ttl, storedAt, tags.length, ...tags);
    }
    return run(writeEntries, names, args);
  }

  const storedValue = async (key = 'key') => (await redis.get(entry(key)))?.at(-1);
  const initialize = (fields: Readonly<Record<string, number>> = { floor: 5, latest: 8 }) =>
    redis.hset(keys.state(0), fields);

  test.each([[{}], [{ floor: 5 }], [{ latest: 5 }]])(
    'stores nothing, and says that the state is lost, with %j',
    async (state) => {
      await redis.hset(keys.state(0), { other: 1, ...state });
      expect(await write(9, [{}])).toEqual(['', 0]);
      expect(await redis.exists(entry('key'))).toBe(0);
    },
  );

  test('stores no entry whose read began before the floor', async () => {
    await initialize();
    expect([await write(4, [{}]), await storedValue()]).toEqual([['8', 0], undefined]);
    expect([await write(5, [{}]), await storedValue()]).toEqual([['8', 0], '1']);
  });

  test('stores of several entries those whose tags were not invalidated since their read began', async () => {
    await initialize({ floor: 5, latest: 8, 'tag:a': 7 });
    const writes = [
      { key: 'a', tags: ['b', 'a'] },
      { key: 'b', tags: ['b'] },
    ];
    await write(6, writes);
    expect([await storedValue('a'), await storedValue('b')]).toStrictEqual([undefined, '1']);
    expect(await redis.zrange(keys.tag(0, 'b'), '0', '-1')).toEqual([entry('b')]);
    await write(7, writes);
    expect(await storedValue('a')).toBe('1');
  });

  test('replaces no newer entry, unless that was stored in the future', async () => {
    await initialize();
    await write(6, [{ storedAt: 100, value: '1' }]);
    await write(9, [{ storedAt: 99, value: '2' }]);
    await write(5, [{ storedAt: 100, value: '3' }]);
    expect(await storedValue()).toBe('1');
    await write(6, [{ storedAt: 100, value: '4' }]);
    expect(await storedValue()).toBe('4');
    await write(5, [{ storedAt: maxStoredAt, value: '5' }]);
    await write(5, [{ storedAt: 100, value: '6' }]);
    expect(await storedValue()).toBe('5');
    await write(5, [{ storedAt: maxStoredAt + 1, value: '7' }]);
    await write(5, [{ storedAt: 100, value: '8' }]);
    expect(await storedValue()).toBe('8');
  });

  test('replaces what is no entry, or a newer entry of another format', async () => {
    await initialize();
    await write(9, [{ storedAt: 100, value: '0' }]);
    const otherFormat = await redis.getBuffer(entry('key'));
    otherFormat?.writeUInt8(255, 2);
    for (const other of ['', 'TC', otherFormat ?? '']) {
      await redis.set(entry('key'), other);
      await write(9, [{}]);
      expect([other, await storedValue()]).toEqual([other, '1']);
    }
    await redis.del(entry('key'));
    await redis.rpush(entry('key'), 'an element');
    await write(9, [{}]);
    expect(await storedValue()).toBe('1');
  });

  test('rejects an entry if a tag has too many others that have not expired', async () => {
    await initialize();
    const set = keys.tag(0, 'a');
    await redis.zadd(set, 1, 'expired', 9e15, 'other');
    expect(await write(9, [{ key: 'a', tags: ['a'] }], 2)).toEqual(['8', 0]);
    expect(await write(9, [{ key: 'b', tags: ['b', 'a'] }], 2)).toEqual(['8', 1]);
    expect([await storedValue('b'), await redis.exists(keys.tag(0, 'b'))]).toStrictEqual([undefined, 0]);
    expect(await write(9, [{ key: 'a', value: '2', tags: ['a'] }], 2)).toEqual(['8', 0]);
    expect([await storedValue('a'), await redis.zrange(set, '0', '-1')]).toEqual([
      '2',
      [entry('a'), 'other'],
    ]);
  });

  test('lets the set of a tag expire with its last entry', async () => {
    await initialize();
    const expiry = () => redis.pttl(keys.tag(0, 'a'));
    await write(9, [{ key: 'a', ttl: hour, tags: ['a'] }]);
    await write(9, [{ key: 'b', ttl: hour / 2, tags: ['a'] }]);
    expect(await expiry()).toBeGreaterThan(hour / 2);
    await write(9, [{ key: 'c', ttl: 2 * hour, tags: ['a'] }]);
    expect(await expiry()).toBeGreaterThan(hour);
    expect(await redis.pttl(entry('b'))).toBeLessThanOrEqual(hour / 2);
  });
});

describe('The script that deletes tagged entries', () => {
  const state = keys.state(0);
  const remove = (sequence: number, tags: readonly string[], { maxTags = 10, limit = 10 } = {}) => {
    const sets = tags.map((tag) => keys.tag(0, tag));
    return run(deleteTaggedEntries, [state, ...sets], [sequence, maxTags, limit, ...tags]);
  };

  test('records the largest sequence number of the bucket and of each tag', async () => {
    await remove(5, ['a', 'b']);
    expect(await redis.hgetall(state)).toEqual({ latest: '5', floor: '5', 'tag:a': '5', 'tag:b': '5' });
    await remove(4, ['a', 'c']);
    await remove(6, ['b']);
    expect(await redis.hgetall(state)).toEqual({
      latest: '6',
      floor: '5',
      'tag:a': '5',
      'tag:b': '6',
      'tag:c': '4',
    });
  });

  test('forgets all tags when there are too many, and moves the floor past them', async () => {
    await remove(5, ['a'], { maxTags: 3 });
    await remove(4, ['b'], { maxTags: 3 });
    expect(await redis.hgetall(state)).toEqual({ latest: '5', floor: '5' });
  });

  test('deletes up to a limit of entries of each tag, and says whether more are left', async () => {
    for (const key of ['a', 'b', 'c']) {
      await redis.set(key, 1);
      await redis.zadd(keys.tag(0, 'a'), 1, key);
    }
    await redis.zadd(keys.tag(0, 'b'), 1, 'c');
    expect(await remove(1, ['a', 'b'], { limit: 2 })).toEqual([3, 1]);
    expect(await remove(1, ['a', 'b'], { limit: 2 })).toEqual([0, 0]);
    expect(await redis.keys('*')).toEqual([state]);
  });
});

describe('The scripts of claims', () => {
  const names = ['a', 'b'].map((key) => keys.claim(0, key));
  const acquire = (token: string) => run(acquireClaims, names, [token, hour]);

  test('set claims that no other process has, until their expiry', async () => {
    await redis.set(names[1] ?? '', 'other');
    expect(await acquire('own')).toEqual([1, 0]);
    expect(await redis.mget(names)).toEqual(['own', 'other']);
    expect(await redis.pttl(names[0] ?? '')).toBeGreaterThan(0);
    await redis.pexpire(names[0] ?? '', 60_000);
    expect(await acquire('own')).toEqual([1, 0]);
    expect(await redis.pttl(names[0] ?? '')).toBeGreaterThan(hour / 2);
  });

  test('delete or pause the claims of the process, and no others', async () => {
    await redis.set(names[1] ?? '', 'other');
    await acquire('own');
    await run(releaseClaims, names, ['own', 0]);
    expect(await redis.mget(names)).toEqual([null, 'other']);
    await acquire('own');
    await run(releaseClaims, names, ['own', 1_000]);
    expect(await redis.mget(names)).toEqual(['paused', 'other']);
    expect(await redis.pttl(names[0] ?? '')).toBeLessThanOrEqual(1_000);
    expect(await acquire('own')).toEqual([0, 0]);
  });
});

describe('The scripts of enrichment jobs', () => {
  const jobKeys = new JobKeys('test:');
  const [runKey, logKey, activeKey] = jobKeys.ofRun('job.1');

  interface Progress {
    readonly id?: string;
    readonly owner?: string;
    readonly ttl?: number;
    readonly mode?: 'create' | 'force create' | 'update';
    readonly fields?: number;
    readonly attempts?: number;
    readonly error?: string;
    readonly state?: 'open' | 'done' | 'failed' | 'released';
    readonly isRetried?: 0 | 1;
    /** Key, number, whether it is a failure. */
    readonly updates?: readonly (readonly [string, number, 0 | 1])[];
  }

  function write({ id = 'job.1', owner = 'own', ttl = hour, mode = 'update', ...progress }: Progress) {
    const { fields = 2, attempts = 0, error = '', state = 'open', isRetried = 0, updates = [] } = progress;
    const text = JSON.stringify({ path: [], data: owner, errors: null });
    const flat = updates.flatMap((update) => [...update, text]);
    const head = [id, owner, 'channel', ttl, mode, fields, attempts, error, state, isRetried];
    return run(writeRun, jobKeys.ofRun(id), [...head, ...flat]);
  }

  const create = (progress: Progress = {}) => write({ mode: 'create', ...progress });
  const hashOf = (...fields: string[]) => redis.hmget(runKey, ...fields);
  const reopen = (failed: readonly string[], others: readonly string[] = []) =>
    run(reopenRun, [runKey, logKey, activeKey], ['job.1', hour, failed.length, ...failed, ...others]);

  async function readLog(after?: string) {
    const client = {
      runScript: ({ text }: RedisScript, names: readonly string[], args: readonly RedisArgument[]) =>
        redis.callBuffer('eval', text, names.length, ...names, ...args),
    };
    const page = await readRedisLog(client, jobKeys, 'job.1', after);
    if (page === undefined) return undefined;
    const updates = page.updates.map(({ key, cursor, data }) => `${cursor} ${key} ${data}`);
    return [page.remaining, ...(page.isComplete ? [] : ['incomplete']), ...updates];
  }

  test('create a run once, unless an equal job has an active one', async () => {
    expect(await write({})).toBe('lost');
    expect([await create(), await redis.get(activeKey)]).toEqual(['ok', 'job.1']);
    expect(await create({ fields: 9 })).toBe('ok');
    expect(await create({ id: 'job.2', owner: 'other' })).toBe('job.1');
    expect(await redis.exists(jobKeys.run('job.2'))).toBe(0);
    expect(await create({ id: 'job.2', owner: 'other', mode: 'force create' })).toBe('ok');
    expect(await redis.get(activeKey)).toBe('job.1');
    expect(await hashOf('owner', 'state', 'remaining', 'number', 'retried')).toEqual([
      'own',
      'open',
      '2',
      '0',
      '0',
    ]);
  });

  test('give each field one update, with growing numbers', async () => {
    await create({ updates: [['a', 3, 0]] });
    expect(await readLog()).toEqual([1, '3-0 a own']);
    await write({ updates: [['a', 4, 0]] });
    // Another process counts from its own number.
    await write({ owner: 'other', updates: [['b', 1, 0]] });
    expect(await readLog()).toEqual([0, '3-0 a own', '4-0 b other']);
    expect([await readLog('3-0'), await readLog('4-0')]).toEqual([[0, '4-0 b other'], [0]]);
    expect(await readLog(`${2n ** 64n - 1n}-${2n ** 64n - 1n}`)).toEqual([0]);
    await redis.xdel(logKey, '3-0');
    expect(await readLog('3-0')).toEqual([0, 'incomplete', '4-0 b other']);
  });

  test('accept no failure of a process that does not own the run', async () => {
    await create();
    const updates = [
      ['a', 1, 1],
      ['b', 2, 0],
    ] as const;
    expect(await write({ owner: 'other', attempts: 3, error: 'no', state: 'failed', updates })).toBe(
      'not owner',
    );
    expect(await readLog()).toEqual([1, '2-0 b other']);
    expect(await hashOf('attempts', 'error', 'state')).toEqual(['0', '', 'open']);
  });

  test('end a run when its owner ends it, or when another process adds the last update', async () => {
    await create({ attempts: 2, error: 'no' });
    await create({ id: 'job.2', mode: 'force create' });
    await write({ id: 'job.2', state: 'done' });
    expect(await redis.get(activeKey)).toBe('job.1');
    const last = [
      ['a', 1, 0],
      ['b', 2, 0],
    ] as const;
    await write({ owner: 'other', updates: last });
    expect([await hashOf('state', 'remaining'), await redis.get(activeKey)]).toEqual([['done', '0'], null]);

    await create({ id: 'job.2', mode: 'force create' });
    await create({ id: 'job.3', mode: 'force create' });
    await redis.set(activeKey, 'job.2');
    await write({ id: 'job.3', owner: 'other', updates: last });
    expect(await redis.get(activeKey)).toBe('job.2');
    await write({ id: 'job.2', state: 'done' });
    expect(await redis.get(activeKey)).toBeNull();
  });

  test('leave a failed run with its error, and a released one without an owner', async () => {
    await create({ state: 'failed', attempts: 2, error: 'no' });
    expect(await hashOf('owner', 'state', 'attempts', 'error')).toEqual(['own', 'failed', '2', 'no']);
    await redis.flushall();
    await create({ state: 'released' });
    expect([await hashOf('owner', 'state'), await redis.get(activeKey)]).toEqual([['', 'open'], 'job.1']);
  });

  test('publish the ids of a run and of its writer if it has a new update', async () => {
    const subscriber = connectRedis(server.url);
    const messages: string[] = [];
    await subscriber.subscribe('channel');
    subscriber.on('message', (_, message) => messages.push(message));
    await create();
    await write({ updates: [['a', 1, 0]] });
    await write({ updates: [['a', 1, 0]] });
    await subscriber.ping();
    subscriber.disconnect();
    expect(messages).toEqual(['job.1 own']);
  });

  test('let a run, its log and its entry for equal jobs expire together, with the last token', async () => {
    await create({ ttl: hour, updates: [['a', 1, 0]] });
    await write({ ttl: 1 });
    const expiries = () => Promise.all([runKey, logKey, activeKey].map((key) => redis.pttl(key)));
    const [first = 0] = await expiries();
    expect(first).toBeGreaterThan(hour / 2);
    expect(await expiries()).toEqual([first, first, first].map(() => expect.closeTo(first, -3)));
    await write({ ttl: 2 * hour });
    const [later = 0] = await expiries();
    expect(later).toBeGreaterThan(hour);
    expect(await expiries()).toEqual([later, later, later].map(() => expect.closeTo(later, -3)));
    await redis.set(activeKey, 'job.2', 'PX', 1_000_000);
    await write({ ttl: 3 * hour });
    expect(await redis.pttl(activeKey)).toBeLessThanOrEqual(1_000_000);
  });

  test('join a run and extend its expiry, but none that has ended, has an update or has failed before', async () => {
    const join = () => run(joinRun, [runKey, logKey, activeKey], ['job.1', 2 * hour]);
    expect(await join()).toBe(0);
    await create({ ttl: hour });
    expect(await join()).toBe(1);
    expect(await redis.pttl(runKey)).toBeGreaterThan(hour);
    expect(await redis.pttl(activeKey)).toBeGreaterThan(hour);
    await write({ updates: [['a', 1, 0]] });
    expect(await join()).toBe(0);
    for (const unjoinable of [{ state: 'done' }, { attempts: 1 }] as const) {
      await redis.flushall();
      await create(unjoinable);
      expect(await join()).toBe(0);
    }
  });

  test('reclaim a run from the expected owner, and count owners that have died', async () => {
    const reclaim = (from: string, to: string) => run(reclaimRun, [runKey], [from, to]);
    await create();
    expect(await reclaim('other', 'third')).toBeNull();
    expect([await reclaim('own', 'own'), await reclaim('own', 'other')]).toEqual([0, 1]);
    expect(await hashOf('owner')).toEqual(['other']);
    await write({ owner: 'other', state: 'released' });
    expect([await reclaim('', 'third'), await reclaim('third', 'fourth')]).toEqual([1, 2]);
  });

  test('reopen the failed fields of a run, whose next updates replace their failures', async () => {
    const updates = [
      ['a', 1, 1],
      ['b', 2, 0],
    ] as const;
    await create({ state: 'failed', attempts: 3, error: 'no', updates });
    await redis.hset(runKey, 'ownerDeaths', 4);
    await redis.pexpire(runKey, 1_000_000);
    expect(await reopen(['a'], ['b'])).toBe(1);
    expect(
      await hashOf('owner', 'state', 'attempts', 'error', 'retried', 'ownerDeaths', 'remaining'),
    ).toEqual(['', 'open', '0', '', '1', '0', '1']);
    expect(await redis.pttl(runKey)).toBeGreaterThan(1_000_000);
    // Another operator may reopen it too, until a process has reclaimed it.
    expect(await reopen(['a'], ['b'])).toBe(1);
    // Subscribers still have the failure until the field has another update.
    expect(await readLog()).toEqual([1, '1-0 a own', '2-0 b own']);
    await run(reclaimRun, [runKey], ['', 'other']);
    expect(await reopen(['a'], ['b'])).toBe(0);
    await write({ owner: 'other', updates: [['a', 1, 0]] });
    expect(await readLog()).toEqual([0, '2-0 b own', '3-0 a other']);
    await write({ owner: 'other', state: 'done' });
    expect(await reopen(['a'], ['b'])).toBe(0);
    expect(await hashOf('replaced:a', 'field:a')).toEqual([null, '3']);
  });

  test('reopen a run that has expired with its failed fields only', async () => {
    expect([await readLog(), await reopen(['a'], ['b'])]).toStrictEqual([undefined, 1]);
    expect(await readLog()).toEqual([1, 'incomplete']);
    await write({
      owner: '',
      updates: [
        ['b', 1, 0],
        ['a', 1, 0],
      ],
    });
    expect(await readLog()).toEqual([0, 'incomplete', '1-0 a ']);
    await redis.flushall();
    await reopen(['a']);
    expect(await readLog()).toEqual([1]);
  });

  test('say whether a token of a run is valid, or an operator has retried it', async () => {
    const isWanted = (graceMs: number) => run(isRunWanted, [runKey], [graceMs]);
    expect(await isWanted(0)).toBeNull();
    await create();
    expect([await isWanted(hour / 2), await isWanted(2 * hour)]).toEqual([1, 0]);
    await redis.hset(runKey, 'retried', 1);
    expect(await isWanted(2 * hour)).toBe(1);
  });
});
