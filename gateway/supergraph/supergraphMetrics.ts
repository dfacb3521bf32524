import type { Registry } from 'prom-client';
import { registerGauge } from '../telemetry/registerGauge.ts';
import type { SupergraphView } from './supergraphHolder.ts';

/** Registers whether new supergraphs arrive. `supergraphs`: read for each scrape. */
export function registerSupergraphMetrics(
  registry: Registry,
  supergraphs: Pick<SupergraphView, 'refusal' | 'sourceProblem'>,
): void {
  registerGauge(registry, {
    name: 'tributary_supergraph_not_updated',
    help: 'Whether the newest supergraph was refused, or its source cannot be read.',
    labelNames: ['reason'],
    // A worker that uses another supergraph than the others is a problem, too.
    aggregator: 'max',
    read: (set) => {
      set({ reason: 'refused' }, supergraphs.refusal() === undefined ? 0 : 1);
      set({ reason: 'source' }, supergraphs.sourceProblem() === undefined ? 0 : 1);
    },
  });
}
