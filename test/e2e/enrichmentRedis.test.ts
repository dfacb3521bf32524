import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { describe, expect, test } from '@jest/globals';
import type { EnrichmentUpdate } from '../../gateway/enrichment/deferredEnrichments.ts';
import { joinRun, writeRun } from '../../gateway/enrichment/jobs/jobScripts.ts';
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
  tokenTtlMs,
  waitForSubscribers,
} from '../harness/enrichmentReplica.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { startDedicatedRedis, startRedisCluster } from '../harness/redis.ts';
import { shortSocketTimeout } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

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
    await waitForSubscribers(redis, prefix, 2);
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
    const one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    await using other = createEnrichmentReplica(server.url, prefix, patientReclaim, executor);
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
  async function finishJob({ enrichments }: ReturnType<typeof createManualEnrichmentReplica>): Promise<void> {
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
