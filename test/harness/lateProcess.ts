import process from 'node:process';
import { ada, HandRun, jobOf } from '../unit/enrichment/late/lateUnderTest.ts';
import { lateReplica } from './lateReplica.ts';

// Hands over jobs that never come to an end by themselves, prints their tokens, and lives until it is killed.
const [, , url = '', keyPrefix = '', count = '0'] = process.argv;
// It is not to be thought dead where it only stands still for a while.
const { late } = lateReplica(url, keyPrefix, { takeOverAfter: 3_000 });
const tickets = await Promise.all(
  Array.from({ length: Number(count) }, async (_, number) => {
    const run = new HandRun();
    const ticket = await late.handOver(jobOf(`job${number}`, ['done', 'open']), run, ada);
    run.give({
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
