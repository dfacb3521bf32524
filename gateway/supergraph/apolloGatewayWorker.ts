// Entry of a short-lived thread that composes running subgraphs with `@apollo/gateway`.

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import { introspectAndCompose, type RunningSubgraph } from './apolloGateway.ts';

export type ApolloGatewayResult =
  | { readonly kind: 'composed'; readonly sdl: string }
  | { readonly kind: 'refused'; readonly message: string };

const result: ApolloGatewayResult = await introspectAndCompose(workerData as readonly RunningSubgraph[]).then(
  (sdl) => ({ kind: 'composed', sdl }),
  (error: unknown) => ({ kind: 'refused', message: messageOf(error) }),
);
parentPort?.postMessage(result);
