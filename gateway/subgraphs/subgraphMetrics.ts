import { Gauge, Histogram, type Registry } from 'prom-client';
import { incrementCount, registerCounter } from '../telemetry/registerCounter.ts';
import type { CallQueueObserver, WaitEnd } from './policies/callQueue.ts';

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of the calls that wait for a subgraph. The labels `subgraph` and `priority` are names out of supergraphs
 *  and from a fixed list: clients cannot make new ones. What does not have to wait costs nothing here. */
export class SubgraphMetrics implements CallQueueObserver {
  readonly #lengths = new Map<string, number>();
  readonly #dropped = new Map<string, Map<string, number>>();
  readonly #waits: Histogram<'subgraph'>;

  constructor(registry: Registry) {
    this.#waits = new Histogram({
      name: 'tributary_subgraph_queue_wait_seconds',
      help: 'How long calls waited for their turn. Those that had it at once are not in it.',
      labelNames: ['subgraph'],
      buckets: seconds,
      registers: [registry],
    });
    const lengths = this.#lengths;
    new Gauge({
      name: 'tributary_subgraph_queue_length',
      help: 'Calls that wait for their turn.',
      labelNames: ['subgraph'],
      registers: [registry],
      collect() {
        for (const [subgraph, length] of lengths) this.set({ subgraph }, length);
      },
    });
    registerCounter(registry, {
      name: 'tributary_subgraph_queue_dropped_total',
      help: 'Calls that were dropped since too many were waiting.',
      labelNames: ['subgraph', 'priority'],
      read: (set) => {
        for (const [subgraph, counts] of this.#dropped) {
          for (const [priority, count] of counts) set({ subgraph, priority }, count);
        }
      },
    });
  }

  onWait(subgraph: string): void {
    incrementCount(this.#lengths, subgraph, 1);
  }

  onWaitEnd({ subgraph, priority, outcome, waitedMs }: WaitEnd): void {
    incrementCount(this.#lengths, subgraph, -1);
    if (outcome === 'sent') this.#waits.observe({ subgraph }, waitedMs / 1_000);
    if (outcome === 'dropped') this.#countDropped(subgraph, priority);
  }

  #countDropped(subgraph: string, priority: string): void {
    let counts = this.#dropped.get(subgraph);
    if (counts === undefined) {
      counts = new Map();
      this.#dropped.set(subgraph, counts);
    }
    incrementCount(counts, priority, 1);
  }
}
