import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import {
  ada,
  ControlledAttempt,
  enqueueJob,
  formatUpdate,
  jobOf,
  successfulResult,
} from '../harness/enrichmentJobsFixture.ts';
import { createAnsweringExecutor, createEnrichmentReplica } from '../harness/enrichmentReplica.ts';
import { connectRedis, type DedicatedRedisServer, startDedicatedRedis } from '../harness/redis.ts';
import { waitUntil } from '../harness/waitUntil.ts';

/** Finishes a job, and restarts Redis at once. Returns the updates that another process then reads, and the jobs of which
 *  either process has made a further attempt. */
async function readAfterCrash(server: DedicatedRedisServer, beforeEnd: () => Promise<void>) {
  const prefix = randomUUID();
  const executor = createAnsweringExecutor('a further attempt');
  await using one = createEnrichmentReplica(server.url, prefix, {}, executor);
  await using other = createEnrichmentReplica(server.url, prefix, {}, executor);
  const attempt = new ControlledAttempt();
  const token = await enqueueJob(one.enrichments, jobOf('a', ['reviews']), attempt);
  const read = () => other.enrichments.readArrived(token, ada);
  await beforeEnd();
  attempt.complete(successfulResult('reviews'));
  await waitUntil(async () => (await read())?.hasNext === false);
  await server.kill();
  await server.restart();
  await waitUntil(async () => (await read())?.hasNext === false);
  return { updates: (await read())?.updates.map(formatUpdate), attempted: new Set(executor.startedJobs) };
}

test('The updates of a job survive a crash of a Redis with appendonly right after its end', async () => {
  await using server = await startDedicatedRedis(['--appendonly', 'yes']);
  expect(await readAfterCrash(server, async () => {})).toEqual({
    updates: ['1-0 reviews "reviews!"'],
    attempted: new Set(),
  });
});

test('A job whose end Redis has lost is run again, as after a failover to a replica that lags behind', async () => {
  await using server = await startDedicatedRedis();
  const save = async (): Promise<void> => {
    const redis = connectRedis(server.url);
    await redis.save();
    redis.disconnect();
  };
  expect(await readAfterCrash(server, save)).toEqual({
    updates: ['1-0 reviews "a by a further attempt"'],
    attempted: new Set(['a']),
  });
});
