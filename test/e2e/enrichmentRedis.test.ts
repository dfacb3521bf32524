import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { describe, expect, test } from '@jest/globals';
import { slotOf } from '../../gateway/cache/store/redisKeys.ts';
import type { DeferredEnrichments, EnrichmentUpdate } from '../../gateway/enrichment/deferredEnrichments.ts';
import { hashOf } from '../../gateway/enrichment/jobs/enrichmentToken.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import { isRunWanted, joinRun, writeRun } from '../../gateway/enrichment/jobs/jobScripts.ts';
import { RedisJobAdmin } from '../../gateway/enrichment/jobs/redisJobAdmin.ts';
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
  createAnsweringExecutor,
  createEnrichmentReplica,
  createManualEnrichmentReplica,
  tokenTtlMs,
} from '../harness/enrichmentReplica.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import {
  connectRedis,
  type DedicatedRedisServer,
  type RedisCluster,
  startDedicatedRedis,
  startRedisCluster,
} from '../harness/redis.ts';
import { parseRedisConfig, shortSocketTimeout } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

type ManualReplica = ReturnType<typeof createManualEnrichmentReplica>;

/** For processes that live to the end of the test. With less, a pause of this process would make one take the other for dead. */
const patientReclaim = { reclaimAfter: 60_000 };

/** Two processes: one has begun a job, and the other reaches Redis through a proxy. */
async function startJoinableJob() {
  const prefix = randomUUID();
  const started = new AsyncDisposableStack();
  const proxy = started.use(await startPausableProxy(server.port));
  const one = started.use(createEnrichmentReplica(server.url, prefix, patientReclaim));
  const proxyUrl = `redis://127.0.0.1:${proxy.port}`;
  const other = started.use(createEnrichmentReplica(proxyUrl, prefix, patientReclaim));
  const attempt = new ControlledAttempt();
  await enqueueJob(one.enrichments, jobOf('a'), attempt);
  return { prefix, proxy, one, other, attempt, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Resolves when as many processes receive the changes of others. Each then writes again what Redis may have lost. */
async function waitForSubscribers(prefix: string, count: number): Promise<void> {
  const { changesChannel } = new JobKeys(prefix);
  await waitUntil(async () => (await redis.pubsub('NUMSUB', changesChannel))[1] === count);
}

/** Two processes without a heartbeat on the last master of the Cluster, which the test closes. */
async function startClusterReplicas({ nodes, servers }: RedisCluster) {
  const lastMaster = connectRedis(servers.at(-1)?.url ?? '');
  for (;;) {
    const prefix = randomUUID();
    const create = (): ManualReplica =>
      createManualEnrichmentReplica('', prefix, patientReclaim, { cluster: { nodes: [...nodes] } });
    const [one, other] = [create(), create()];
    // Answers after the first heartbeat.
    for (const { enrichments } of [one, other]) await enrichments.list({ state: undefined, limit: 1 });
    if ((await lastMaster.keys('*:heartbeat:*')).length === 0) {
      lastMaster.disconnect();
      return { prefix, one, other };
    }
    for (const { enrichments } of [one, other]) await enrichments.close(closeTimeoutMs);
  }
}

/** Closes a process that cannot store everything: its timeouts pass. */
async function closeWithTimeouts({ enrichments, advance }: ManualReplica): Promise<void> {
  let isClosed = false;
  const closed = enrichments.close(closeTimeoutMs).then(() => {
    isClosed = true;
  });
  await waitUntil(() => {
    advance(100);
    return isClosed;
  });
  await closed;
}

describe('Two processes that share Redis', () => {
  test('serve each other’s tokens: each update once and in order, after any cursor', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock', 'price']), attempt);
    const [here, there] = [
      await subscribeToJob(one.enrichments, token),
      await subscribeToJob(other.enrichments, token),
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
    expect(await other.enrichments.readArrived(token, { tokenOwner: 'bob' })).toBeUndefined();
    attempt.complete(successfulResult('reviews'), failedResult('price', 'There is none.', false));
    const remaining = ['2-0 reviews "reviews!" …', '3-0 price There is none.'];
    expect(await collectUpdates(there)).toEqual(remaining);
    expect(await collectUpdates(here)).toEqual(['1-0 stock {"é":5} …', ...remaining]);
    expect(await collectUpdates(await subscribeToJob(other.enrichments, token, '2-0'))).toEqual(
      remaining.slice(1),
    );
    const arrived = await other.enrichments.readArrived(token, ada);
    expect([arrived?.updates.length, arrived?.hasNext]).toEqual([3, false]);
  });

  test('serve more subscribers than maxPending, also when all of them read again', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createManualEnrichmentReplica(server.url, prefix, {
      ...patientReclaim,
      maxPending: 1,
    });
    const [attempts, subscriptions] = [[] as ControlledAttempt[], [] as AsyncIterator<unknown>[]];
    for (const id of ['a', 'b', 'c']) {
      const attempt = new ControlledAttempt();
      const token = await enqueueJob(one.enrichments, jobOf(id, ['reviews', 'stock']), attempt);
      attempt.emit(successfulResult('reviews'));
      const updates = await subscribeToJob(other.enrichments, token);
      expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
      attempts.push(attempt);
      subscriptions.push(updates);
    }
    const last = subscriptions.map((updates) => updates.next());
    await waitForTurns();
    // The interval after which subscribers read again.
    other.advance(5_000);
    for (const attempt of attempts) attempt.complete(successfulResult('stock', 1));
    for (const { value } of await Promise.all(last)) {
      expect(formatUpdate(value as EnrichmentUpdate)).toBe('2-0 stock 1');
    }
  });

  test('serve the tokens of more equal responses than maxPending, also at once', async () => {
    const prefix = randomUUID();
    const jobs = { ...patientReclaim, maxPending: 1 };
    await using one = createEnrichmentReplica(server.url, prefix, jobs);
    await using other = createEnrichmentReplica(server.url, prefix, jobs);
    const first = await enqueueJob(one.enrichments, jobOf('a'));
    const equal = Array.from({ length: 5 }, () => enqueueJob(one.enrichments, jobOf('a')));
    const reads = [first, ...(await Promise.all(equal))].map((token) =>
      other.enrichments.readArrived(token, ada),
    );
    expect(await Promise.all(reads)).toEqual(reads.map(() => ({ updates: [], hasNext: true })));
  });

  test('store neither tokens nor identities in Redis, and nothing without an expiry', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    await collectUpdates(await subscribeToJob(one.enrichments, token));
    const queued = `{${prefix}enrichment}`;
    // Removed from the queue when it is done.
    await waitUntil(async () => (await redis.exists(`${queued}:enrichments:delayed`)) === 0);
    const keys = (await redis.keys(`*${prefix}*`)).filter((key) => !key.startsWith(queued));
    expect(
      keys.map((key) => key.slice(prefix.length).replace(/[\w-]{36,43}$|\.[\w-]+$/, '#')).sort(),
    ).toEqual([
      'enrichment:heartbeat:#',
      'enrichment:token:#',
      '{a}enrichment:log:a#',
      '{a}enrichment:run:a#',
    ]);
    for (const key of keys) {
      const text = JSON.stringify([key, await redis.dumpBuffer(key).then((dump) => String(dump))]);
      expect(text).not.toContain(token);
      // As a word: random ids may contain these letters.
      expect(text).not.toMatch(/(?<![\w-])ada(?![\w-])/);
      const left = await redis.pttl(key);
      expect([key, left > 0 && left <= tokenTtlMs + 10_000]).toEqual([key, true]);
    }
  });

  test('run equal jobs once', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    const [attempt, second] = [new ControlledAttempt(), new ControlledAttempt()];
    const [traceparent, laterTraceparent] = [`00-${'1'.repeat(48)}-01`, `00-${'2'.repeat(48)}-01`];
    const first = await enqueueJob(one.enrichments, { ...jobOf('a'), traceparent }, attempt);
    const equal = { ...jobOf('a'), traceparent: laterTraceparent };
    const token = await enqueueJob(other.enrichments, equal, second);
    const found: unknown[] = [];
    const caller = { ...ada, onFound: (issuedIn?: string) => found.push(issuedIn) };
    await other.enrichments.readArrived(first, caller);
    await one.enrichments.readArrived(token, caller);
    // Each token belongs to the request that it was issued to.
    expect(found).toEqual([traceparent, laterTraceparent]);
    expect([second.isCancelled, other.enrichments.count, other.events]).toEqual([true, 0, ['joined']]);
    attempt.complete(successfulResult('reviews'));
    for (const enrichments of [one.enrichments, other.enrichments]) {
      expect(await collectUpdates(await subscribeToJob(enrichments, first))).toEqual([
        '1-0 reviews "reviews!"',
      ]);
      expect(await collectUpdates(await subscribeToJob(enrichments, token))).toEqual([
        '1-0 reviews "reviews!"',
      ]);
    }
    await using third = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await enqueueJob(third.enrichments, jobOf('a'));
    expect(third.events).toEqual(['created']);
  });

  test('each run their own of two equal jobs if the older one has an update or waits for another attempt', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, {
      ...patientReclaim,
      backoff: { base: 3_600_000, max: 3_600_000 },
    });
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    for (const [job, result] of [
      [jobOf('a', ['reviews', 'stock']), successfulResult('stock', 'old')],
      [jobOf('b', ['reviews', 'stock']), failedResult('stock')],
    ] as const) {
      const attempt = new ControlledAttempt();
      await enqueueJob(one.enrichments, job, attempt);
      attempt.emit(result);
      if (job.id === 'b') attempt.complete(failedResult('reviews'));
      const [run = ''] = await redis.keys(`${prefix}{${job.id}}enrichment:run:*`);
      const field = job.id === 'a' ? 'number' : 'attempts';
      await waitUntil(async () => (await redis.hget(run, field)) === '1');
      const [joining, later] = [new ControlledAttempt(), new ControlledAttempt()];
      const token = await enqueueJob(other.enrichments, job, joining);
      await enqueueJob(other.enrichments, job, later);
      expect([joining.isCancelled, later.isCancelled]).toEqual([false, true]);
      joining.complete(successfulResult('stock', 'new'), successfulResult('reviews'));
      expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual([
        '1-0 stock "new" …',
        '2-0 reviews "reviews!"',
      ]);
    }
    expect(other.events).toEqual([
      ...['created', 'joined', 'NORMAL done'],
      ...['created', 'joined', 'NORMAL done'],
    ]);
  });

  test('run equal jobs once, also when two responses of the second process overlap', async () => {
    await using started = await startJoinableJob();
    const { proxy, one, other, attempt } = started;
    const joining = proxy.pauseAt(joinRun.sha);
    const enqueued = [enqueueJob(other.enrichments, jobOf('a'))];
    await joining;
    enqueued.push(enqueueJob(other.enrichments, jobOf('a')));
    proxy.resume();
    const tokens = await Promise.all(enqueued);
    expect([other.enrichments.count, other.events]).toEqual([0, ['joined', 'joined']]);
    attempt.complete(successfulResult('reviews'));
    for (const { enrichments } of [one, other]) {
      for (const token of tokens) {
        expect(await collectUpdates(await subscribeToJob(enrichments, token))).toEqual([
          '1-0 reviews "reviews!"',
        ]);
      }
    }
  });

  test('run equal jobs once, also when the second process reconnects while it joins the first', async () => {
    await using started = await startJoinableJob();
    const { prefix, proxy, one, other, attempt } = started;
    // Otherwise the run would be written again while the connection is paused.
    await waitForSubscribers(prefix, 2);
    await enqueueJob(other.enrichments, jobOf('b'));
    const joining = proxy.pauseAt(joinRun.sha);
    const enqueued = enqueueJob(other.enrichments, jobOf('a'));
    await joining;
    // After each subscription, tokens are written again, and then runs.
    const recovering = proxy.pauseAt(writeRun.sha);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await recovering;
    proxy.resume();
    const token = await enqueued;
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
  });

  test('publish an update that arrives when only tokens of the other process are valid', async () => {
    const prefix = randomUUID();
    await using one = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    const attempt = new ControlledAttempt();
    await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    const token = await enqueueJob(other.enrichments, jobOf('a', ['reviews', 'stock']));
    expect(other.events).toEqual(['joined']);
    for (const _ of ['first', 'second']) one.advance(tokenTtlMs + 10_000);
    const laterToken = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']));
    attempt.complete(successfulResult('reviews'), successfulResult('stock', 1));
    await waitUntil(async () => (await other.enrichments.list({ state: undefined, limit: 1 })).length === 0);
    for (const known of [token, laterToken]) {
      const arrived = await other.enrichments.readArrived(known, ada);
      expect([arrived?.updates.map(formatUpdate), arrived?.hasNext]).toEqual([
        ['1-0 reviews "reviews!" …', '2-0 stock 1'],
        false,
      ]);
    }
  });

  test('do not reclaim a job of a live process, however long it takes', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    await using one = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 100 });
    await using other = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 100 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    const jobs = () => other.enrichments.list({ state: undefined, limit: 10 });
    await waitUntil(async () => (await jobs()).length === 1);
    const id = (await jobs())[0]?.id;
    // The number of times that the run was due.
    const started = async () => Number(await redis.hget(`{${prefix}enrichment}:enrichments:${id}`, 'ats'));
    await waitUntil(async () => (await started()) >= 3);
    expect([executor.startedJobs, other.events]).toEqual([[], []]);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribeToJob(other.enrichments, token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
    await waitUntil(async () => (await jobs()).length === 0);
  });

  test('resume the jobs of a process that closes at once, before reclaimAfter', async () => {
    const prefix = randomUUID();
    const executor = createAnsweringExecutor('other');
    const one = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 60_000 });
    await using other = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 60_000 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('stock', 1));
    const updates = await subscribeToJob(other.enrichments, token);
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 stock 1 …');
    await one.enrichments.close(closeTimeoutMs);
    expect(attempt.isCancelled).toBe(true);
    expect(await collectUpdates(updates)).toEqual(['2-0 reviews "a by other"']);
  });
});

describe('The shutdown of a process', () => {
  // The clock of these processes stands still: they cannot wait for a timeout.
  async function finishJob({ enrichments }: ManualReplica): Promise<void> {
    const attempt = new ControlledAttempt();
    await enqueueJob(enrichments, jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    await waitUntil(async () => (await enrichments.list({ state: undefined, limit: 10 })).length === 0);
  }

  test('waits for no Redis that was never reachable', async () => {
    await using own = await startDedicatedRedis();
    await own.kill();
    await createManualEnrichmentReplica(own.url, randomUUID()).enrichments.close(closeTimeoutMs);
  });

  test('waits for no Redis that died, when nothing is left to store', async () => {
    await using own = await startDedicatedRedis();
    const one = createManualEnrichmentReplica(own.url, randomUUID(), patientReclaim);
    await finishJob(one);
    await own.kill();
    await one.enrichments.close(closeTimeoutMs);
  });

  test('waits for no Cluster whose masters have died, when nothing is left to store', async () => {
    await using own = await startRedisCluster();
    const cluster = { nodes: [...own.nodes] };
    const one = createManualEnrichmentReplica('', randomUUID(), patientReclaim, { cluster });
    await finishJob(one);
    await Promise.all(own.servers.map((master) => master.kill()));
    await one.enrichments.close(closeTimeoutMs);
  });

  test('waits for a Redis that hangs no longer than redis.timeouts.socket, when nothing is left to store', async () => {
    await using own = await startDedicatedRedis();
    const timeouts = shortSocketTimeout;
    const one = createManualEnrichmentReplica(own.url, randomUUID(), patientReclaim, { timeouts });
    await finishJob(one);
    own.pause();
    await one.enrichments.close(closeTimeoutMs);
    own.resume();
  });

  test('stores updates in a Redis that comes back in time', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using other = createEnrichmentReplica(own.url, prefix, patientReclaim);
    const one = createManualEnrichmentReplica(own.url, prefix, patientReclaim);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('reviews'));
    await own.kill();
    attempt.complete(successfulResult('stock', 1));
    const closed = one.enrichments.close(closeTimeoutMs);
    await own.restart();
    await closed;
    const updates = await other.enrichments.readArrived(token, ada);
    expect(updates?.updates.map(formatUpdate)).toEqual(['1-0 reviews "reviews!" …', '2-0 stock 1']);
  });

  test('gives up after a timeout when updates are left to store', async () => {
    await using own = await startDedicatedRedis();
    const one = createManualEnrichmentReplica(own.url, randomUUID(), patientReclaim);
    const attempt = new ControlledAttempt();
    await enqueueJob(one.enrichments, jobOf('a'), attempt);
    await own.kill();
    attempt.complete(successfulResult('reviews'));
    await closeWithTimeouts(one);
  });
});

describe('A process that dies', () => {
  test('has its jobs reclaimed by another one, which publishes each update once', async () => {
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
    const all = tokens.map(async (token) => collectUpdates(await subscribeToJob(heir.enrichments, token)));
    // The updates of the process that will die.
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

test('A job whose tokens have expired is dropped when its process has died', async () => {
  const prefix = randomUUID();
  const one = createEnrichmentReplica(server.url, prefix);
  await enqueueJob(one.enrichments, jobOf('a'));
  const [runKey] = await redis.keys(`${prefix}{a}enrichment:run:*`);
  await one.enrichments.close(closeTimeoutMs);
  await redis.del(runKey ?? '');
  const executor = createAnsweringExecutor('heir');
  await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
  await waitUntil(async () => (await heir.enrichments.list({ state: undefined, limit: 10 })).length === 0);
  expect([heir.events, executor.startedJobs]).toEqual([['NORMAL expired'], []]);
});

describe('A process that was taken for dead', () => {
  test('serves the updates of the process that has reclaimed its job', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(server.url, prefix);
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']));
    const updates = collectUpdates(await subscribeToJob(one.enrichments, token));
    const [runKey] = await redis.keys(`${prefix}{a}enrichment:run:*`);
    await redis.hset(runKey ?? '', 'owner', 'a process that died');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    await waitUntil(() => executor.created.length === 1);
    executor.lastAttempt.complete(successfulResult('stock', 1), successfulResult('reviews', 'by the heir'));
    const expected = ['1-0 stock 1 …', '2-0 reviews "by the heir"'];
    expect(await updates).toEqual(expected);
    expect(await collectUpdates(await subscribeToJob(heir.enrichments, token))).toEqual(expected);
  });

  test('can add successful results, and no failures, to a run that another one has reclaimed', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(server.url, prefix, { attempts: 1 });
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    const [runKey] = await redis.keys(`${prefix}{a}enrichment:run:*`);
    await redis.hset(runKey ?? '', 'owner', 'a process that died');
    await using heir = createEnrichmentReplica(server.url, prefix, {}, executor);
    await waitUntil(() => executor.created.length === 1);
    attempt.complete(successfulResult('reviews'), failedResult('stock'));
    await waitUntil(() => one.enrichments.count === 0);
    const updates = await subscribeToJob(heir.enrichments, token);
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    executor.lastAttempt.complete(successfulResult('reviews', 'again'), successfulResult('stock', 1));
    expect(await collectUpdates(updates)).toEqual(['2-0 stock 1']);
    await waitUntil(async () => (await heir.enrichments.list({ state: undefined, limit: 10 })).length === 0);
  });
});

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
    const config = parseRedisConfig({ url: server.url, keyPrefix: prefix });
    const connection = new RetryingRedisClient({ config, onFailure: () => {}, timers: systemTimers });
    const other = new RedisJobAdmin({
      redis: connection,
      keys: new JobKeys(prefix),
      queue: {
        get: async () => ({ run, isFailed: true }),
        retry: async () => false,
        list: async () => [],
      },
      retentionMs: 70_000,
      now: Date.now,
    });
    expect(await other.retry(id)).toBe('not failed');
    connection.close();
    expect(await one.enrichments.readArrived(token, ada)).toMatchObject({ hasNext: false });
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual(tried);
  });

  test('cannot be listed while Redis refuses the password: an error that names the reason', async () => {
    const config = parseRedisConfig({ url: server.url });
    const connection = new RetryingRedisClient({ config, onFailure: () => {}, timers: systemTimers });
    const refused = async (): Promise<never> => {
      throw new Error('WRONGPASS invalid username-password pair or user is disabled.');
    };
    const admin = new RedisJobAdmin({
      redis: connection,
      keys: new JobKeys('any'),
      queue: { get: refused, retry: refused, list: refused },
      retentionMs: 70_000,
      now: Date.now,
    });
    const expected = { code: 'OVERLOADED', message: expect.stringContaining('(authentication)') };
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(admin.retry('any')).rejects.toMatchObject(expected);
    connection.close();
  });

  test('cannot be listed or retried while Redis cannot be reached: an error when an attempt to connect has failed', async () => {
    await using own = await startDedicatedRedis();
    await own.kill();
    const config = parseRedisConfig({ url: own.url });
    const connection = new RetryingRedisClient({ config, onFailure: () => {}, timers: systemTimers });
    const waitForRedis = () => new Promise<never>(() => {});
    const admin = new RedisJobAdmin({
      redis: connection,
      keys: new JobKeys('any'),
      queue: { get: waitForRedis, retry: waitForRedis, list: waitForRedis },
      retentionMs: 70_000,
      now: Date.now,
    });
    const expected = {
      code: 'OVERLOADED',
      message: expect.stringContaining('(unreachable)'),
      cause: expect.objectContaining({ message: `connect ECONNREFUSED 127.0.0.1:${own.port}` }),
    };
    await expect(admin.list({ state: undefined, limit: 1 })).rejects.toMatchObject(expected);
    await expect(admin.retry('any')).rejects.toMatchObject(expected);
    connection.close();
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

describe('A job with a snapshot beyond maxSnapshotSize', () => {
  test('has one attempt, and is not in Redis', async () => {
    const prefix = randomUUID();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(server.url, prefix, { maxSnapshotSize: 10 }, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual([
      '1-0 reviews It is down.',
    ]);
    expect(one.events).toEqual(['not persisted: too large', 'created', 'NORMAL too large']);
    expect(await one.enrichments.list({ state: undefined, limit: 10 })).toEqual([]);
    expect(executor.createdAttempts).toEqual([]);
    expect(await redis.keys(`*${prefix}*enrichment:token*`)).toEqual([]);
  });

  test('is served by its own process only', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, { maxSnapshotSize: 10 });
    await using other = createEnrichmentReplica(server.url, prefix);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    expect(one.events).toEqual(['not persisted: too large', 'created']);
    expect(await other.enrichments.readArrived(token, ada)).toBeUndefined();
    const updates = await subscribeToJob(one.enrichments, token);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(updates)).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('A Redis', () => {
  test('that hangs delays neither enqueue nor the updates of this process', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix, { enqueueTimeout: 20 });
    await enqueueJob(one.enrichments, jobOf('before'));
    own.pause();
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    expect(one.events).toEqual(expect.arrayContaining(['not persisted: redis']));
    const updates = await subscribeToJob(one.enrichments, token);
    attempt.emit(successfulResult('reviews'));
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    own.resume();
    // Now Redis gets the run.
    await using other = createEnrichmentReplica(own.url, prefix);
    await waitUntil(async () => (await other.enrichments.readArrived(token, ada))?.updates.length === 1);
    attempt.complete(successfulResult('stock', 1));
    expect(await collectUpdates(updates)).toEqual(['2-0 stock 1']);
    expect(await collectUpdates(await subscribeToJob(other.enrichments, token, '1-0'))).toEqual([
      '2-0 stock 1',
    ]);
  });

  test('that did not answer in time three times in a row delays no response until it answers in time', async () => {
    await using own = await startDedicatedRedis();
    const timeoutMs = 1_000;
    await using one = createManualEnrichmentReplica(own.url, randomUUID(), { enqueueTimeout: timeoutMs });
    const { enrichments, advance } = one;
    const attempts: ControlledAttempt[] = [];
    const enqueue = (): Promise<unknown> => {
      const attempt = new ControlledAttempt();
      attempts.push(attempt);
      return enqueueJob(enrichments, jobOf(`${attempts.length}`), attempt);
    };
    /** Whether a response still waits for its job just before the timeout. */
    const isDelayed = async (): Promise<boolean> => {
      let hasWaited = true;
      const enqueued = enqueue().then(() => {
        hasWaited = false;
      });
      await waitForTurns(5);
      advance(timeoutMs - 1);
      await waitForTurns(5);
      const wasDelayed = hasWaited;
      advance(timeoutMs);
      await enqueued;
      return wasDelayed;
    };
    await enqueue();
    own.pause();
    const delayed: boolean[] = [];
    for (let response = 0; response < 4; response++) delayed.push(await isDelayed());
    expect(delayed).toEqual([true, true, true, false]);
    const inTime = enqueue();
    advance(0);
    await inTime;
    own.resume();
    for (const attempt of attempts) attempt.complete(successfulResult('reviews'));
    await waitUntil(async () => (await enrichments.list({ state: undefined, limit: 10 })).length === 0);
    own.pause();
    expect(await isDelayed()).toBe(true);
    own.resume();
    attempts.at(-1)?.complete(successfulResult('reviews'));
  });

  test('that has lost all data keeps the subscriptions of other processes', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createManualEnrichmentReplica(own.url, prefix, patientReclaim);
    await using reader = createManualEnrichmentReplica(own.url, prefix, patientReclaim);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('reviews'));
    const updates = await subscribeToJob(reader.enrichments, token);
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    const rest = collectUpdates(updates);
    // Longer than the recovery window.
    for (const { advance } of [one, reader]) advance(10_000);
    await reader.enrichments.readArrived(token, ada);
    const operator = connectRedis(own.url);
    await operator.flushall();
    reader.advance(5_000);
    // The reader sends its heartbeat again when it has noticed the loss.
    await waitUntil(async () => (await operator.keys('*:heartbeat:*')).length === 1);
    one.advance(5_000);
    await waitUntil(async () => (await operator.keys('*:token:*')).length === 1);
    expect((await reader.enrichments.readArrived(token, ada))?.hasNext).toBe(true);
    attempt.complete(successfulResult('stock', 1));
    expect(await rest).toEqual(['2-0 stock 1']);
    operator.disconnect();
  });

  test('that has lost a token delays its readers until the process that issued it has written it again', async () => {
    const prefix = randomUUID();
    await using one = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await waitForSubscribers(prefix, 2);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    await other.enrichments.readArrived(token, ada);
    await redis.del(await redis.keys(`*${prefix}*`));
    const reading = other.enrichments.readArrived(token, ada);
    // The reader sends its heartbeat again when it has noticed the loss.
    await waitUntil(async () => (await redis.keys(`${prefix}*:heartbeat:*`)).length === 1);
    one.advance(5_000);
    const arrived = await reading;
    // A process with a running attempt waits for its clock when it closes.
    attempt.complete(successfulResult('reviews'));
    expect(arrived).toEqual({ updates: [], hasNext: true });
  });

  test('that answers again without a token delays its readers, also if their subscription was not interrupted', async () => {
    const prefix = randomUUID();
    await using one = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    const heartbeats = () => redis.keys(`${prefix}*:heartbeat:*`);
    await waitUntil(async () => (await heartbeats()).length === 1);
    const ofOne = await heartbeats();
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await waitForSubscribers(prefix, 2);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    await other.enrichments.readArrived(token, ada);
    await redis.del(...ofOne, ...(await redis.keys(`${prefix}*:token:*`)));
    // Not those with subscriptions.
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const reading = other.enrichments.readArrived(token, ada);
    await Promise.race([reading, waitForTurns()]);
    one.advance(5_000);
    const arrived = await reading;
    // A process with a running attempt waits for its clock when it closes.
    attempt.complete(successfulResult('reviews'));
    expect(arrived).toEqual({ updates: [], hasNext: true });
  });

  test('of which one master restarts empty gets its tokens again from the process that issued them', async () => {
    await using cluster = await startRedisCluster();
    const lastMaster = cluster.servers.at(-1) as DedicatedRedisServer;
    const { prefix, one, other } = await startClusterReplicas(cluster);
    const keys = new JobKeys(prefix);
    const attempts: ControlledAttempt[] = [];
    let token: string;
    do {
      const attempt = new ControlledAttempt();
      token = await enqueueJob(one.enrichments, jobOf(`a${attempts.push(attempt)}`), attempt);
    } while (slotOf(keys.token(hashOf(token))) < Math.ceil((2 * 16_384) / 3));
    expect(await other.enrichments.readArrived(token, ada)).toEqual({ updates: [], hasNext: true });
    // Longer than the recovery window.
    for (const { advance } of [one, other]) advance(10_000);
    await lastMaster.kill();
    await lastMaster.restart();
    const operator = connectRedis(lastMaster.url);
    await waitUntil(async () => {
      one.advance(100);
      return (await operator.keys('*:token:*')).length > 0;
    });
    operator.disconnect();
    expect(await other.enrichments.readArrived(token, ada)).toEqual({ updates: [], hasNext: true });
    for (const attempt of attempts) attempt.complete(successfulResult('reviews'));
    for (const replica of [one, other]) await closeWithTimeouts(replica);
  });

  test('that has evicted the updates of a run, and not the run, makes the subscription fail instead of end', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    await waitForSubscribers(prefix, 2);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    const arrived = await collectUpdates(await subscribeToJob(other.enrichments, token));
    expect(arrived).toEqual(['1-0 reviews "reviews!"']);
    await redis.del(await redis.keys(`${prefix}*:log:*`));
    other.advance(10_000);
    const updates = await subscribeToJob(other.enrichments, token);
    await expect(updates.next()).rejects.toMatchObject({ code: 'ENRICHMENT_EXPIRED' });
  });

  test('that is full stores no job; the job is finished by its own process', async () => {
    await using own = await startDedicatedRedis();
    const admin = connectRedis(own.url);
    try {
      const prefix = randomUUID();
      await using one = createEnrichmentReplica(own.url, prefix, { enqueueTimeout: 20 });
      await enqueueJob(one.enrichments, jobOf('before'));
      await admin.config('SET', 'maxmemory', '1');
      const attempt = new ControlledAttempt();
      const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
      expect(one.events).toEqual(expect.arrayContaining(['not persisted: redis']));
      const updates = await subscribeToJob(one.enrichments, token);
      attempt.complete(successfulResult('reviews'));
      expect(await collectUpdates(updates)).toEqual(['1-0 reviews "reviews!"']);
      await waitUntil(() => one.warned.some(({ problem }) => problem === 'out_of_memory'));
      await admin.config('SET', 'maxmemory', '0');
      const next = new ControlledAttempt();
      await using other = createEnrichmentReplica(own.url, prefix);
      const taken = await enqueueJob(one.enrichments, jobOf('b'), next);
      next.complete(successfulResult('reviews'));
      await waitUntil(async () => (await other.enrichments.readArrived(taken, ada))?.hasNext === false);
    } finally {
      admin.disconnect();
    }
  });

  test.each([
    ['with its data', ['--appendonly', 'yes', '--appendfsync', 'always']],
    ['empty', []],
  ])('that restarts %s loses no update and repeats none', async (_, options) => {
    await using own = await startDedicatedRedis(options);
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix);
    await using other = createEnrichmentReplica(own.url, prefix);
    const attempts = Array.from({ length: 100 }, () => new ControlledAttempt());
    const tokens = await Promise.all(
      attempts.map((attempt, number) =>
        enqueueJob(one.enrichments, jobOf(`${number}`, ['a', 'b', 'c']), attempt),
      ),
    );
    const subscriptions = await Promise.all(tokens.map((token) => subscribeToJob(other.enrichments, token)));
    for (const attempt of attempts) attempt.emit(successfulResult('a', 1));
    for (const updates of subscriptions) expect(formatUpdate((await updates.next()).value)).toBe('1-0 a 1 …');
    const rest = Promise.all(subscriptions.map(collectUpdates));
    await own.kill();
    for (const attempt of attempts) attempt.emit(successfulResult('b', 1));
    await own.restart();
    for (const attempt of attempts) attempt.complete(successfulResult('c', 1));
    expect(await rest).toEqual(attempts.map(() => ['2-0 b 1 …', '3-0 c 1']));
    await waitUntil(async () => (await other.enrichments.list({ state: undefined, limit: 10 })).length === 0);
    // All updates can be read later.
    for (const token of tokens) {
      expect((await other.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
        '1-0 a 1 …',
        '2-0 b 1 …',
        '3-0 c 1',
      ]);
    }
  });

  test('that is unreachable is logged once per minute, for any number of jobs', async () => {
    await using own = await startDedicatedRedis();
    await using one = createEnrichmentReplica(own.url, randomUUID());
    const attempts = Array.from({ length: 50 }, () => new ControlledAttempt());
    const tokens = await Promise.all(
      attempts.map((attempt, number) => enqueueJob(one.enrichments, jobOf(`${number}`), attempt)),
    );
    await own.kill();
    for (const attempt of attempts) attempt.complete(successfulResult('reviews'));
    await waitUntil(() => one.warned.some(({ problem }) => problem === 'unreachable'));
    await own.restart();
    for (const token of tokens) await collectUpdates(await subscribeToJob(one.enrichments, token));
    const kinds = one.warned.map(({ problem }) => problem);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(one.warned.map(({ count }) => count)).toEqual(kinds.map(() => 1));
  });

  test('that hangs gets no further jobs beyond twice maxPendingSize', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    const jobs = { maxPendingSize: 700, enqueueTimeout: 1 };
    await using one = createEnrichmentReplica(own.url, prefix, jobs);
    await enqueueJob(one.enrichments, { ...jobOf('before'), size: 0 });
    own.pause();
    const tokens: string[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const attempt = new ControlledAttempt();
      tokens.push(await enqueueJob(one.enrichments, jobOf(id), attempt));
      attempt.complete(successfulResult('reviews'));
      await waitUntil(() => one.enrichments.count === 1);
    }
    own.resume();
    await using other = createEnrichmentReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.enrichments.readArrived(token, ada)));
    await waitUntil(async () => (await arrived())[3]?.hasNext === false);
    // Each job has 300 bytes.
    expect((await arrived()).map((updates) => updates?.updates.length)).toEqual([
      1,
      1,
      1,
      1,
      undefined,
      undefined,
    ]);
    // Their own process has all of them.
    for (const token of tokens) {
      expect((await one.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
        '1-0 reviews "reviews!"',
      ]);
    }
  });

  test('that hangs gets no further jobs beyond maxUpdatesSize', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix, { maxUpdatesSize: 1_000, enqueueTimeout: 1 });
    await enqueueJob(one.enrichments, jobOf('before'));
    own.pause();
    const attempts = Array.from({ length: 3 }, () => new ControlledAttempt());
    const tokens: string[] = [];
    for (const [number, attempt] of attempts.entries()) {
      tokens.push(await enqueueJob(one.enrichments, jobOf(`${number}`), attempt));
      attempt.complete(successfulResult('reviews', 'x'.repeat(600)));
      await waitUntil(() => one.enrichments.count === 1);
    }
    own.resume();
    await using other = createEnrichmentReplica(own.url, prefix);
    const arrived = () => Promise.all(tokens.map((token) => other.enrichments.readArrived(token, ada)));
    await waitUntil(async () => (await arrived())[1]?.hasNext === false);
    expect((await arrived()).map((updates) => updates?.updates.length)).toEqual([1, 1, undefined]);
    // Its own process has it.
    expect((await one.enrichments.readArrived(tokens[2] ?? '', ada))?.updates.length).toBe(1);
  });

  test('that is unreachable delays no update that it has, at the process that runs the job', async () => {
    await using own = await startDedicatedRedis();
    await using one = createEnrichmentReplica(own.url, randomUUID());
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews', 'stock']), attempt);
    const updates = await subscribeToJob(one.enrichments, token);
    attempt.emit(successfulResult('stock', 1));
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 stock 1 …');
    await own.kill();
    attempt.complete(successfulResult('reviews'));
    // Another process may have reclaimed the job: Redis decides about the second update.
    const arrived = await one.enrichments.readArrived(token, ada);
    expect([arrived?.updates.map(formatUpdate), arrived?.hasNext]).toEqual([['1-0 stock 1 …'], true]);
    await own.restart();
    expect(await collectUpdates(updates)).toEqual(['2-0 reviews "reviews!"']);
  });

  test('that is unreachable for longer than it stores updates ends subscriptions with an error', async () => {
    await using own = await startDedicatedRedis();
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(own.url, prefix, patientReclaim);
    await using reader = createManualEnrichmentReplica(own.url, prefix, patientReclaim);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    const updates = expect(
      collectUpdates(await subscribeToJob(reader.enrichments, token)),
    ).rejects.toMatchObject({ code: 'OVERLOADED' });
    await reader.enrichments.readArrived(token, ada);
    await own.kill();
    reader.advance(5_000);
    await waitForTurns();
    reader.advance(tokenTtlMs + 10_000);
    await updates;
    await own.restart();
  });

  test('that is unreachable between two attempts delays no attempt', async () => {
    await using own = await startDedicatedRedis();
    const executor = new RecordingExecutor();
    await using one = createEnrichmentReplica(own.url, randomUUID(), {}, executor);
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    await own.kill();
    attempt.complete(failedResult('reviews'));
    await waitUntil(() => executor.created.length === 1);
    executor.lastAttempt.complete(successfulResult('reviews'));
    await own.restart();
    expect(await collectUpdates(await subscribeToJob(one.enrichments, token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
  });
});

describe('A Redis that is slow', () => {
  /** A process that has resumed the job of a closed one, and reaches Redis through a proxy that the test can pause. */
  async function heirOf(prefix: string) {
    const proxy = await startPausableProxy(server.port);
    const one = createEnrichmentReplica(server.url, prefix, { reclaimAfter: 60_000 });
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    const heir = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix, {
      reclaimAfter: 60_000,
    });
    await one.enrichments.close(closeTimeoutMs);
    await waitUntil(() => heir.executor.created.length === 1);
    return {
      ...heir,
      proxy,
      token,
      async [Symbol.asyncDispose]() {
        proxy.resume();
        await heir.enrichments.close(closeTimeoutMs);
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  test.each([
    ['does not answer whether a job is wanted', isRunWanted.sha, false],
    ['has lost a job that is not yet written again', '\r\nforce create\r\n', true],
  ])('and %s does not prevent another attempt', async (_, text, isLost) => {
    const prefix = randomUUID();
    await using heir = await heirOf(prefix);
    const { proxy, enrichments, events, executor } = heir;
    if (isLost) await redis.del(await redis.keys(`${prefix}{a}enrichment:run:*`));
    const held = proxy.pauseAt(text);
    executor.lastAttempt.complete(failedResult('reviews'));
    await waitUntil(() => events.includes('retry'));
    if (isLost) await held;
    // The backoff.
    heir.advance(1);
    await held;
    heir.advance(2_000);
    await waitUntil(() => enrichments.count === 0 || executor.created.length === 2);
    expect(events).toEqual(['resumed: dead process', 'retry']);
    executor.lastAttempt.complete(successfulResult('reviews'));
    proxy.resume();
    expect(await collectUpdates(await subscribeToJob(enrichments, heir.token))).toEqual([
      '1-0 reviews "reviews!"',
    ]);
  });

  test('and reports an equal job after enqueueTimeout does not move the token to that job', async () => {
    const prefix = randomUUID();
    await using proxy = await startPausableProxy(server.port);
    await using one = createEnrichmentReplica(server.url, prefix);
    await using other = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix);
    const [attempt, second] = [new ControlledAttempt(), new ControlledAttempt()];
    const first = await enqueueJob(one.enrichments, jobOf('a'), attempt);
    const joining = proxy.pauseAt(joinRun.sha);
    const enqueued = enqueueJob(other.enrichments, jobOf('a'), second);
    await joining;
    other.advance(10_000);
    const token = await enqueued;
    expect(other.events).toEqual(['not persisted: redis', 'created']);
    let received: readonly string[] | undefined;
    void collectUpdates(await subscribeToJob(other.enrichments, token)).then(
      (updates) => (received = updates),
    );
    proxy.resume();
    // Redis has both runs, or one of them was dropped.
    await waitUntil(async () => {
      const [runKeys, jobs] = [
        await redis.keys(`${prefix}{a}enrichment:run:*`),
        await one.enrichments.list({ state: undefined, limit: 10 }),
      ];
      return runKeys.length === 2 || jobs.length === 1;
    });
    attempt.complete(successfulResult('reviews', 'by one'));
    second.complete(successfulResult('reviews', 'by other'));
    await waitUntil(() => received !== undefined);
    expect(received).toEqual(['1-0 reviews "by other"']);
    expect(await collectUpdates(await subscribeToJob(one.enrichments, first))).toEqual([
      '1-0 reviews "by one"',
    ]);
    expect(second.isCancelled).toBe(false);
  });

  test('and moves a token to another job later is read again', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using reader = createManualEnrichmentReplica(server.url, prefix);
    const [attempt, other] = [new ControlledAttempt(), new ControlledAttempt()];
    const [token, second] = [
      await enqueueJob(one.enrichments, jobOf('a'), attempt),
      await enqueueJob(one.enrichments, jobOf('b'), other),
    ];
    const updates = collectUpdates(await subscribeToJob(reader.enrichments, token));
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    // Longer than the recovery window.
    reader.advance(10_000);
    // What the subscription reads must not be under way when the clock moves again: it would time out.
    await reader.enrichments.readArrived(token, ada);
    const keyOf = (text: string) => `${prefix}enrichment:token:${hashOf(text)}`;
    await redis.set(keyOf(token), (await redis.get(keyOf(second))) ?? '');
    await redis.del(await redis.keys(`${prefix}{a}enrichment:run:*`));
    reader.advance(5_000);
    other.complete(successfulResult('reviews', 'by another job'));
    expect(await updates).toEqual(['1-0 reviews "by another job"']);
    expect((await reader.enrichments.readArrived(token, ada))?.updates.map(formatUpdate)).toEqual([
      '1-0 reviews "by another job"',
    ]);
  });

  test('and has lost pending updates makes the subscription fail instead of end', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix);
    await using reader = createManualEnrichmentReplica(server.url, prefix);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    let end: unknown;
    void collectUpdates(await subscribeToJob(reader.enrichments, token)).then(
      (updates) => {
        end = updates;
      },
      (error: unknown) => {
        end = error;
      },
    );
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    reader.advance(10_000);
    await redis.del(await redis.keys(`${prefix}{a}enrichment:run:*`));
    // More than once: on a busy machine, the subscription may begin to wait for its next read only after the clock has moved.
    for (let round = 0; end === undefined && round < 1_000; round++) {
      // What the subscription reads must not be under way when the clock moves again: it would time out.
      await reader.enrichments.readArrived(token, ada);
      reader.advance(5_000);
    }
    expect(end).toMatchObject({ code: 'ENRICHMENT_EXPIRED' });
    expect(await reader.enrichments.readArrived(token, ada)).toBeUndefined();
  });

  test('and has lost pending updates has no valid token after the recovery window, also if the clock was set back', async () => {
    const prefix = randomUUID();
    await using one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using reader = createManualEnrichmentReplica(server.url, prefix, patientReclaim);
    await waitForSubscribers(prefix, 2);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    reader.setClockBack(3_600_000);
    reader.advance(10_000);
    await redis.del(await redis.keys(`${prefix}{a}enrichment:run:*`));
    expect(await reader.enrichments.readArrived(token, ada)).toBeUndefined();
  });
});
