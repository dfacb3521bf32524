import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerEntry } from '../planning/workerEntry.ts';
import type { RunningSubgraph } from './apolloGateway.ts';
import type { ApolloGatewayAnswer, ApolloGatewayTask } from './apolloGatewayWorker.ts';
import { SupergraphRefusedError } from './supergraphRefusedError.ts';

export type { RunningSubgraph } from './apolloGateway.ts';

/** Composes running subgraphs as Apollo Gateway's `IntrospectAndCompose` does, in a thread of its own: a
 *  large graph takes seconds. Errors: `SupergraphRefusedError` with the composer's message; the signal's
 *  reason. */
export async function composeRunning(
  subgraphs: readonly RunningSubgraph[],
  signal?: AbortSignal,
): Promise<string> {
  const answer = await runInThread({ kind: 'compose', subgraphs }, signal);
  if (answer.kind === 'composed') return answer.sdl;
  throw new SupergraphRefusedError(answer.kind === 'refused' ? answer.message : 'nothing was composed');
}

/** Whether Apollo Gateway would load a supergraph: `undefined`, or its message. */
export async function checkWithApolloGateway(sdl: string, signal?: AbortSignal): Promise<string | undefined> {
  const answer = await runInThread({ kind: 'check', sdl }, signal);
  return answer.kind === 'refused' ? answer.message : undefined;
}

async function runInThread(task: ApolloGatewayTask, signal?: AbortSignal): Promise<ApolloGatewayAnswer> {
  signal?.throwIfAborted();
  const worker = new Worker(workerEntry('apolloGatewayWorker', import.meta.url), {
    name: 'tributary-comp',
    workerData: task,
    // The class reports to its vendor and looks for the cloud's metadata server unless told not to.
    env: { APOLLO_TELEMETRY_DISABLED: 'true' },
  });
  const end = (): void => void worker.terminate();
  signal?.addEventListener('abort', end, { once: true });
  let answer: ApolloGatewayAnswer | undefined;
  worker.once('message', (message: ApolloGatewayAnswer) => {
    answer = message;
    // The package's own timers would keep the thread for a while.
    end();
  });
  try {
    // Rejects when the thread throws.
    await once(worker, 'exit');
  } finally {
    signal?.removeEventListener('abort', end);
  }
  signal?.throwIfAborted();
  if (answer === undefined) throw new Error('the thread that composes ended without an answer');
  return answer;
}
