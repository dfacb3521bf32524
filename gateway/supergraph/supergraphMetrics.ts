import { Gauge, type Registry } from 'prom-client';
import type { SupergraphView } from './supergraphHolder.ts';

/** Registers whether new supergraphs arrive. `supergraphs`: read for each scrape. */
export function registerSupergraphMetrics(
  registry: Registry,
  supergraphs: Pick<SupergraphView, 'problem' | 'sourceProblem'>,
): void {
  new Gauge({
    name: 'tributary_supergraph_not_updated',
    help: 'Whether the newest supergraph was refused, or its source cannot be read.',
    labelNames: ['reason'],
    // A worker that uses another supergraph than the others is a problem, too.
    aggregator: 'max',
    registers: [registry],
    collect() {
      const sourceProblem = supergraphs.sourceProblem();
      // Without a refusal, the problem is that of the source.
      this.set({ reason: 'refused' }, supergraphs.problem() === sourceProblem ? 0 : 1);
      this.set({ reason: 'source' }, sourceProblem === undefined ? 0 : 1);
    },
  });
}
