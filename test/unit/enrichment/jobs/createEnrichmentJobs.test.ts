import { expect, test } from '@jest/globals';
import { createFailureReporter } from '../../../../gateway/enrichment/jobs/createEnrichmentJobs.ts';
import { RedisFailure } from '../../../../gateway/redis/redisFailure.ts';

test('createFailureReporter logs the first failure of each kind and minute, with their number', () => {
  const logged: unknown[] = [];
  let now = 0;
  const report = createFailureReporter({
    log: { warn: ({ problem, count, message }) => logged.push([problem, count, message]) },
    now: () => now,
    address: '127.0.0.1:6379',
  });
  const gone = new RedisFailure(new Error('connect ECONNREFUSED'));
  for (let job = 0; job < 1_000; job++) report(gone);
  report(new Error('Missing lock for job 1'));
  report(new RedisFailure(new Error("OOM command not allowed when used memory > 'maxmemory'.")));
  now = 59_999;
  report(gone);
  now = 60_000;
  report(gone);
  expect(logged).toEqual([
    ['unreachable', 1, 'connect ECONNREFUSED'],
    ['queue', 1, '127.0.0.1:6379: Missing lock for job 1'],
    ['out_of_memory', 1, "OOM command not allowed when used memory > 'maxmemory'."],
    ['unreachable', 1_002, 'connect ECONNREFUSED'],
  ]);
});
