import { workerEntryUrl } from '../planning/workerEntryUrl.ts';
import type { RunningSubgraph } from './apolloGateway.ts';
import type { ApolloGatewayResult } from './apolloGatewayWorker.ts';
import { runInThread } from './runInThread.ts';
import { SupergraphRefusedError } from './supergraphRefusedError.ts';

export type { RunningSubgraph } from './apolloGateway.ts';

/** Composes running subgraphs with Apollo Gateway's `IntrospectAndCompose`, in a worker thread because a large graph
 *  takes seconds.
 *  @throws {SupergraphRefusedError} with the composer's message. Rejects with the signal's reason after an abort. */
export async function composeRunningSubgraphs(
  subgraphs: readonly RunningSubgraph[],
  signal?: AbortSignal,
): Promise<string> {
  const { NODE_COMPILE_CACHE: compileCache } = process.env;
  const result = await runInThread<ApolloGatewayResult>({
    entry: workerEntryUrl('apolloGatewayWorker', import.meta.url),
    name: 'tributary-comp',
    task: subgraphs,
    env: {
      // Without it, the package sends telemetry and looks for a cloud metadata server.
      APOLLO_TELEMETRY_DISABLED: 'true',
      // Without it, each poll compiles the package again.
      ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }),
    },
    signal,
  });
  if (result.kind === 'composed') return result.sdl;
  throw new SupergraphRefusedError(result.message);
}
