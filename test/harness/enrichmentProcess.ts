import process from 'node:process';
import { ControlledAttempt, enqueueJob, jobOf } from './enrichmentJobsFixture.ts';
import { createEnrichmentReplica } from './enrichmentReplica.ts';

// Enqueues jobs that never end, prints their tokens, and runs until it is killed.
const [, , url = '', keyPrefix = '', count = '0'] = process.argv;
// Long enough that other processes do not take this process for dead while it is paused.
const { enrichments } = createEnrichmentReplica(url, keyPrefix, { reclaimAfter: 3_000 });
const tokens = await Promise.all(
  Array.from({ length: Number(count) }, async (_, number) => {
    const attempt = new ControlledAttempt();
    const token = await enqueueJob(enrichments, jobOf(`job${number}`, ['done', 'open']), attempt);
    attempt.emit({
      key: 'done',
      path: ['product', 'done'],
      data: 'by the dead',
      errors: undefined,
      isRetryable: false,
    });
    return token;
  }),
);
process.stdout.write(`${JSON.stringify(tokens)}\n`);
