// Entry of a short-lived thread that does one thing with `@apollo/gateway` and ends.

import { parentPort, workerData } from 'node:worker_threads';
import { findApolloGatewayLoadError, introspectAndCompose, type RunningSubgraph } from './apolloGateway.ts';
import { messageOf } from './messageOf.ts';

export type ApolloGatewayTask =
  | { readonly kind: 'compose'; readonly subgraphs: readonly RunningSubgraph[] }
  | { readonly kind: 'check'; readonly sdl: string };

export type ApolloGatewayResult =
  | { readonly kind: 'composed'; readonly sdl: string }
  | { readonly kind: 'loads' }
  | { readonly kind: 'refused'; readonly message: string };

async function runTask(task: ApolloGatewayTask): Promise<ApolloGatewayResult> {
  switch (task.kind) {
    case 'compose':
      return introspectAndCompose(task.subgraphs).then(
        (sdl) => ({ kind: 'composed', sdl }),
        (error: unknown) => ({
          kind: 'refused',
          message: messageOf(error),
        }),
      );
    case 'check': {
      const message = await findApolloGatewayLoadError(task.sdl);
      return message === undefined ? { kind: 'loads' } : { kind: 'refused', message };
    }
  }
}

parentPort?.postMessage(await runTask(workerData as ApolloGatewayTask));
