import { expect, test } from '@jest/globals';
import { JobStoreProblems } from '../../../../gateway/enrichment/jobs/jobStoreProblems.ts';
import { RedisFailure } from '../../../../gateway/redis/redisFailure.ts';

test('of what Redis does not do for late work, the first of each kind and minute is in the log, with their number', () => {
  const logged: unknown[] = [];
  let now = 0;
  const problems = new JobStoreProblems({
    log: { warn: ({ problem, count, message }) => logged.push([problem, count, message]) },
    now: () => now,
  });
  const gone = new RedisFailure(new Error('connect ECONNREFUSED'));
  for (let job = 0; job < 1_000; job++) problems.report(gone);
  problems.report(new Error('Missing lock for job 1'));
  problems.report(new RedisFailure(new Error("OOM command not allowed when used memory > 'maxmemory'.")));
  now = 59_999;
  problems.report(gone);
  now = 60_000;
  problems.report(gone);
  expect(logged).toEqual([
    ['unreachable', 1, 'connect ECONNREFUSED'],
    ['queue', 1, 'Missing lock for job 1'],
    ['out of memory', 1, "OOM command not allowed when used memory > 'maxmemory'."],
    ['unreachable', 1_002, 'connect ECONNREFUSED'],
  ]);
});
