import type { SupergraphManager } from '@apollo/gateway';
import type { LoadSupergraph } from '../../../gateway/gateway.ts';

/** Uses a supergraph manager of `@apollo/gateway`, such as that of a registry's client. */
export function loadFrom(manager: SupergraphManager): LoadSupergraph {
  return async ({ update, signal }) => {
    const { supergraphSdl, cleanup } = await manager.initialize({
      update,
      healthCheck: async () => {},
      getDataSource: () => {
        throw new Error('This gateway sends the requests to subgraphs itself.');
      },
    });
    // The gateway no longer waits for a call that took longer than a minute.
    if (signal.aborted) await cleanup?.();
    else signal.addEventListener('abort', () => void cleanup?.());
    return supergraphSdl;
  };
}
