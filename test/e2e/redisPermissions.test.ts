import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import { JobQueue } from '../../gateway/enrichment/jobs/jobQueue.ts';
import {
  ada,
  ControlledAttempt,
  collectUpdates,
  enqueueJob,
  jobOf,
  subscribeToJob,
  successfulResult,
} from '../harness/enrichmentJobsFixture.ts';
import {
  closeTimeoutMs,
  createAnsweringExecutor,
  createEnrichmentReplica,
} from '../harness/enrichmentReplica.ts';
import { startGatewayProcess } from '../harness/gatewayProcess.ts';
import { connectRedis, startDedicatedRedis } from '../harness/redis.ts';
import {
  EventCounter,
  longRedisTimeouts,
  openRedisStore,
  parseRedisConfig,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server, redis: operator } = await startSuiteRedis();

const urlOf = (user: string) => server.url.replace('redis://', `redis://${user}:password@`);

/** Creates a user with everything that `rules` do not take away. */
async function createUser(...rules: string[]): Promise<string> {
  const user = randomUUID();
  await operator.call('ACL', 'SETUSER', user, 'on', '>password', '~*', '&*', '+@all', ...rules);
  return urlOf(user);
}

function createQueue(
  url: string,
  options: Partial<ConstructorParameters<typeof JobQueue>[0]>,
): JobQueue & Disposable {
  const queue = new JobQueue({
    config: parseRedisConfig({ url, timeouts: longRedisTimeouts }),
    prefix: `{${randomUUID()}}`,
    dueAfterMs: 60_000,
    concurrency: 10,
    maxDeadLetters: 1,
    deadLetterRetentionMs: 60_000,
    now: Date.now,
    handle: async () => 'done',
    onError: () => {},
    ...options,
  });
  return Object.assign(queue, { [Symbol.dispose]: () => queue.close() });
}

test('a gateway whose Redis user may not run INFO answers requests, prints nothing about it, and ends with SIGTERM', async () => {
  await operator.call('ACL', 'LOG', 'RESET');
  await using gateway = await startGatewayProcess({
    supergraph: { file: demoSupergraphFile, watch: false },
    redis: { url: await createUser('-@dangerous') },
    enrichment: { mode: 'always' },
  });
  while (!JSON.stringify(await operator.call('ACL', 'LOG')).includes('"info"'));
  for (let request = 0; request < 3; request++) {
    const signal = AbortSignal.timeout(60_000);
    const response = await fetch(new URL('/health/ready', gateway.adminUrl), { signal });
    expect(await response.json()).not.toHaveProperty('notes');
  }
  expect(await gateway.stop()).toBe(0);
  expect((await gateway.waitForOutput(/^/)).input).not.toContain('INFO');
});

test('a job queue whose Redis user may not run INFO starts runs that are due', async () => {
  let onHandled = (_: string) => {};
  const handled = new Promise<string>((resolve) => {
    onHandled = resolve;
  });
  using queue = createQueue(await createUser('-@dangerous'), {
    dueAfterMs: 10,
    handle: async ({ id }) => {
      onHandled(id);
      return 'done';
    },
  });
  queue.start();
  await queue.add({ id: 'a.1', job: jobOf('a'), createdAt: 0, createdBy: 'any' });
  expect(await handled).toBe('a.1');
  await queue.stop();
});

test('a job queue removes a run whose data Redis has lost, and reports it', async () => {
  await using own = await startDedicatedRedis();
  const redis = connectRedis(own.url);
  const errors: string[] = [];
  const handled: string[] = [];
  const prefix = '{lost}';
  using queue = createQueue(own.url, {
    prefix,
    dueAfterMs: 10,
    handle: async ({ id }) => {
      handled.push(id);
      return 'postponed';
    },
    onError: ({ message }) => errors.push(message),
  });
  await queue.add({ id: 'a.1', job: jobOf('a'), createdAt: 0, createdBy: 'any' });
  // Like an eviction. The queue still has the id.
  await redis.unlink(`${prefix}:enrichments:a.1`);
  queue.start();
  while (errors.length === 0) await redis.ping();
  await queue.stop();
  const names = ['a.1', 'delayed', 'wait', 'active', 'failed', 'completed'];
  expect(await redis.exists(...names.map((name) => `${prefix}:enrichments:${name}`))).toBe(0);
  redis.disconnect();
  expect([handled, errors]).toEqual([
    [],
    ['Redis has lost enrichment job a.1. Its maxmemory-policy must be noeviction.'],
  ]);
});

test('a job queue whose Redis user may not move runs rejects, and makes a run due once it may', async () => {
  const url = await createUser('-zrem');
  const prefix = `{${randomUUID()}}`;
  using queue = createQueue(url, { prefix });
  const due = () => operator.lrange(`${prefix}:enrichments:wait`, 0, -1);
  const run = { id: 'a.1', job: jobOf('a'), createdAt: 0, createdBy: 'any' };
  const refused = { name: 'ReplyError' };
  const failure = { failedKeys: [], attempts: 1, error: 'any' };
  await queue.add(run);
  await expect(queue.promote(run.id)).rejects.toMatchObject(refused);
  await expect(queue.fail({ ...run, failure })).rejects.toMatchObject(refused);
  expect(await due()).toEqual([]);
  await operator.call('ACL', 'SETUSER', new URL(url).username, '+zrem');
  await queue.promote(run.id);
  expect(await due()).toEqual([run.id]);
  // It is due already.
  await queue.promote(run.id);
  await queue.fail({ ...run, failure });
  expect(await due()).toEqual([run.id]);
});

test('a job queue prints nothing about the eviction policy of Redis, which the gateway logs', async () => {
  await using own = await startDedicatedRedis(['--maxmemory-policy', 'allkeys-lru']);
  const printed = jest.spyOn(console, 'warn').mockImplementation(() => {});
  using queue = createQueue(own.url, {});
  expect(await queue.list('waiting', 1)).toEqual([]);
  expect(printed).not.toHaveBeenCalled();
});

test('a job queue prints nothing about a version of Redis that BullMQ does not recommend', async () => {
  const printed = jest.spyOn(console, 'warn').mockImplementation(() => {});
  const versions = ['redis_version:6.0.16', 'redis_version:5.0.14'];
  const info = jest
    .spyOn(Redis.prototype, 'info')
    .mockImplementation((async (callback?: unknown) =>
      typeof callback === 'function' ? callback(null, '') : versions.pop()) as Redis['info']);
  for (const _ of [...versions]) {
    using queue = createQueue(server.url, {});
    expect(await queue.list('waiting', 1)).toEqual([]);
  }
  info.mockRestore();
  expect([printed.mock.calls, versions]).toEqual([[], []]);
});

test.each(['zadd', 'zremrangebyscore', 'pttl', 'pexpire'])(
  'a cache whose Redis user may not run %s stores no entry, as no invalidation could find it',
  async (command) => {
    const [clock, keyPrefix] = [new TestClock(), randomUUID()];
    const config = parseRedisConfig({
      url: await createUser(`-${command}`),
      keyPrefix,
      timeouts: longRedisTimeouts,
    });
    await using cache = await openRedisStore(config, clock.now);
    cache.store.setMany([createCacheWrite(clock, { key: 'a', tags: ['tag'] })], cache.store.beginRead());
    await cache.waitForWrites();
    expect(await operator.exists(new RedisKeys(keyPrefix, 1).entry(0, 'a'))).toBe(0);
    expect(Object.fromEntries(cache.problems.counts)).toEqual({ authentication: 1 });
  },
);

test('a Redis user that may not subscribe to the channels is logged', async () => {
  await using replica = createEnrichmentReplica(await createUser('resetchannels'), randomUUID());
  while (replica.warned.length === 0) await waitForTurns();
  expect(replica.warned[0]).toEqual({
    problem: 'authentication',
    count: 1,
    message: expect.stringMatching(/^127\.0\.0\.1:\d+: NOPERM .* \(subscribe .*enrichment:changes\)$/),
  });
});

test('updates are written when the Redis user gets the permission for streams, which it has lacked', async () => {
  const prefix = randomUUID();
  const url = await createUser('-xadd');
  await using one = createEnrichmentReplica(url, prefix, { enqueueTimeout: 1 });
  await using other = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 60_000 });
  const attempt = new ControlledAttempt();
  const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
  attempt.complete(successfulResult('reviews'), successfulResult('stock', 1));
  // The first failure may be that of the queue.
  while (!one.warned.some(({ problem }) => problem === 'authentication')) await waitForTurns();
  await operator.call('ACL', 'SETUSER', new URL(url).username, '+xadd');
  while ((await other.enrichments.readArrived(token, ada))?.hasNext !== false);
  expect(await collectUpdates(await subscribeToJob(other.enrichments, token))).toEqual([
    '1-0 reviews "reviews!" …',
    '2-0 stock 1',
  ]);
});

test.each([
  ['is full', async (redis: Redis) => void (await redis.config('SET', 'maxmemory', '1'))],
  [
    'refuses scripts',
    async (redis: Redis) => void (await redis.call('ACL', 'SETUSER', 'default', '-@scripting')),
  ],
])('an idle job queue sends few commands while Redis %s', async (_, refuse) => {
  await using own = await startDedicatedRedis();
  const redis = connectRedis(own.url);
  let errors = 0;
  using queue = createQueue(own.url, {
    onError: () => {
      errors += 1;
    },
  });
  await queue.list('waiting', 1);
  await refuse(redis);
  queue.start();
  while (errors === 0) await redis.ping();
  const countErrors = async () =>
    Number(/total_error_replies:(\d+)/.exec(await redis.info('stats'))?.[1] ?? Number.NaN);
  const before = await countErrors();
  // Without a pause, the queue would send about as many commands meanwhile.
  for (let command = 0; command < 500; command++) await redis.ping();
  const errorReplies = (await countErrors()) - before;
  redis.disconnect();
  await queue.stop();
  expect(errorReplies).toBeLessThan(50);
});

test('a job queue has no timer that keeps the process alive after it was closed while Redis refused scripts', async () => {
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const errors = new EventCounter();
  using queue = createQueue(await createUser('-@scripting'), { onError: errors.increment });
  queue.start();
  // Of fetching a run, and of looking for stalled ones.
  await errors.waitForCount(2);
  await queue.stop();
  queue.close();
  const delays = timers.mock.calls.map(([, delay]) => delay);
  timers.mockRestore();
  // BullMQ cannot cancel its wait after an error.
  expect(delays).not.toContain(5_000);
});

describe('The Redis user of docs/production.md', () => {
  test('has the permissions for the cache and for enrichment jobs, and no others', async () => {
    const page = readFileSync(new URL('../../docs/production.md', import.meta.url), 'utf8');
    const [, rules = ''] = /^ACL SETUSER tributary (.+)$/m.exec(page) ?? [];
    await operator.call('ACL', 'LOG', 'RESET');
    await operator.call('ACL', 'SETUSER', 'tributary', ...rules.split(' '));
    const [url, prefix] = [urlOf('tributary'), 'tributary:'];

    const clock = new TestClock();
    const config = parseRedisConfig({ url, keyPrefix: prefix, timeouts: longRedisTimeouts });
    await using cache = await openRedisStore(config, clock.now);
    cache.store.setMany([createCacheWrite(clock, { key: 'a', tags: ['tag'] })], cache.store.beginRead());
    await cache.waitForWrites();
    expect(await cache.store.deleteByTags(['tag'])).toEqual({ deleted: 1, isPending: false });

    const one = createEnrichmentReplica(url, prefix);
    await using other = createEnrichmentReplica(url, prefix, {}, createAnsweringExecutor('other'));
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    // The other process resumes the job.
    await one.enrichments.close(closeTimeoutMs);
    while ((await other.enrichments.readArrived(token, ada))?.hasNext !== false);
    while ((await other.enrichments.list({ state: undefined, limit: 10 })).length > 0);

    expect(await operator.call('ACL', 'LOG')).toEqual([]);
    expect([...one.warned, ...other.warned].filter(({ problem }) => problem !== undefined)).toEqual([]);
    const user = connectRedis(url);
    await expect(user.call('FLUSHALL')).rejects.toThrow('NOPERM');
    await expect(user.call('GET', 'of another program')).rejects.toThrow('NOPERM');
    user.disconnect();
  });
});
