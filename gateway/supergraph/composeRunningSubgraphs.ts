import { workerEntryUrl } from '../planning/workerEntryUrl.ts';
import type { RunningSubgraph } from './apolloGateway.ts';
import type { ApolloGatewayResult, ApolloGatewayTask } from './apolloGatewayWorker.ts';
import { runInThread } from './runInThread.ts';
import { SupergraphRefusedError } from './supergraphRefusedError.ts';

export type { RunningSubgraph } from './apolloGateway.ts';

/** Composes running subgraphs as Apollo Gateway's `IntrospectAndCompose` does, in a thread of its own: a
 *  large graph takes seconds. Errors: `SupergraphRefusedError` with the composer's message; the signal's
 *  reason. */
export async function composeRunningSubgraphs(
  subgraphs: readonly RunningSubgraph[],
  signal?: AbortSignal,
): Promise<string> {
  const answer = await runApolloGatewayTask({ kind: 'compose', subgraphs }, signal);
  if (answer.kind === 'composed') return answer.sdl;
  throw new SupergraphRefusedError(answer.kind === 'refused' ? answer.message : 'nothing was composed');
}

/** Whether Apollo Gateway would load a supergraph: `undefined`, or its message. */
export async function checkWithApolloGateway(sdl: string, signal?: AbortSignal): Promise<string | undefined> {
  const answer = await runApolloGatewayTask({ kind: 'check', sdl }, signal);
  return answer.kind === 'refused' ? answer.message : undefined;
}

function runApolloGatewayTask(task: ApolloGatewayTask, signal?: AbortSignal): Promise<ApolloGatewayResult> {
  return runInThread({
    entry: workerEntryUrl('apolloGatewayWorker', import.meta.url),
    name: 'tributary-comp',
    task,
    // The class reports to its vendor and looks for the cloud's metadata server unless told not to.
    env: { APOLLO_TELEMETRY_DISABLED: 'true' },
    signal,
  });
}
