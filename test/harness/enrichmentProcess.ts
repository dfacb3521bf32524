import process from 'node:process';
import { ada, ControlledAttempt, jobOf } from './enrichmentJobsFixture.ts';
import { createEnrichmentReplica } from './enrichmentReplica.ts';

// Hands over jobs that never come to an end by themselves, prints their tokens, and lives until it is killed.
const [, , url = '', keyPrefix = '', count = '0'] = process.argv;
// It is not to be thought dead where it only stands still for a while.
const { enrichments } = createEnrichmentReplica(url, keyPrefix, { takeOverAfter: 3_000 });
const tickets = await Promise.all(
  Array.from({ length: Number(count) }, async (_, number) => {
    const attempt = new ControlledAttempt();
    const ticket = await enrichments.enqueue(jobOf(`job${number}`, ['done', 'open']), attempt, ada);
    attempt.emit({
      key: 'done',
      path: ['product', 'done'],
      data: 'by the dead',
      errors: undefined,
      isRetryable: false,
    });
    return ticket?.token;
  }),
);
process.stdout.write(`${JSON.stringify(tickets)}\n`);
