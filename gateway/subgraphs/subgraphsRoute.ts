import type { Routes } from '../transport/http/routes.ts';
import type { ObservableSubgraphClient } from './httpSubgraphClient.ts';

/** Adds `GET /subgraphs`: how calls to each subgraph are limited at the moment. Subgraphs that were not called yet are not
 *  listed. */
export function addSubgraphsRoute(routes: Routes, client: Pick<ObservableSubgraphClient, 'states'>): void {
  routes.get('/subgraphs', async (_, reply) =>
    reply.header('cache-control', 'no-store').send({
      subgraphs: client.states().toSorted((a, b) => (a.subgraph < b.subgraph ? -1 : 1)),
    }),
  );
}
