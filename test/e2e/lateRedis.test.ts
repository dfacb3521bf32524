import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { LateKeys } from '../../gateway/enrichment/late/lateKeys.ts';
import { isWorkWanted, joinWork } from '../../gateway/enrichment/late/lateScripts.ts';
import { hashOf } from '../../gateway/enrichment/late/lateToken.ts';
import { RedisJobs } from '../../gateway/enrichment/late/redisJobs.ts';
import type { LateEnrichments } from '../../gateway/enrichment/lateEnrichments.ts';
import { PatientRedis } from '../../gateway/redis/patientRedis.ts';
import { startHeldProxy } from '../harness/heldProxy.ts';
import {
  answeringRunner,
  lateReplica,
  lateReplicaByHand,
  tokensExpireAfter,
} from '../harness/lateReplica.ts';
import { connectRedis, type OwnRedisServer, startOwnRedis } from '../harness/redis.ts';
import { redisConfig } from '../harness/storeUnderTest.ts';
import {
  ada,
  allOf,
  bad,
  brief,
  good,
  HandRun,
  HandRunner,
  jobOf,
} from '../unit/enrichment/late/lateUnderTest.ts';

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

async function handOver(late: LateEnrichments, job: ReturnType<typeof jobOf>, run = new HandRun()) {
  const ticket = await late.handOver(job, run, ada);
  if (ticket === undefined) throw new Error('There was no room.');
  return ticket.token;
}

async function follow(late: LateEnrichments, token: string, cursor?: string) {
  const updates = await late.follow(token, ada, cursor);
  if (updates === undefined) throw new Error('The token leads nowhere.');
  return updates;
}

// Less than a test may take: what never becomes true says so.
const patienceMs = 45_000;

/** Resolves when the probe is true; asks again as often as Redis answers. */
async function until(probe: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`Not true after ${patienceMs / 1_000} s: ${probe}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('two processes', () => {
  test('serve each other’s tokens, each update once and in order, from any cursor on', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix);
    await using other = lateReplica(server.url, prefix);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a', ['reviews', 'stock', 'price']), run);
    const [here, there] = [await follow(one.late, token), await follow(other.late, token)];
    run.give(good('stock', { é: 5 }));
    expect((await there.next()).value).toEqual({
      path: ['product', 'stock'],
      label: null,
      data: { é: 5 },
      errors: null,
      hasNext: true,
      cursor: '1-0',
    });
    expect(await other.late.arrived(token, { identity: 'bob' })).toBeUndefined();
    run.end(good('reviews'), bad('price', 'There is none.', false));
    const rest = ['2-0 reviews "reviews!" …', '3-0 price There is none.'];
    expect(await allOf(there)).toEqual(rest);
    expect(await allOf(here)).toEqual(['1-0 stock {"é":5} …', ...rest]);
    expect(await allOf(await follow(other.late, token, '2-0'))).toEqual(rest.slice(1));
    const arrived = await other.late.arrived(token, ada);
    expect([arrived?.updates.length, arrived?.hasNext]).toEqual([3, false]);
  });

  test('keep neither tokens nor identities in Redis, and nothing for longer than it is needed', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    run.end(good('reviews'));
    await allOf(await follow(one.late, token));
    const queued = `{${prefix}late}`;
    // Removed from the queue when it is done.
    await until(async () => (await redis.exists(`${queued}:enrichments:delayed`)) === 0);
    const keys = (await redis.keys(`*${prefix}*`)).filter((key) => !key.startsWith(queued));
    expect(
      keys.map((key) => key.slice(prefix.length).replace(/[\w-]{36,43}$|\.[\w-]+$/, '#')).sort(),
    ).toEqual(['late:alive:#', 'late:token:#', '{a}late:log:a#', '{a}late:work:a#']);
    for (const key of keys) {
      const text = JSON.stringify([key, await redis.dumpBuffer(key).then((dump) => String(dump))]);
      expect(text).not.toContain(token);
      expect(text).not.toContain('ada');
      const left = await redis.pttl(key);
      expect([key, left > 0 && left <= tokensExpireAfter + 10_000]).toEqual([key, true]);
    }
  });

  test('work once on equal jobs', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix);
    await using other = lateReplica(server.url, prefix);
    const [run, second] = [new HandRun(), new HandRun()];
    const first = await handOver(one.late, jobOf('a'), run);
    const token = await handOver(other.late, jobOf('a'), second);
    expect([second.isCancelled, other.late.pending, other.events]).toEqual([true, 0, ['joined']]);
    run.end(good('reviews'));
    for (const late of [one.late, other.late]) {
      expect(await allOf(await follow(late, first))).toEqual(['1-0 reviews "reviews!"']);
      expect(await allOf(await follow(late, token))).toEqual(['1-0 reviews "reviews!"']);
    }
    await using third = lateReplica(server.url, prefix);
    await handOver(third.late, jobOf('a'));
    expect(third.events).toEqual(['begun']);
  });

  test('leave a job to the one that lives, however long it takes', async () => {
    const prefix = randomUUID();
    const runner = answeringRunner('other');
    await using one = lateReplica(server.url, prefix, { takeOverAfter: 100 });
    await using other = lateReplica(server.url, prefix, { takeOverAfter: 100 }, runner);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    const [id] = (await other.late.list({ state: 'waiting', limit: 10 })).map((job) => job.id);
    // Due several times.
    const started = async () => Number(await redis.hget(`{${prefix}late}:enrichments:${id}`, 'ats'));
    await until(async () => (await started()) >= 3);
    expect([runner.asked, other.events]).toEqual([[], []]);
    run.end(good('reviews'));
    expect(await allOf(await follow(other.late, token))).toEqual(['1-0 reviews "reviews!"']);
    await until(async () => (await other.late.list({ state: undefined, limit: 10 })).length === 0);
  });

  test('go on with what one leaves when it closes, without waiting', async () => {
    const prefix = randomUUID();
    const runner = answeringRunner('other');
    const one = lateReplica(server.url, prefix, { takeOverAfter: 60_000 });
    await using other = lateReplica(server.url, prefix, { takeOverAfter: 60_000 }, runner);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a', ['reviews', 'stock']), run);
    run.give(good('stock', 1));
    const updates = await follow(other.late, token);
    expect(brief((await updates.next()).value)).toBe('1-0 stock 1 …');
    await one.late.close();
    expect(run.isCancelled).toBe(true);
    expect(await allOf(updates)).toEqual(['2-0 reviews "a by other"']);
  });
});

describe('a process that dies', () => {
  test('leaves its jobs to another one, which shows each update once', async () => {
    const prefix = randomUUID();
    const count = 200;
    const script = new URL('../harness/lateProcess.ts', import.meta.url).pathname;
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(process.execPath, [script, server.url, prefix, `${count}`], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    const [line] = await once(createInterface(child.stdout), 'line');
    const tokens = JSON.parse(line) as string[];
    const runner = answeringRunner('heir');
    await using heir = lateReplica(server.url, prefix, {}, runner);
    const all = tokens.map(async (token) => allOf(await follow(heir.late, token)));
    // What it has brought by itself is there.
    await until(async () => {
      const arrived = await Promise.all(tokens.map((token) => heir.late.arrived(token, ada)));
      return arrived.every((updates) => updates?.updates.length === 1);
    });
    child.kill('SIGKILL');
    await ended;
    expect(await Promise.all(all)).toEqual(
      tokens.map((_, number) => ['1-0 done "by the dead" …', `2-0 open "job${number} by heir"`]),
    );
    expect(runner.asked).toHaveLength(count);
    expect(new Set(runner.asked).size).toBe(count);
    await until(async () => (await heir.late.list({ state: undefined, limit: 1 })).length === 0);
  });
});

test('what nobody can pick up any more is dropped when its process has died', async () => {
  const prefix = randomUUID();
  const one = lateReplica(server.url, prefix);
  await handOver(one.late, jobOf('a'));
  const [work] = await redis.keys(`${prefix}{a}late:work:*`);
  await one.late.close();
  await redis.del(work ?? '');
  const runner = answeringRunner('heir');
  await using heir = lateReplica(server.url, prefix, {}, runner);
  await until(async () => (await heir.late.list({ state: undefined, limit: 10 })).length === 0);
  expect([heir.events, runner.asked]).toEqual([['NORMAL unwanted'], []]);
});

describe('a process that was thought to be dead', () => {
  test('may add what it has, but no failure to what another one is at', async () => {
    const prefix = randomUUID();
    const runner = new HandRunner();
    await using one = lateReplica(server.url, prefix, { attempts: 1 });
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a', ['reviews', 'stock']), run);
    const [work] = await redis.keys(`${prefix}{a}late:work:*`);
    await redis.hset(work ?? '', 'owner', 'a process that died');
    await using heir = lateReplica(server.url, prefix, {}, runner);
    await until(() => runner.runs.length === 1);
    run.end(good('reviews'), bad('stock'));
    await until(() => one.late.pending === 0);
    const updates = await follow(heir.late, token);
    expect(brief((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    runner.last.end(good('reviews', 'again'), good('stock', 1));
    expect(await allOf(updates)).toEqual(['2-0 stock 1']);
    await until(async () => (await heir.late.list({ state: undefined, limit: 10 })).length === 0);
  });
});

describe('what fails', () => {
  test('is put aside for all processes to see, and tried again by any of them', async () => {
    const prefix = randomUUID();
    const runner = new HandRunner();
    const attempts = 2;
    await using one = lateReplica(server.url, prefix, { attempts }, runner);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a', ['reviews', 'stock']), run);
    run.end(good('stock', 1), bad('reviews', 'first'));
    await until(() => runner.runs.length === 1);
    expect(await one.late.list({ state: undefined, limit: 10 })).toEqual([
      expect.objectContaining({ state: 'waiting', attempts: 1, error: 'first' }),
    ]);
    runner.last.end(bad('reviews', 'second'));
    expect(await allOf(await follow(one.late, token))).toEqual(['1-0 stock 1 …', '2-0 reviews second']);
    await until(async () => (await one.late.list({ state: 'failed', limit: 10 })).length === 1);
    const heirs = answeringRunner('other');
    await using other = lateReplica(server.url, prefix, { attempts }, heirs);
    // Whoever handles it first tries it.
    await one.late.close();
    const [failed, ...more] = await other.late.list({ state: undefined, limit: 10 });
    expect([failed, more]).toEqual([
      {
        id: expect.stringMatching(/^a\./),
        state: 'failed',
        coordinates: ['Product.reviews', 'Product.stock'],
        attempts: 2,
        error: 'second',
        ageMs: expect.any(Number),
      },
      [],
    ]);
    const id = failed?.id ?? '';
    expect(await other.late.retry('a.none')).toBe('unknown');
    expect(await other.late.retry(id)).toBe('retried');
    await until(async () => (await other.late.arrived(token, ada))?.hasNext === false);
    const after = await other.late.arrived(token, ada);
    expect(after?.updates.map(brief)).toEqual(['1-0 stock 1 …', '3-0 reviews "a by other"']);
    expect(heirs.asked).toEqual(['a']);
    await until(async () => (await other.late.retry(id)) === 'unknown');
    expect(other.events).toEqual(['adopted: put aside', 'NORMAL done']);
  });

  test('is tried again once, however late somebody else wants that too', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix, { attempts: 1 }, answeringRunner('one'));
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    run.end(bad('reviews'));
    await until(async () => (await one.late.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.late.list({ state: 'failed', limit: 10 });
    const id = failed?.id ?? '';
    // What the other one has seen before.
    const work = JSON.parse((await redis.hget(`{${prefix}late}:enrichments:${id}`, 'data')) ?? '');
    expect(await one.late.retry(id)).toBe('retried');
    const tried = ['2-0 reviews "a by one"'];
    await until(async () => (await one.late.arrived(token, ada))?.hasNext === false);
    const config = redisConfig({ url: server.url, keyPrefix: prefix });
    const connection = new PatientRedis({ config, onFailure: () => {} });
    const other = new RedisJobs({
      redis: connection,
      keys: new LateKeys(prefix),
      queue: { get: async () => ({ work, isFailed: true }), retry: async () => false, list: async () => [] },
      keepFor: 70_000,
      now: Date.now,
    });
    expect(await other.retry(id)).toBe('not failed');
    connection.close();
    expect(await one.late.arrived(token, ada)).toMatchObject({ hasNext: false });
    expect(await allOf(await follow(one.late, token))).toEqual(tried);
  });

  test('with every process that does it is put aside, and can be tried again', async () => {
    const prefix = randomUUID();
    const one = lateReplica(server.url, prefix);
    const token = await handOver(one.late, jobOf('a'));
    const [work] = await redis.keys(`${prefix}{a}late:work:*`);
    await one.late.close();
    await redis.hset(work ?? '', { owner: 'a process that died', deaths: 3 });
    const heirs = answeringRunner('heir');
    await using heir = lateReplica(server.url, prefix, {}, heirs);
    await until(async () => (await heir.late.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await heir.late.list({ state: 'failed', limit: 10 });
    expect([failed?.error, heirs.asked, heir.events]).toEqual([
      '4 processes have died while they worked on it.',
      [],
      ['NORMAL failed'],
    ]);
    expect(await allOf(await follow(heir.late, token))).toEqual([
      '1-0 reviews This part of the answer could not be fetched.',
    ]);
    expect(await heir.late.retry(failed?.id ?? '')).toBe('retried');
    await until(async () => (await heir.late.arrived(token, ada))?.updates[0]?.errors === null);
    expect(heirs.asked).toEqual(['a']);
  });

  test('can be tried again when its updates are forgotten', async () => {
    const prefix = randomUUID();
    const heirs = answeringRunner('other');
    await using one = lateReplica(server.url, prefix, { attempts: 1 }, heirs);
    const run = new HandRun();
    await handOver(one.late, jobOf('a', ['reviews', 'stock']), run);
    run.end(good('stock', 1), bad('reviews'));
    await until(async () => (await one.late.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.late.list({ state: 'failed', limit: 10 });
    await redis.del(`${prefix}{a}late:work:${failed?.id}`, `${prefix}{a}late:log:${failed?.id}`);
    expect(await one.late.retry(failed?.id ?? '')).toBe('retried');
    await until(async () => (await one.late.list({ state: undefined, limit: 10 })).length === 0);
    expect(heirs.asked).toEqual(['a']);
  });
});

describe('what is put aside', () => {
  const keepFailedFor = 3_600_000;
  const queueOf = (prefix: string) => `{${prefix}late}:enrichments`;
  const open = (prefix: string) => lateReplicaByHand(server.url, prefix, { attempts: 1, keepFailedFor });

  /** Returns the id of a job that has failed for good. */
  async function putAside(late: LateEnrichments, prefix: string): Promise<string> {
    const run = new HandRun();
    await handOver(late, jobOf('a'), run);
    run.end(bad('reviews'));
    const failed = () => redis.zrange(`${queueOf(prefix)}:failed`, '0', '-1');
    await until(async () => (await failed()).length === 1);
    return (await failed())[0] ?? '';
  }

  async function listed({ late }: ReturnType<typeof lateReplicaByHand>): Promise<readonly string[]> {
    return (await late.list({ state: 'failed', limit: 10 })).map(({ id }) => id);
  }

  test('is not listed for longer than it is to be kept, nor tried again', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await putAside(replica.late, prefix);
    // It has failed some time after the test began.
    replica.pass(keepFailedFor - 60_000);
    expect(await listed(replica)).toEqual([id]);
    replica.pass(60_000);
    expect(await listed(replica)).toEqual([]);
    expect(await replica.late.retry(id)).toBe('unknown');
  });

  test('is not tried again where nobody has listed it', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await putAside(replica.late, prefix);
    replica.pass(keepFailedFor);
    expect(await replica.late.retry(id)).toBe('unknown');
  });

  test('leaves Redis by itself, also when nothing else fails', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await putAside(replica.late, prefix);
    replica.pass(keepFailedFor - 60_000);
    expect(await redis.exists(`${queueOf(prefix)}:${id}`)).toBe(1);
    replica.pass(60_000);
    await until(async () => {
      // Looks while one is under way do nothing.
      replica.pass(5_000);
      return (await redis.exists(`${queueOf(prefix)}:${id}`)) === 0;
    });
    expect(await redis.zcard(`${queueOf(prefix)}:failed`)).toBe(0);
  });

  test('makes nothing grow in Redis while it is looked after', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await putAside(replica.late, prefix);
    for (let time = 0; time < 10; time++) {
      replica.pass(5_000);
      expect(await listed(replica)).toEqual([id]);
    }
    const events = await redis.xrange(`${queueOf(prefix)}:events`, '-', '+');
    expect(events.filter(([, fields]) => fields.includes('cleaned'))).toEqual([]);
  });
});

describe('what is too large for Redis', () => {
  test('has one attempt, in its process', async () => {
    const prefix = randomUUID();
    const runner = new HandRunner();
    await using one = lateReplica(server.url, prefix, { maxSnapshotSize: 10 }, runner);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    run.end(bad('reviews'));
    expect(await allOf(await follow(one.late, token))).toEqual(['1-0 reviews It is down.']);
    expect(one.events).toEqual(['kept here: too large', 'begun', 'NORMAL too large']);
    expect(await one.late.list({ state: undefined, limit: 10 })).toEqual([]);
    expect(runner.asked).toEqual([]);
    expect(await redis.keys(`*${prefix}*late:token*`)).toEqual([]);
  });

  test('is kept in its process', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix, { maxSnapshotSize: 10 });
    await using other = lateReplica(server.url, prefix);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    expect(one.events).toEqual(['kept here: too large', 'begun']);
    expect(await other.late.arrived(token, ada)).toBeUndefined();
    const updates = await follow(one.late, token);
    run.end(good('reviews'));
    expect(await allOf(updates)).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('a Redis', () => {
  test('that hangs holds up neither the hand-over nor what this process serves', async () => {
    await using own = await startOwnRedis();
    const prefix = randomUUID();
    await using one = lateReplica(own.url, prefix, { handOverTimeout: 20 });
    await handOver(one.late, jobOf('before'));
    own.pause();
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a', ['reviews', 'stock']), run);
    expect(one.events).toEqual(expect.arrayContaining(['kept here: redis']));
    const updates = await follow(one.late, token);
    run.give(good('reviews'));
    expect(brief((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    own.resume();
    // From now on others know of it.
    await using other = lateReplica(own.url, prefix);
    await until(async () => (await other.late.arrived(token, ada))?.updates.length === 1);
    run.end(good('stock', 1));
    expect(await allOf(updates)).toEqual(['2-0 stock 1']);
    expect(await allOf(await follow(other.late, token, '1-0'))).toEqual(['2-0 stock 1']);
  });

  test('that is full takes no job, and what it does not take is finished by its process', async () => {
    await using own = await startOwnRedis();
    const admin = connectRedis(own.url);
    try {
      const prefix = randomUUID();
      await using one = lateReplica(own.url, prefix, { handOverTimeout: 20 });
      await handOver(one.late, jobOf('before'));
      await admin.config('SET', 'maxmemory', '1');
      const run = new HandRun();
      const token = await handOver(one.late, jobOf('a'), run);
      expect(one.events).toEqual(expect.arrayContaining(['kept here: redis']));
      const updates = await follow(one.late, token);
      run.end(good('reviews'));
      expect(await allOf(updates)).toEqual(['1-0 reviews "reviews!"']);
      await until(() => one.warned.some(({ problem }) => problem === 'out of memory'));
      await admin.config('SET', 'maxmemory', '0');
      const next = new HandRun();
      await using other = lateReplica(own.url, prefix);
      const taken = await handOver(one.late, jobOf('b'), next);
      next.end(good('reviews'));
      await until(async () => (await other.late.arrived(taken, ada))?.hasNext === false);
    } finally {
      admin.disconnect();
    }
  });

  test.each([
    ['with what it had', ['--appendonly', 'yes', '--appendfsync', 'always']],
    ['empty', []],
  ])('that comes back %s loses nothing, and nothing comes twice', async (_, options) => {
    await using own = await startOwnRedis(options);
    const prefix = randomUUID();
    await using one = lateReplica(own.url, prefix);
    await using other = lateReplica(own.url, prefix);
    const runs = Array.from({ length: 100 }, () => new HandRun());
    const tokens = await Promise.all(
      runs.map((run, number) => handOver(one.late, jobOf(`${number}`, ['a', 'b', 'c']), run)),
    );
    const followed = await Promise.all(tokens.map((token) => follow(other.late, token)));
    for (const run of runs) run.give(good('a', 1));
    for (const updates of followed) expect(brief((await updates.next()).value)).toBe('1-0 a 1 …');
    const rest = Promise.all(followed.map(allOf));
    await own.kill();
    for (const run of runs) run.give(good('b', 1));
    await own.restart();
    for (const run of runs) run.end(good('c', 1));
    expect(await rest).toEqual(runs.map(() => ['2-0 b 1 …', '3-0 c 1']));
    await until(async () => (await other.late.list({ state: undefined, limit: 10 })).length === 0);
    // All of it is there for those who come late.
    for (const token of tokens) {
      expect((await other.late.arrived(token, ada))?.updates.map(brief)).toEqual([
        '1-0 a 1 …',
        '2-0 b 1 …',
        '3-0 c 1',
      ]);
    }
  });

  test('that is gone is in the log once a minute, however many jobs there are', async () => {
    await using own = await startOwnRedis();
    await using one = lateReplica(own.url, randomUUID());
    const runs = Array.from({ length: 50 }, () => new HandRun());
    const tokens = await Promise.all(runs.map((run, number) => handOver(one.late, jobOf(`${number}`), run)));
    await own.kill();
    for (const run of runs) run.end(good('reviews'));
    await until(() => one.warned.some(({ problem }) => problem === 'unreachable'));
    await own.restart();
    for (const token of tokens) await allOf(await follow(one.late, token));
    const kinds = one.warned.map(({ problem }) => problem);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(one.warned.map(({ count }) => count)).toEqual(kinds.map(() => 1));
  });

  test('that hangs is kept no more bytes for than may be under way, and as many that have ended', async () => {
    await using own = await startOwnRedis();
    const prefix = randomUUID();
    const jobs = { maxPendingSize: 700, handOverTimeout: 1 };
    await using one = lateReplica(own.url, prefix, jobs);
    await handOver(one.late, { ...jobOf('before'), size: 0 });
    own.pause();
    const tokens: string[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const run = new HandRun();
      tokens.push(await handOver(one.late, jobOf(id), run));
      run.end(good('reviews'));
      await until(() => one.late.pending === 1);
    }
    own.resume();
    await using other = lateReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.late.arrived(token, ada)));
    await until(async () => (await arrived())[3]?.hasNext === false);
    // 300 bytes each.
    expect((await arrived()).map((updates) => updates?.updates.length)).toEqual([
      1,
      1,
      1,
      1,
      undefined,
      undefined,
    ]);
    // Here they are there.
    for (const token of tokens) {
      expect((await one.late.arrived(token, ada))?.updates.map(brief)).toEqual(['1-0 reviews "reviews!"']);
    }
  });

  test('that takes no updates gets no further jobs where they are too many bytes', async () => {
    await using own = await startOwnRedis();
    const prefix = randomUUID();
    await using one = lateReplica(own.url, prefix, { maxUpdatesSize: 1_000, handOverTimeout: 1 });
    await handOver(one.late, jobOf('before'));
    own.pause();
    const runs = Array.from({ length: 3 }, () => new HandRun());
    const tokens: string[] = [];
    for (const [number, run] of runs.entries()) {
      tokens.push(await handOver(one.late, jobOf(`${number}`), run));
      run.end(good('reviews', 'x'.repeat(600)));
      await until(() => one.late.pending === 1);
    }
    own.resume();
    await using other = lateReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.late.arrived(token, ada)));
    await until(async () => (await arrived())[1]?.hasNext === false);
    expect((await arrived()).map((updates) => updates?.updates.length)).toEqual([1, 1, undefined]);
    // Here it is there.
    expect((await one.late.arrived(tokens[2] ?? '', ada))?.updates.length).toBe(1);
  });

  test('that is lost between two attempts holds up no attempt', async () => {
    await using own = await startOwnRedis();
    const runner = new HandRunner();
    await using one = lateReplica(own.url, randomUUID(), {}, runner);
    const run = new HandRun();
    const token = await handOver(one.late, jobOf('a'), run);
    await own.kill();
    run.end(bad('reviews'));
    await until(() => runner.runs.length === 1);
    runner.last.end(good('reviews'));
    await own.restart();
    expect(await allOf(await follow(one.late, token))).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('a Redis that is slow', () => {
  /** A process that reaches Redis over a network in the hands of the test, and what it goes on with for one that has
   *  left. */
  async function heirOf(prefix: string) {
    const proxy = await startHeldProxy(server.port);
    const one = lateReplica(server.url, prefix, { takeOverAfter: 60_000 });
    const token = await handOver(one.late, jobOf('a'));
    const heir = lateReplicaByHand(`redis://127.0.0.1:${proxy.port}`, prefix, { takeOverAfter: 60_000 });
    await one.late.close();
    await until(() => heir.runner.runs.length === 1);
    return {
      ...heir,
      proxy,
      token,
      async [Symbol.asyncDispose]() {
        proxy.release();
        await heir.late.close();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  test.each([
    ['does not say whether anybody wants a job', isWorkWanted.sha, false],
    ['has lost a job, and is not told anew yet', '\r\nown\r\n', true],
  ])('and %s lets it be tried again', async (_, text, isLost) => {
    const prefix = randomUUID();
    await using heir = await heirOf(prefix);
    const { proxy, late, events, runner } = heir;
    if (isLost) await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    const held = proxy.hold(text);
    runner.last.end(bad('reviews'));
    await until(() => events.includes('retry'));
    if (isLost) await held;
    // Backoff.
    heir.pass(1);
    await held;
    heir.pass(2_000);
    await until(() => late.pending === 0 || runner.runs.length === 2);
    expect(events).toEqual(['adopted: dead process', 'retry']);
    runner.last.end(good('reviews'));
    proxy.release();
    expect(await allOf(await follow(late, heir.token))).toEqual(['1-0 reviews "reviews!"']);
  });

  test('and finds an equal job when the answer has left takes nothing from who follows it', async () => {
    const prefix = randomUUID();
    await using proxy = await startHeldProxy(server.port);
    await using one = lateReplica(server.url, prefix);
    await using other = lateReplicaByHand(`redis://127.0.0.1:${proxy.port}`, prefix);
    const [run, second] = [new HandRun(), new HandRun()];
    const first = await handOver(one.late, jobOf('a'), run);
    const joining = proxy.hold(joinWork.sha);
    const handedOver = handOver(other.late, jobOf('a'), second);
    await joining;
    other.pass(10_000);
    const token = await handedOver;
    expect(other.events).toEqual(['kept here: redis', 'begun']);
    let followed: readonly string[] | undefined;
    void allOf(await follow(other.late, token)).then((updates) => (followed = updates));
    proxy.release();
    // Redis has both jobs, or one of them has been given up.
    await until(async () => {
      const [works, jobs] = [
        await redis.keys(`${prefix}{a}late:work:*`),
        await one.late.list({ state: undefined, limit: 10 }),
      ];
      return works.length === 2 || jobs.length === 1;
    });
    run.end(good('reviews', 'by one'));
    second.end(good('reviews', 'by other'));
    await until(() => followed !== undefined);
    expect(followed).toEqual(['1-0 reviews "by other"']);
    expect(await allOf(await follow(one.late, first))).toEqual(['1-0 reviews "by one"']);
    expect(second.isCancelled).toBe(false);
  });

  test('and leads to another job only afterwards is asked once more', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix);
    await using reader = lateReplicaByHand(server.url, prefix);
    const [run, other] = [new HandRun(), new HandRun()];
    const [token, second] = [
      await handOver(one.late, jobOf('a'), run),
      await handOver(one.late, jobOf('b'), other),
    ];
    const updates = allOf(await follow(reader.late, token));
    await until(async () => (await reader.late.arrived(token, ada)) !== undefined);
    // Longer than a Redis that has come back would be told anew.
    reader.pass(10_000);
    const keyOf = (text: string) => `${prefix}late:token:${hashOf(text)}`;
    await redis.set(keyOf(token), (await redis.get(keyOf(second))) ?? '');
    await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    reader.pass(5_000);
    other.end(good('reviews', 'by another job'));
    expect(await updates).toEqual(['1-0 reviews "by another job"']);
    expect((await reader.late.arrived(token, ada))?.updates.map(brief)).toEqual([
      '1-0 reviews "by another job"',
    ]);
  });

  test('and has forgotten what is still to come is no end of the updates', async () => {
    const prefix = randomUUID();
    await using one = lateReplica(server.url, prefix);
    await using reader = lateReplicaByHand(server.url, prefix);
    const token = await handOver(one.late, jobOf('a'));
    const updates = expect(allOf(await follow(reader.late, token))).rejects.toMatchObject({
      code: 'ENRICHMENT_EXPIRED',
    });
    await until(async () => (await reader.late.arrived(token, ada)) !== undefined);
    reader.pass(10_000);
    await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    reader.pass(5_000);
    await updates;
    expect(await reader.late.arrived(token, ada)).toBeUndefined();
  });
});
