import type { OtherWorkers } from '../telemetry/workerMetrics.ts';
import type { Routes } from '../transport/http/routes.ts';
import type { ObservableSubgraphClient } from './httpSubgraphClient.ts';
import type { SubgraphState } from './policies/callPolicies.ts';

/** `worker`: its name, where several share the port. */
type ReportedState = SubgraphState & { readonly worker?: string };

/** Adds `GET /subgraphs`: how calls to each subgraph are limited at the moment. Subgraphs that were not called yet are not
 *  listed. Each of several `workers` has circuits, limits and queues of its own. */
export function addSubgraphsRoute(
  routes: Routes,
  client: Pick<ObservableSubgraphClient, 'states'>,
  workers?: OtherWorkers,
): void {
  const ownStates = (): ReportedState[] =>
    client
      .states()
      .map((state) => (workers === undefined ? state : { worker: workers.worker.name, ...state }));
  workers?.handle(statesCall, async () => JSON.stringify(ownStates()));

  routes.get('/subgraphs', async (_, reply) => {
    const called = await workers?.callOthers(statesCall);
    const others = Array.from(
      called?.answers.values() ?? [],
      (answer) => JSON.parse(answer) as ReportedState[],
    );
    return reply.header('cache-control', 'no-store').send({
      subgraphs: [ownStates(), ...others].flat().toSorted((a, b) => (sortKeyOf(a) < sortKeyOf(b) ? -1 : 1)),
    });
  });
}

/** A call from worker to worker. */
const statesCall = 'subgraphs';

function sortKeyOf({ subgraph, worker = '' }: ReportedState): string {
  return `${subgraph}\0${worker.padStart(9)}`;
}
