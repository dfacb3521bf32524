import { expect, test } from '@jest/globals';
import { JobKeys } from '../../../../gateway/enrichment/jobs/jobKeys.ts';
import type { JobQueue } from '../../../../gateway/enrichment/jobs/jobQueue.ts';
import { MemoryJobStore } from '../../../../gateway/enrichment/jobs/memoryJobStore.ts';
import type { RedisTokens } from '../../../../gateway/enrichment/jobs/redisTokens.ts';
import { ReplicatedRuns } from '../../../../gateway/enrichment/jobs/replicatedRuns.ts';
import { UpdateLog } from '../../../../gateway/enrichment/jobs/updateLog.ts';
import { UpdateNotifier } from '../../../../gateway/enrichment/jobs/updateNotifier.ts';
import type { RetryingRedisClient } from '../../../../gateway/redis/retryingRedisClient.ts';
import { createRecordingObserver, defaultPolicy, jobOf } from '../../../harness/enrichmentJobsFixture.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

test('a run that has ended is not added to the queue again when Redis answers again while it is removed', async () => {
  const timers = new FakeTimers();
  const observer = createRecordingObserver([]);
  const context = { timers, now: () => 0, observer };
  const memory = new MemoryJobStore({ ...context, policy: defaultPolicy });
  const operations: string[] = [];
  const [removing, removed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const queue = {
    add: async () => operations.push('add'),
    remove: () => {
      operations.push('remove');
      removing.resolve();
      return removed.promise;
    },
  };
  const runs = new ReplicatedRuns({
    ...context,
    memory,
    processId: 'process',
    redis: { runScript: async () => 'ok' } as unknown as RetryingRedisClient,
    keys: new JobKeys(''),
    queue: queue as unknown as JobQueue,
    notifier: new UpdateNotifier(),
    tokens: {} as RedisTokens,
    retentionMs: 70_000,
    maxRuns: 10,
    maxBytes: 10_000,
    maxUpdateBytes: 10_000,
    onFailure: () => {},
  });
  const started = { id: 'a.1', job: jobOf('a'), createdAt: 0, createdBy: 'process' };
  memory.restore(started, new UpdateLog([]), 0, false);
  const run = runs.add(started, false, undefined);
  await Promise.all([run.writer.create(), runs.enqueue(run)]);
  runs.settle(run, { kind: 'done' });
  await removing.promise;
  runs.recover();
  removed.resolve();
  await runs.flush();
  await run.queueOperations;
  expect(operations).toEqual(['add', 'remove']);
});
