import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { hashOf } from '../../gateway/enrichment/jobs/enrichmentToken.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import { slotOf } from '../../gateway/redis/clusterSlots.ts';
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
  createEnrichmentReplica,
  createManualEnrichmentReplica,
  patientReclaim,
  tokenTtlMs,
  waitForSubscribers,
} from '../harness/enrichmentReplica.ts';
import {
  connectRedis,
  type DedicatedRedisServer,
  type RedisCluster,
  startDedicatedRedis,
  startRedisCluster,
} from '../harness/redis.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

type ManualReplica = ReturnType<typeof createManualEnrichmentReplica>;

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
    await waitForSubscribers(redis, prefix, 2);
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
    await waitForSubscribers(redis, prefix, 2);
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
    await waitForSubscribers(redis, prefix, 2);
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
    expect((await arrived()).map((updates) => updates?.updates.length)).toStrictEqual([
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
    expect((await arrived()).map((updates) => updates?.updates.length)).toStrictEqual([1, 1, undefined]);
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
