// The only file that knows `@apollo/gateway`, which is Elastic-2.0 (docs/decisions). It takes half a second
// to import and composes on the thread it is on, so that the gateway runs it in a thread of its own.

import { ApolloGateway, IntrospectAndCompose } from '@apollo/gateway';
import { messageOf } from './messageOf.ts';

export interface RunningSubgraph {
  readonly name: string;
  readonly url: string;
  /** The subgraph's own SDL, as `_service { sdl }` gives it. */
  readonly sdl: string;
}

/** Composes what running subgraphs answered. Errors: an `Error` with the composer's message.
 *  Each call starts afresh: the class remembers what it saw before a subgraph failed to answer, and then
 *  takes a change that it never composed for known. */
export async function introspectAndCompose(subgraphs: readonly RunningSubgraph[]): Promise<string> {
  const sdls = new Map(subgraphs.map(({ name, sdl }) => [name, sdl]));
  const manager = new IntrospectAndCompose({ subgraphs: subgraphs.map(({ name, url }) => ({ name, url })) });
  const { supergraphSdl, cleanup } = await manager.initialize({
    update: () => {},
    healthCheck: async () => {},
    getDataSource: ({ name }) => ({
      process: async () => ({ data: { _service: { sdl: sdls.get(name) } } }),
    }),
  });
  await cleanup?.();
  return supergraphSdl;
}

const silentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Boots Apollo Gateway on a supergraph, without calling a subgraph: `undefined` when it loads, its message
 *  when it refuses. With `APOLLO_TELEMETRY_DISABLED=true` in the environment it opens no connection. Tells a team that moves between the two gateways what the other one would say. */
export async function findApolloGatewayLoadError(sdl: string): Promise<string | undefined> {
  const gateway = new ApolloGateway({ supergraphSdl: sdl, logger: silentLogger });
  try {
    await gateway.load();
  } catch (error) {
    return messageOf(error);
  }
  await gateway.stop();
  return undefined;
}
