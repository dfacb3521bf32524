import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { ReplyError } from 'ioredis';
import type { DeferredEnrichments } from '../../gateway/enrichment/deferredEnrichments.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import { RedisJobAdmin } from '../../gateway/enrichment/jobs/redisJobAdmin.ts';
import { slotOf } from '../../gateway/redis/clusterSlots.ts';
import { RetryingRedisClient } from '../../gateway/redis/retryingRedisClient.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import {
  ada,
  ControlledAttempt,
  collectUpdates,
  enqueueJob,
  failedResult,
  formatUpdate,
  jobOf,
  RecordingExecutor,
  subscribeToJob,
  successfulResult,
} from '../harness/enrichmentJobsFixture.ts';
import {
  closeTimeoutMs,
  closeWithTimeouts,
  createAnsweringExecutor,
  createEnrichmentReplica,
  createManualEnrichmentReplica,
  patientReclaim,
} from '../harness/enrichmentReplica.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { startDedicatedRedis, startRedisCluster } from '../harness/redis.ts';
import { parseRedisConfig, shortSocketTimeout } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

type AdminQueue = ConstructorParameters<typeof RedisJobAdmin>[0]['queue'];

/** What operators of another process see, with a queue of the test. */
function createAdmin(
  config: NonNullable<Parameters<typeof parseRedisConfig>[0]>,
  queue: AdminQueue,
): Pick<RedisJobAdmin, 'list' | 'retry'> & Disposable {
  const connection = new RetryingRedisClient({
    config: parseRedisConfig(config),
    onFailure: () => {},
    timers: systemTimers,
  });
  const keys = new JobKeys(config.keyPrefix ?? 'any');
  const admin = new RedisJobAdmin({ redis: connection, keys, queue, retentionMs: 70_000, now: Date.now });
  return {
    list: (query) => admin.list(query),
    retry: (id) => admin.retry(id),
    [Symbol.dispose]: () => connection.close(),
  };
}

describe('A job that fails', () => {
  test('becomes a dead letter that every process can list and retry', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    const attempts = 2;
    await using one = createEnrichmentReplica(server.url, prefix, { attempts }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('stock', 1), failedResult('reviews', 'first'));
    await waitUntil(() => executor.created.length === 1);
    expect(await one.enrichments.list({ state: undefined, limit: 10 })).toEqual([
      expect.objectContaining({ state: 'waiting', attempts: 1, error: 'first' }),
    ]);
    executor.lastAttempt.complete(failedResult('reviews', 'second'));
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual([
      '1-0 stock 1 …',
      '2-0 reviews second',
    ]);
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const otherExecutor = createAnsweringExecutor('other');
    await using other = createEnrichmentReplica(server.url, prefix, { attempts }, otherExecutor);
    // Otherwise either process could resume it.
    await one.enrichments.close(closeTimeoutMs);
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
    // Names of BullMQ's own keys: a hash, a sorted set, and a key of the run.
    for (const name of ['meta', 'failed', `${id}:lock`]) {
      expect([name, await other.enrichments.retry(name)]).toEqual([name, 'unknown']);
    }
    expect(await other.enrichments.retry(id)).toBe('retried');
    await waitUntil(async () => (await other.enrichments.readArrived(token, ada))?.hasNext === false);
    const after = await other.enrichments.readArrived(token, ada);
    expect(after?.updates.map(formatUpdate)).toEqual(['1-0 stock 1 …', '3-0 reviews "a by other"']);
    expect(otherExecutor.startedJobs).toEqual(['a']);
    await waitUntil(async () => (await other.enrichments.retry(id)) === 'unknown');
    expect(other.events).toEqual(['resumed: dead letter', 'NORMAL done']);
  });

  test('becomes a dead letter although its process dies before it has moved it there', async () => {
    const prefix = randomUUID();
    await using proxy = await startPausableProxy(server.port);
    const proxyUrl = `redis://127.0.0.1:${proxy.port}`;
    const one = createManualEnrichmentReplica(proxyUrl, prefix, { attempts: 1 });
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    // The queue reads the job before it moves it.
    const moving = proxy.pauseAt('hgetall');
    attempt.complete(successfulResult('stock', 1), failedResult('reviews', 'It is down.'));
    await moving;
    await proxy[Symbol.asyncDispose]();
    await using heir = createEnrichmentReplica(server.url, prefix, {}, createAnsweringExecutor('heir'));
    const list = () => heir.enrichments.list({ state: undefined, limit: 10 });
    await waitUntil(async () => (await list())[0]?.state !== 'waiting');
    const jobs = await list();
    expect(jobs).toMatchObject([{ state: 'failed', attempts: 1, error: 'It is down.' }]);
    expect(await heir.enrichments.retry(jobs[0]?.id ?? '')).toBe('retried');
    await waitUntil(async () => (await heir.enrichments.readArrived(token, ada))?.hasNext === false);
    const arrived = await heir.enrichments.readArrived(token, ada);
    expect(arrived?.updates.map(formatUpdate)).toEqual(['1-0 stock 1 …', '3-0 reviews "a by heir"']);
    await closeWithTimeouts(one);
  });

  test('is retried once, although another process retries it with outdated data', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(
      server.url,
      prefix,
      { attempts: 1 },
      createAnsweringExecutor('one'),
    );
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.enrichments.list({ state: 'failed', limit: 10 });
    const id = failed?.id ?? '';
    // The data that the other process has read before the retry.
    const run = JSON.parse((await redis.hget(`{${prefix}enrichment}:enrichments:${id}`, 'data')) ?? '');
    expect(await one.enrichments.retry(id)).toBe('retried');
    const tried = ['2-0 reviews "a by one"'];
    await waitUntil(async () => (await one.enrichments.readArrived(token, ada))?.hasNext === false);
    using other = createAdmin(
      { url: server.url, keyPrefix: prefix },
      { get: async () => ({ run, isFailed: true }), retry: async () => false, list: async () => [] },
    );
    expect(await other.retry(id)).toBe('not failed');
    expect(await one.enrichments.readArrived(token, ada)).toMatchObject({ hasNext: false });
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual(tried);
  });

  test('cannot be listed while Redis refuses the password: an error that names the reason', async () => {
    const refused = async (): Promise<never> => {
      throw new ReplyError('WRONGPASS invalid username-password pair or user is disabled.');
    };
    using admin = createAdmin({ url: server.url }, { get: refused, retry: refused, list: refused });
    const expected = { code: 'OVERLOADED', message: expect.stringContaining('(authentication)') };
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(admin.retry('any')).rejects.toMatchObject(expected);
  });

  test('cannot be listed or retried while Redis cannot be reached: an error when an attempt to connect has failed', async () => {
    await using own = await startDedicatedRedis();
    await own.kill();
    const waitForRedis = () => new Promise<never>(() => {});
    using admin = createAdmin(
      { url: own.url },
      { get: waitForRedis, retry: waitForRedis, list: waitForRedis },
    );
    const expected = {
      code: 'OVERLOADED',
      message: expect.stringContaining('(unreachable)'),
      cause: expect.objectContaining({ message: `connect ECONNREFUSED 127.0.0.1:${own.port}` }),
    };
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(admin.retry('any')).rejects.toMatchObject(expected);
  });

  test('cannot be listed or retried while the master of a Cluster with the queue is down: an error without waiting for it', async () => {
    await using cluster = await startRedisCluster();
    let isLost = false;
    const list = () => (isLost ? new Promise<never>(() => {}) : Promise.resolve([]));
    using admin = createAdmin(
      { cluster: { nodes: [...cluster.nodes] }, keyPrefix: 'any' },
      { get: async () => (await list())[0], retry: () => new Promise<never>(() => {}), list },
    );
    expect(await admin.list({ state: undefined, limit: 1 })).toEqual([]);
    const [, tag = ''] = /{(.*)}/.exec(new JobKeys('any').queuePrefix) ?? [];
    await cluster.servers[Math.floor((slotOf(tag) * 3) / 16_384)]?.kill();
    isLost = true;
    const expected = { code: 'OVERLOADED', message: expect.stringMatching(/\((unreachable|cluster)\)/) };
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(admin.retry('any')).rejects.toMatchObject(expected);
  });

  test('cannot be listed or retried after a fault of the gateway, which is not reported as one of Redis', async () => {
    const fault = new TypeError("Cannot read properties of undefined (reading 'fields')");
    const fail = () => Promise.reject(fault);
    using admin = createAdmin({ url: server.url }, { get: fail, retry: fail, list: fail });
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toBe(fault);
    await expect(admin.retry('any')).rejects.toBe(fault);
  });

  test('cannot be listed or retried while Redis hangs: an error with the reason after redis.timeouts.socket', async () => {
    await using own = await startDedicatedRedis();
    await using one = createManualEnrichmentReplica(own.url, randomUUID(), patientReclaim, {
      timeouts: shortSocketTimeout,
    });
    await one.enrichments.list({ state: undefined, limit: 1 });
    own.pause();
    const expected = {
      code: 'OVERLOADED',
      message: 'Redis does not give access to enrichment jobs (unreachable). Try again later.',
      cause: expect.objectContaining({ message: expect.stringContaining('Socket timeout') }),
    };
    // No timer of the jobs is due.
    await expect(one.enrichments.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(one.enrichments.retry('any')).rejects.toMatchObject(expected);
    own.resume();
  });

  test('cannot be listed while Redis hangs: an error for operators after a timeout', async () => {
    await using own = await startDedicatedRedis();
    await using one = createManualEnrichmentReplica(own.url, randomUUID(), patientReclaim);
    await one.enrichments.list({ state: undefined, limit: 1 });
    own.pause();
    const listed = expect(one.enrichments.list({ state: undefined, limit: 1 })).rejects.toMatchObject({
      code: 'OVERLOADED',
      message: 'Redis did not give access to enrichment jobs within 5 s. Try again when it answers.',
    });
    one.advance(5_000);
    await listed;
    own.resume();
  });

  test('together with each of its owners becomes a dead letter, and can be retried', async () => {
    const prefix = randomUUID();
    const one = createEnrichmentReplica(server.url, prefix);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    const [runKey] = await redis.keys(`${prefix}{a}enrichment:run:*`);
    await one.enrichments.close(closeTimeoutMs);
    await redis.hset(runKey ?? '', { owner: 'a process that died', ownerDeaths: 3 });
    const executor = createAnsweringExecutor('heir');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    await waitUntil(async () => (await heir.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await heir.enrichments.list({ state: 'failed', limit: 10 });
    expect([failed?.error, executor.startedJobs, heir.events]).toEqual([
      '4 processes died while they ran this job.',
      [],
      ['NORMAL failed'],
    ]);
    expect(await collectUpdates(await subscribeToJob(heir.enrichments, token))).toEqual([
      '1-0 reviews The gateway could not fetch this field. Send the operation again.',
    ]);
    expect(await heir.enrichments.retry(failed?.id ?? '')).toBe('retried');
    await waitUntil(
      async () => (await heir.enrichments.readArrived(token, ada))?.updates[0]?.errors === null,
    );
    expect(executor.startedJobs).toEqual(['a']);
  });

  test('can be retried after its updates have expired', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    await using one = createEnrichmentReplica(server.url, prefix, { attempts: 1 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('stock', 1), failedResult('reviews'));
    await waitUntil(async () => (await one.enrichments.list({ state: 'failed', limit: 10 })).length === 1);
    const [failed] = await one.enrichments.list({ state: 'failed', limit: 10 });
    await redis.del(`${prefix}{a}enrichment:run:${failed?.id}`, `${prefix}{a}enrichment:log:${failed?.id}`);
    expect(await one.enrichments.retry(failed?.id ?? '')).toBe('retried');
    await waitUntil(async () => (await one.enrichments.list({ state: undefined, limit: 10 })).length === 0);
    expect(executor.startedJobs).toEqual(['a']);
    // A Redis that evicts keys has the token. The updates are those of the retried field only.
    await using reader = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    await waitUntil(async () => {
      reader.advance(10_000);
      return (await reader.enrichments.readArrived(token, ada)) === undefined;
    });
  });
});

describe('A dead letter', () => {
  const deadLetterRetention = 3_600_000;
  const queueOf = (prefix: string) => `{${prefix}enrichment}:enrichments`;
  const open = (prefix: string) =>
    createManualEnrichmentReplica(server.url, prefix, { attempts: 1, deadLetterRetention });

  /** Returns the id of a job that has failed for good. */
  async function createDeadLetter(enrichments: DeferredEnrichments, prefix: string): Promise<string> {
    const attempt = new ControlledAttempt();
    await enqueueJob(enrichments, jobOf('a'), attempt);
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

  test('is neither listed nor retried after its retention', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    // The job failed some time after the test began.
    replica.advance(deadLetterRetention - 60_000);
    expect(await listed(replica)).toEqual([id]);
    replica.advance(60_000);
    expect(await listed(replica)).toEqual([]);
    expect(await replica.enrichments.retry(id)).toBe('unknown');
  });

  test('stays one if Redis refuses its retry: an error that says so, and a later retry runs it', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    // The first command with which the queue changes something.
    await redis.call('acl', 'setuser', 'default', '-zrem');
    try {
      await expect(replica.enrichments.retry(id)).rejects.toMatchObject({
        code: 'OVERLOADED',
        message: expect.stringContaining('Redis does not give access to enrichment jobs'),
      });
    } finally {
      await redis.call('acl', 'setuser', 'default', '+zrem');
    }
    expect(await listed(replica)).toEqual([id]);
    expect(await replica.enrichments.retry(id)).toBe('retried');
  });

  test('is retried although Redis becomes full just before the queue moves it', async () => {
    await using proxy = await startPausableProxy(server.port);
    const prefix = randomUUID();
    await using replica = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix, {
      attempts: 1,
    });
    const id = await createDeadLetter(replica.enrichments, prefix);
    // The last command of the retry: a script, which removes the job from the dead letters before it adds it elsewhere.
    const moving = proxy.pauseAt('failedReason');
    const retried = replica.enrichments.retry(id);
    await moving;
    await redis.config('SET', 'maxmemory', '1');
    try {
      proxy.resume();
      // Redis refuses no command of a script that has changed something.
      expect(await retried).toBe('retried');
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    await waitUntil(() => replica.executor.created.length === 1);
    replica.executor.lastAttempt.complete(successfulResult('reviews'));
    await waitUntil(async () => (await replica.enrichments.retry(id)) === 'unknown');
  });

  test('is not retried after its retention although nothing has listed it', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    replica.advance(deadLetterRetention);
    expect(await replica.enrichments.retry(id)).toBe('unknown');
  });

  test('is removed from Redis after its retention, although nothing lists it or fails', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    replica.advance(deadLetterRetention - 60_000);
    expect(await redis.exists(`${queueOf(prefix)}:${id}`)).toBe(1);
    replica.advance(60_000);
    await waitUntil(async () => {
      // Has no effect while an eviction is in progress.
      replica.advance(5_000);
      return (await redis.exists(`${queueOf(prefix)}:${id}`)) === 0;
    });
    expect(await redis.zcard(`${queueOf(prefix)}:failed`)).toBe(0);
  });

  test.each([
    { title: 'that Redis has evicted', evict: (key: string) => redis.del(key) },
    {
      title: 'of which Redis has only what BullMQ wrote after the eviction',
      evict: (key: string) => redis.hdel(key, 'data'),
    },
  ])('$title is neither listed nor retried', async ({ evict }) => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    expect(await listed(replica)).toEqual([id]);
    await evict(`${queueOf(prefix)}:${id}`);
    expect(await listed(replica)).toEqual([]);
    expect(await replica.enrichments.retry(id)).toBe('unknown');
  });

  test('makes no event stream grow in Redis while it is stored', async () => {
    const prefix = randomUUID();
    await using replica = open(prefix);
    const id = await createDeadLetter(replica.enrichments, prefix);
    for (let time = 0; time < 10; time++) {
      replica.advance(5_000);
      expect(await listed(replica)).toEqual([id]);
    }
    const events = await redis.xrange(`${queueOf(prefix)}:events`, '-', '+');
    expect(events.filter(([, fields]) => fields.includes('cleaned'))).toEqual([]);
  });
});
