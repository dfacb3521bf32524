import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { DeferredEnrichments } from '../../gateway/enrichment/deferredEnrichments.ts';
import { hashOf } from '../../gateway/enrichment/jobs/enrichmentToken.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import { isRunWanted, joinRun } from '../../gateway/enrichment/jobs/jobScripts.ts';
import { RedisJobAdmin } from '../../gateway/enrichment/jobs/redisJobAdmin.ts';
import { RetryingRedisClient } from '../../gateway/redis/retryingRedisClient.ts';
import {
  ada,
  ControlledAttempt,
  collectUpdates,
  failedResult,
  formatUpdate,
  jobOf,
  RecordingExecutor,
  successfulResult,
} from '../harness/enrichmentJobsFixture.ts';
import {
  createAnsweringExecutor,
  createEnrichmentReplica,
  createManualEnrichmentReplica,
  tokenTtlMs,
} from '../harness/enrichmentReplica.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { connectRedis, type DedicatedRedisServer, startDedicatedRedis } from '../harness/redis.ts';
import { parseRedisConfig } from '../harness/redisStoreFixture.ts';

// The first run on a machine may have to download the program.
const downloadTimeoutMs = 300_000;

let server: DedicatedRedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startDedicatedRedis();
  redis = connectRedis(server.url);
}, downloadTimeoutMs);
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

async function enqueue(
  enrichments: DeferredEnrichments,
  job: ReturnType<typeof jobOf>,
  attempt = new ControlledAttempt(),
) {
  const ticket = await enrichments.enqueue(job, attempt, ada);
  if (ticket === undefined) throw new Error('There was no room.');
  return ticket.token;
}

async function subscribe(enrichments: DeferredEnrichments, token: string, cursor?: string) {
  const updates = await enrichments.subscribe(token, ada, cursor);
  if (updates === undefined) throw new Error('The token leads nowhere.');
  return updates;
}

// Less than a test may take: what never becomes true says so.
const patienceMs = 45_000;

/** Resolves when the probe is true; asks again as often as Redis answers. */
async function waitUntil(probe: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`Not true after ${patienceMs / 1_000} s: ${probe}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('two processes', () => {
  test('serve each other’s tokens, each update once and in order, from any cursor on', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using other = createEnrichmentReplica(server.url, prefix);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock', 'price']), attempt);
    const [here, there] = [
      await subscribe(one.enrichments, token),
      await subscribe(other.enrichments, token),
    ];
    attempt.emit(successfulResult('stock', { é: 5 }));
    expect((await there.next()).value).toEqual({
      path: ['product', 'stock'],
      label: null,
      data: { é: 5 },
      errors: null,
      hasNext: true,
      cursor: '1-0',
    });
    expect(await other.enrichments.readArrived(token, { identity: 'bob' })).toBeUndefined();
    attempt.complete(successfulResult('reviews'), failedResult('price', 'There is none.', false));
    const rest = ['2-0 reviews "reviews!" …', '3-0 price There is none.'];
    expect(await collectUpdates(there)).toEqual(rest);
    expect(await collectUpdates(here)).toEqual(['1-0 stock {"é":5} …', ...rest]);
    expect(await collectUpdates(await subscribe(other.enrichments, token, '2-0'))).toEqual(rest.slice(1));
    const arrived = await other.enrichments.readArrived(token, ada);
    expect([arrived?.updates.length, arrived?.hasNext]).toEqual([3, false]);
  });

  test('keep neither tokens nor identities in Redis, and nothing for longer than it is needed', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    await collectUpdates(await subscribe(one.enrichments, token));
    const queued = `{${prefix}late}`;
    // Removed from the queue when it is done.
    await waitUntil(async () => (await redis.exists(`${queued}:enrichments:delayed`)) === 0);
    const keys = (await redis.keys(`*${prefix}*`)).filter((key) => !key.startsWith(queued));
    expect(
      keys.map((key) => key.slice(prefix.length).replace(/[\w-]{36,43}$|\.[\w-]+$/, '#')).sort(),
    ).toEqual(['late:alive:#', 'late:token:#', '{a}late:log:a#', '{a}late:work:a#']);
    for (const key of keys) {
      const text = JSON.stringify([key, await redis.dumpBuffer(key).then((dump) => String(dump))]);
      expect(text).not.toContain(token);
      expect(text).not.toContain('ada');
      const left = await redis.pttl(key);
      expect([key, left > 0 && left <= tokenTtlMs + 10_000]).toEqual([key, true]);
    }
  });

  test('work once on equal jobs', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using other = createEnrichmentReplica(server.url, prefix);
    const [attempt, second] = [new ControlledAttempt(), new ControlledAttempt()];
    const first = await enqueue(one.enrichments, jobOf('a'), attempt);
    const token = await enqueue(other.enrichments, jobOf('a'), second);
    expect([second.isCancelled, other.enrichments.count, other.events]).toEqual([true, 0, ['joined']]);
    attempt.complete(successfulResult('reviews'));
    for (const enrichments of [one.enrichments, other.enrichments]) {
      expect(await collectUpdates(await subscribe(enrichments, first))).toEqual(['1-0 reviews "reviews!"']);
      expect(await collectUpdates(await subscribe(enrichments, token))).toEqual(['1-0 reviews "reviews!"']);
    }
    await using third = createEnrichmentReplica(server.url, prefix);
    await enqueue(third.enrichments, jobOf('a'));
    expect(third.events).toEqual(['begun']);
  });

  test('leave a job to the one that lives, however long it takes', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    await using one = createEnrichmentReplica(server.url, prefix, { takeOverAfter: 100 });
    await using other = createEnrichmentReplica(server.url, prefix, { takeOverAfter: 100 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    const [id] = (await other.enrichments.list({ state: 'waiting', limit: 10 })).map((job) => job.id);
    // Due several times.
    const started = async () => Number(await redis.hget(`{${prefix}late}:enrichments:${id}`, 'ats'));
    await waitUntil(async () => (await started()) >= 3);
    expect([executor.startedJobs, other.events]).toEqual([[], []]);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(other.enrichments, token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
    await waitUntil(async () => (await other.enrichments.list({ state: undefined, limit: 10 })).length === 0);
  });

  test('go on with what one leaves when it closes, without waiting', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    const one = createEnrichmentReplica(server.url, prefix, { takeOverAfter: 60_000 });
    await using other = createEnrichmentReplica(server.url, prefix, { takeOverAfter: 60_000 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('stock', 1));
    const updates = await subscribe(other.enrichments, token);
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 stock 1 …');
    await one.enrichments.close();
    expect(attempt.isCancelled).toBe(true);
    expect(await collectUpdates(updates)).toEqual(['2-0 reviews "a by other"']);
  });
});

describe('a process that dies', () => {
  test('leaves its jobs to another one, which shows each update once', async () => {
    const prefix = randomUUID();
    const count = 200;
    const script = new URL('../harness/enrichmentProcess.ts', import.meta.url).pathname;
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(process.execPath, [script, server.url, prefix, `${count}`], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    const [line] = await once(createInterface(child.stdout), 'line');
    const tokens = JSON.parse(line) as string[];
    const executor = createAnsweringExecutor('heir');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    const all = tokens.map(async (token) => collectUpdates(await subscribe(heir.enrichments, token)));
    // What it has brought by itself is there.
    await waitUntil(async () => {
      const arrived = await Promise.all(tokens.map((token) => heir.enrichments.readArrived(token, ada)));
      return arrived.every((updates) => updates?.updates.length === 1);
    });
    child.kill('SIGKILL');
    await ended;
    expect(await Promise.all(all)).toEqual(
      tokens.map((_, number) => ['1-0 done "by the dead" …', `2-0 open "job${number} by heir"`]),
    );
    expect(executor.startedJobs).toHaveLength(count);
    expect(new Set(executor.startedJobs).size).toBe(count);
    await waitUntil(async () => (await heir.enrichments.list({ state: undefined, limit: 1 })).length === 0);
  });
});

test('what nobody can pick up any more is dropped when its process has died', async () => {
  const prefix = randomUUID();
  const one = createEnrichmentReplica(server.url, prefix);
  await enqueue(one.enrichments, jobOf('a'));
  const [work] = await redis.keys(`${prefix}{a}late:work:*`);
  await one.enrichments.close();
  await redis.del(work ?? '');
  const executor = createAnsweringExecutor('heir');
  await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
  await waitUntil(async () => (await heir.enrichments.list({ state: undefined, limit: 10 })).length === 0);
  expect([heir.events, executor.startedJobs]).toEqual([['NORMAL unwanted'], []]);
});

describe('a process that was thought to be dead', () => {
  test('may add what it has, but no failure to what another one is at', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(server.url, prefix, { attempts: 1 });
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    const [work] = await redis.keys(`${prefix}{a}late:work:*`);
    await redis.hset(work ?? '', 'owner', 'a process that died');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    await waitUntil(() => executor.attempts.length === 1);
    attempt.complete(successfulResult('reviews'), failedResult('stock'));
    await waitUntil(() => one.enrichments.count === 0);
    const updates = await subscribe(heir.enrichments, token);
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    executor.lastAttempt.complete(successfulResult('reviews', 'again'), successfulResult('stock', 1));
    expect(await collectUpdates(updates)).toEqual(['2-0 stock 1']);
    await waitUntil(async () => (await heir.enrichments.list({ state: undefined, limit: 10 })).length === 0);
  });
});

describe('what fails', () => {
  test('is put aside for all processes to see, and tried again by any of them', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    const attempts = 2;
    await using one = createEnrichmentReplica(server.url, prefix, { attempts }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('stock', 1), failedResult('reviews', 'first'));
    await waitUntil(() => executor.attempts.length === 1);
    expect(await one.enrichments.list({ state: undefined, limit: 10 })).toEqual([
      expect.objectContaining({ state: 'waiting', attempts: 1, error: 'first' }),
    ]);
    executor.lastAttempt.complete(failedResult('reviews', 'second'));
    expect(await collectUpdates(await subscribe(one.enrichments, token))).toEqual([
      '1-0 stock 1 …',
      '2-0 reviews second',
    ]);
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const otherExecutor = createAnsweringExecutor('other');
    await using other = createEnrichmentReplica(server.url, prefix, { attempts }, otherExecutor);
    // Whoever handles it first tries it.
    await one.enrichments.close();
    const [failed, ...more] = await other.enrichments.list({ state: undefined, limit: 10 });
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
    expect(await other.enrichments.retry('a.none')).toBe('unknown');
    expect(await other.enrichments.retry(id)).toBe('retried');
    await waitUntil(async () => (await other.enrichments.readArrived(token, ada))?.hasNext === false);
    const after = await other.enrichments.readArrived(token, ada);
    expect(after?.updates.map(formatUpdate)).toEqual(['1-0 stock 1 …', '3-0 reviews "a by other"']);
    expect(otherExecutor.startedJobs).toEqual(['a']);
    await waitUntil(async () => (await other.enrichments.retry(id)) === 'unknown');
    expect(other.events).toEqual(['adopted: put aside', 'NORMAL done']);
  });

  test('is tried again once, however late somebody else wants that too', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(
      server.url,
      prefix,
      { attempts: 1 },
      createAnsweringExecutor('one'),
    );
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.enrichments.list({ state: 'failed', limit: 10 });
    const id = failed?.id ?? '';
    // What the other one has seen before.
    const work = JSON.parse((await redis.hget(`{${prefix}late}:enrichments:${id}`, 'data')) ?? '');
    expect(await one.enrichments.retry(id)).toBe('retried');
    const tried = ['2-0 reviews "a by one"'];
    await waitUntil(async () => (await one.enrichments.readArrived(token, ada))?.hasNext === false);
    const config = parseRedisConfig({ url: server.url, keyPrefix: prefix });
    const connection = new RetryingRedisClient({ config, onFailure: () => {} });
    const other = new RedisJobAdmin({
      redis: connection,
      keys: new JobKeys(prefix),
      queue: {
        get: async () => ({ run: work, isFailed: true }),
        retry: async () => false,
        list: async () => [],
      },
      retentionMs: 70_000,
      now: Date.now,
    });
    expect(await other.retry(id)).toBe('not failed');
    connection.close();
    expect(await one.enrichments.readArrived(token, ada)).toMatchObject({ hasNext: false });
    expect(await collectUpdates(await subscribe(one.enrichments, token))).toEqual(tried);
  });

  test('with every process that does it is put aside, and can be tried again', async () => {
    const prefix = randomUUID();
    const one = createEnrichmentReplica(server.url, prefix);
    const token = await enqueue(one.enrichments, jobOf('a'));
    const [work] = await redis.keys(`${prefix}{a}late:work:*`);
    await one.enrichments.close();
    await redis.hset(work ?? '', { owner: 'a process that died', deaths: 3 });
    const executor = createAnsweringExecutor('heir');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    await waitUntil(async () => (await heir.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await heir.enrichments.list({ state: 'failed', limit: 10 });
    expect([failed?.error, executor.startedJobs, heir.events]).toEqual([
      '4 processes have died while they worked on it.',
      [],
      ['NORMAL failed'],
    ]);
    expect(await collectUpdates(await subscribe(heir.enrichments, token))).toEqual([
      '1-0 reviews This part of the answer could not be fetched.',
    ]);
    expect(await heir.enrichments.retry(failed?.id ?? '')).toBe('retried');
    await waitUntil(
      async () => (await heir.enrichments.readArrived(token, ada))?.updates[0]?.errors === null,
    );
    expect(executor.startedJobs).toEqual(['a']);
  });

  test('can be tried again when its updates are forgotten', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    await using one = createEnrichmentReplica(server.url, prefix, { attempts: 1 }, executor);
    const attempt = new ControlledAttempt();
    await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('stock', 1), failedResult('reviews'));
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.enrichments.list({ state: 'failed', limit: 10 });
    await redis.del(`${prefix}{a}late:work:${failed?.id}`, `${prefix}{a}late:log:${failed?.id}`);
    expect(await one.enrichments.retry(failed?.id ?? '')).toBe('retried');
    await waitUntil(async () => (await one.enrichments.list({ state: undefined, limit: 10 })).length === 0);
    expect(executor.startedJobs).toEqual(['a']);
  });
});

describe('what is put aside', () => {
  const keepFailedFor = 3_600_000;
  const queueOf = (prefix: string) => `{${prefix}late}:enrichments`;
  const open = (prefix: string) =>
    createManualEnrichmentReplica(server.url, prefix, { attempts: 1, keepFailedFor });

  /** Returns the id of a job that has failed for good. */
  async function createDeadLetter(enrichments: DeferredEnrichments, prefix: string): Promise<string> {
    const attempt = new ControlledAttempt();
    await enqueue(enrichments, jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    const failed = () => redis.zrange(`${queueOf(prefix)}:failed`, '0', '-1');
    await waitUntil(async () => (await failed()).length === 1);
    return (await failed())[0] ?? '';
  }

  async function listed({
    enrichments,
  }: ReturnType<typeof createManualEnrichmentReplica>): Promise<readonly string[]> {
    return (await enrichments.list({ state: 'failed', limit: 10 })).map(({ id }) => id);
  }

  test('is not listed for longer than it is to be kept, nor tried again', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    // It has failed some time after the test began.
    replica.pass(keepFailedFor - 60_000);
    expect(await listed(replica)).toEqual([id]);
    replica.pass(60_000);
    expect(await listed(replica)).toEqual([]);
    expect(await replica.enrichments.retry(id)).toBe('unknown');
  });

  test('is not tried again where nobody has listed it', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    replica.pass(keepFailedFor);
    expect(await replica.enrichments.retry(id)).toBe('unknown');
  });

  test('leaves Redis by itself, also when nothing else fails', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    replica.pass(keepFailedFor - 60_000);
    expect(await redis.exists(`${queueOf(prefix)}:${id}`)).toBe(1);
    replica.pass(60_000);
    await waitUntil(async () => {
      // Looks while one is under way do nothing.
      replica.pass(5_000);
      return (await redis.exists(`${queueOf(prefix)}:${id}`)) === 0;
    });
    expect(await redis.zcard(`${queueOf(prefix)}:failed`)).toBe(0);
  });

  test('makes nothing grow in Redis while it is looked after', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
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
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(server.url, prefix, { maxSnapshotSize: 10 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    expect(await collectUpdates(await subscribe(one.enrichments, token))).toEqual([
      '1-0 reviews It is down.',
    ]);
    expect(one.events).toEqual(['kept here: too large', 'begun', 'NORMAL too large']);
    expect(await one.enrichments.list({ state: undefined, limit: 10 })).toEqual([]);
    expect(executor.startedAttempts).toEqual([]);
    expect(await redis.keys(`*${prefix}*late:token*`)).toEqual([]);
  });

  test('is kept in its process', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, { maxSnapshotSize: 10 });
    await using other = createEnrichmentReplica(server.url, prefix);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    expect(one.events).toEqual(['kept here: too large', 'begun']);
    expect(await other.enrichments.readArrived(token, ada)).toBeUndefined();
    const updates = await subscribe(one.enrichments, token);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(updates)).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('a Redis', () => {
  test('that hangs holds up neither the hand-over nor what this process serves', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix, { handOverTimeout: 20 });
    await enqueue(one.enrichments, jobOf('before'));
    own.pause();
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    expect(one.events).toEqual(expect.arrayContaining(['kept here: redis']));
    const updates = await subscribe(one.enrichments, token);
    attempt.emit(successfulResult('reviews'));
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    own.resume();
    // From now on others know of it.
    await using other = createEnrichmentReplica(own.url, prefix);
    await waitUntil(async () => (await other.enrichments.readArrived(token, ada))?.updates.length === 1);
    attempt.complete(successfulResult('stock', 1));
    expect(await collectUpdates(updates)).toEqual(['2-0 stock 1']);
    expect(await collectUpdates(await subscribe(other.enrichments, token, '1-0'))).toEqual(['2-0 stock 1']);
  });

  test('that is full takes no job, and what it does not take is finished by its process', async () => {
    await using own = await startDedicatedRedis();
    const admin = connectRedis(own.url);
    try {
      const prefix = randomUUID();
      await using one = createEnrichmentReplica(own.url, prefix, { handOverTimeout: 20 });
      await enqueue(one.enrichments, jobOf('before'));
      await admin.config('SET', 'maxmemory', '1');
      const attempt = new ControlledAttempt();
      const token = await enqueue(one.enrichments, jobOf('a'), attempt);
      expect(one.events).toEqual(expect.arrayContaining(['kept here: redis']));
      const updates = await subscribe(one.enrichments, token);
      attempt.complete(successfulResult('reviews'));
      expect(await collectUpdates(updates)).toEqual(['1-0 reviews "reviews!"']);
      await waitUntil(() => one.warned.some(({ problem }) => problem === 'out of memory'));
      await admin.config('SET', 'maxmemory', '0');
      const next = new ControlledAttempt();
      await using other = createEnrichmentReplica(own.url, prefix);
      const taken = await enqueue(one.enrichments, jobOf('b'), next);
      next.complete(successfulResult('reviews'));
      await waitUntil(async () => (await other.enrichments.readArrived(taken, ada))?.hasNext === false);
    } finally {
      admin.disconnect();
    }
  });

  test.each([
    ['with what it had', ['--appendonly', 'yes', '--appendfsync', 'always']],
    ['empty', []],
  ])('that comes back %s loses nothing, and nothing comes twice', async (_, options) => {
    await using own = await startDedicatedRedis(options);
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix);
    await using other = createEnrichmentReplica(own.url, prefix);
    const attempts = Array.from({ length: 100 }, () => new ControlledAttempt());
    const tokens = await Promise.all(
      attempts.map((attempt, number) =>
        enqueue(one.enrichments, jobOf(`${number}`, ['a', 'b', 'c']), attempt),
      ),
    );
    const followed = await Promise.all(tokens.map((token) => subscribe(other.enrichments, token)));
    for (const attempt of attempts) attempt.emit(successfulResult('a', 1));
    for (const updates of followed) expect(formatUpdate((await updates.next()).value)).toBe('1-0 a 1 …');
    const rest = Promise.all(followed.map(collectUpdates));
    await own.kill();
    for (const attempt of attempts) attempt.emit(successfulResult('b', 1));
    await own.restart();
    for (const attempt of attempts) attempt.complete(successfulResult('c', 1));
    expect(await rest).toEqual(attempts.map(() => ['2-0 b 1 …', '3-0 c 1']));
    await waitUntil(async () => (await other.enrichments.list({ state: undefined, limit: 10 })).length === 0);
    // All of it is there for those who come late.
    for (const token of tokens) {
      expect((await other.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
        '1-0 a 1 …',
        '2-0 b 1 …',
        '3-0 c 1',
      ]);
    }
  });

  test('that is gone is in the log once a minute, however many jobs there are', async () => {
    await using own = await startDedicatedRedis();
    await using one = createEnrichmentReplica(own.url, randomUUID());
    const attempts = Array.from({ length: 50 }, () => new ControlledAttempt());
    const tokens = await Promise.all(
      attempts.map((attempt, number) => enqueue(one.enrichments, jobOf(`${number}`), attempt)),
    );
    await own.kill();
    for (const attempt of attempts) attempt.complete(successfulResult('reviews'));
    await waitUntil(() => one.warned.some(({ problem }) => problem === 'unreachable'));
    await own.restart();
    for (const token of tokens) await collectUpdates(await subscribe(one.enrichments, token));
    const kinds = one.warned.map(({ problem }) => problem);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(one.warned.map(({ count }) => count)).toEqual(kinds.map(() => 1));
  });

  test('that hangs is kept no more bytes for than may be under way, and as many that have ended', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    const jobs = { maxPendingSize: 700, handOverTimeout: 1 };
    await using one = createEnrichmentReplica(own.url, prefix, jobs);
    await enqueue(one.enrichments, { ...jobOf('before'), size: 0 });
    own.pause();
    const tokens: string[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const attempt = new ControlledAttempt();
      tokens.push(await enqueue(one.enrichments, jobOf(id), attempt));
      attempt.complete(successfulResult('reviews'));
      await waitUntil(() => one.enrichments.count === 1);
    }
    own.resume();
    await using other = createEnrichmentReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.enrichments.readArrived(token, ada)));
    await waitUntil(async () => (await arrived())[3]?.hasNext === false);
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
      expect((await one.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
        '1-0 reviews "reviews!"',
      ]);
    }
  });

  test('that takes no updates gets no further jobs where they are too many bytes', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix, { maxUpdatesSize: 1_000, handOverTimeout: 1 });
    await enqueue(one.enrichments, jobOf('before'));
    own.pause();
    const attempts = Array.from({ length: 3 }, () => new ControlledAttempt());
    const tokens: string[] = [];
    for (const [number, attempt] of attempts.entries()) {
      tokens.push(await enqueue(one.enrichments, jobOf(`${number}`), attempt));
      attempt.complete(successfulResult('reviews', 'x'.repeat(600)));
      await waitUntil(() => one.enrichments.count === 1);
    }
    own.resume();
    await using other = createEnrichmentReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.enrichments.readArrived(token, ada)));
    await waitUntil(async () => (await arrived())[1]?.hasNext === false);
    expect((await arrived()).map((updates) => updates?.updates.length)).toEqual([1, 1, undefined]);
    // Here it is there.
    expect((await one.enrichments.readArrived(tokens[2] ?? '', ada))?.updates.length).toBe(1);
  });

  test('that is lost between two attempts holds up no attempt', async () => {
    await using own = await startDedicatedRedis();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(own.url, randomUUID(), {}, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueue(one.enrichments, jobOf('a'), attempt);
    await own.kill();
    attempt.complete(failedResult('reviews'));
    await waitUntil(() => executor.attempts.length === 1);
    executor.lastAttempt.complete(successfulResult('reviews'));
    await own.restart();
    expect(await collectUpdates(await subscribe(one.enrichments, token))).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('a Redis that is slow', () => {
  /** A process that reaches Redis over a network in the hands of the test, and what it goes on with for one that has
   *  left. */
  async function heirOf(prefix: string) {
    const proxy = await startPausableProxy(server.port);
    const one = createEnrichmentReplica(server.url, prefix, { takeOverAfter: 60_000 });
    const token = await enqueue(one.enrichments, jobOf('a'));
    const heir = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix, {
      takeOverAfter: 60_000,
    });
    await one.enrichments.close();
    await waitUntil(() => heir.executor.attempts.length === 1);
    return {
      ...heir,
      proxy,
      token,
      async [Symbol.asyncDispose]() {
        proxy.resume();
        await heir.enrichments.close();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  test.each([
    ['does not say whether anybody wants a job', isRunWanted.sha, false],
    ['has lost a job, and is not told anew yet', '\r\nown\r\n', true],
  ])('and %s lets it be tried again', async (_, text, isLost) => {
    const prefix = randomUUID();
    await using heir = await heirOf(prefix);
    const { proxy, enrichments, events, executor } = heir;
    if (isLost) await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    const held = proxy.pauseAt(text);
    executor.lastAttempt.complete(failedResult('reviews'));
    await waitUntil(() => events.includes('retry'));
    if (isLost) await held;
    // Backoff.
    heir.pass(1);
    await held;
    heir.pass(2_000);
    await waitUntil(() => enrichments.count === 0 || executor.attempts.length === 2);
    expect(events).toEqual(['adopted: dead process', 'retry']);
    executor.lastAttempt.complete(successfulResult('reviews'));
    proxy.resume();
    expect(await collectUpdates(await subscribe(enrichments, heir.token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
  });

  test('and finds an equal job when the answer has left takes nothing from who follows it', async () => {
    const prefix = randomUUID();
    await using proxy = await startPausableProxy(server.port);
    await using one = createEnrichmentReplica(server.url, prefix);
    await using other = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix);
    const [attempt, second] = [new ControlledAttempt(), new ControlledAttempt()];
    const first = await enqueue(one.enrichments, jobOf('a'), attempt);
    const joining = proxy.pauseAt(joinRun.sha);
    const enqueued = enqueue(other.enrichments, jobOf('a'), second);
    await joining;
    other.pass(10_000);
    const token = await enqueued;
    expect(other.events).toEqual(['kept here: redis', 'begun']);
    let followed: readonly string[] | undefined;
    void collectUpdates(await subscribe(other.enrichments, token)).then((updates) => (followed = updates));
    proxy.resume();
    // Redis has both jobs, or one of them has been given up.
    await waitUntil(async () => {
      const [works, jobs] = [
        await redis.keys(`${prefix}{a}late:work:*`),
        await one.enrichments.list({ state: undefined, limit: 10 }),
      ];
      return works.length === 2 || jobs.length === 1;
    });
    attempt.complete(successfulResult('reviews', 'by one'));
    second.complete(successfulResult('reviews', 'by other'));
    await waitUntil(() => followed !== undefined);
    expect(followed).toEqual(['1-0 reviews "by other"']);
    expect(await collectUpdates(await subscribe(one.enrichments, first))).toEqual(['1-0 reviews "by one"']);
    expect(second.isCancelled).toBe(false);
  });

  test('and leads to another job only afterwards is asked once more', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using reader = createManualEnrichmentReplica(server.url, prefix);
    const [attempt, other] = [new ControlledAttempt(), new ControlledAttempt()];
    const [token, second] = [
      await enqueue(one.enrichments, jobOf('a'), attempt),
      await enqueue(one.enrichments, jobOf('b'), other),
    ];
    const updates = collectUpdates(await subscribe(reader.enrichments, token));
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    // Longer than a Redis that has come back would be told anew.
    reader.pass(10_000);
    const keyOf = (text: string) => `${prefix}late:token:${hashOf(text)}`;
    await redis.set(keyOf(token), (await redis.get(keyOf(second))) ?? '');
    await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    reader.pass(5_000);
    other.complete(successfulResult('reviews', 'by another job'));
    expect(await updates).toEqual(['1-0 reviews "by another job"']);
    expect((await reader.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
      '1-0 reviews "by another job"',
    ]);
  });

  test('and has forgotten what is still to come is no end of the updates', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using reader = createManualEnrichmentReplica(server.url, prefix);
    const token = await enqueue(one.enrichments, jobOf('a'));
    const updates = expect(collectUpdates(await subscribe(reader.enrichments, token))).rejects.toMatchObject({
      code: 'ENRICHMENT_EXPIRED',
    });
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    reader.pass(10_000);
    await redis.del(await redis.keys(`${prefix}{a}late:work:*`));
    reader.pass(5_000);
    await updates;
    expect(await reader.enrichments.readArrived(token, ada)).toBeUndefined();
  });
});
