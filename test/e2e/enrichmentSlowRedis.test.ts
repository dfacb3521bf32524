import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { hashOf } from '../../gateway/enrichment/jobs/enrichmentToken.ts';
import { isRunWanted, joinRun } from '../../gateway/enrichment/jobs/jobScripts.ts';
import {
  ada,
  ControlledAttempt,
  collectUpdates,
  enqueueJob,
  failedResult,
  formatUpdate,
  jobOf,
  subscribeToJob,
  successfulResult,
} from '../harness/enrichmentJobsFixture.ts';
import {
  closeTimeoutMs,
  createEnrichmentReplica,
  createManualEnrichmentReplica,
  patientReclaim,
  waitForSubscribers,
} from '../harness/enrichmentReplica.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

describe('A Redis that is slow', () => {
  /** A process that has resumed the job of a closed one, and reaches Redis through a proxy that the test can pause. */
  async function heirOf(prefix: string) {
    const proxy = await startPausableProxy(server.port);
    const one = createEnrichmentReplica(server.url, prefix, patientReclaim);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    const heir = createManualEnrichmentReplica(`redis://127.0.0.1:${proxy.port}`, prefix, patientReclaim);
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
    await waitForSubscribers(redis, prefix, 2);
    const token = await enqueueJob(one.enrichments, jobOf('a'));
    await waitUntil(async () => (await reader.enrichments.readArrived(token, ada)) !== undefined);
    reader.setClockBack(3_600_000);
    reader.advance(10_000);
    await redis.del(await redis.keys(`${prefix}{a}enrichment:run:*`));
    expect(await reader.enrichments.readArrived(token, ada)).toBeUndefined();
  });
});
