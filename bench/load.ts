/** The process of the load generator. Takes one job at a time from its parent and replies with the result. */
import type { ClosedLoopJob, ClosedLoopResult } from './closedLoop.ts';
import { runClosedLoop } from './closedLoop.ts';
import type { FirstPayloadJob, FirstPayloadResult } from './firstPayload.ts';
import { runFirstPayload } from './firstPayload.ts';

export type LoadJob = ClosedLoopJob | FirstPayloadJob;

export type LoadReply =
  | { readonly kind: 'closed-loop'; readonly result: ClosedLoopResult }
  | { readonly kind: 'first-payload'; readonly result: FirstPayloadResult }
  | { readonly kind: 'failed'; readonly message: string };

async function run(job: LoadJob): Promise<LoadReply> {
  try {
    if (job.kind === 'closed-loop') return { kind: job.kind, result: await runClosedLoop(job) };
    return { kind: job.kind, result: await runFirstPayload(job) };
  } catch (error) {
    return {
      kind: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

process.on('message', async (job: LoadJob) => process.send?.(await run(job)));
