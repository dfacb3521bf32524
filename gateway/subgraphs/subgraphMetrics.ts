import { Gauge, Histogram, type Registry } from 'prom-client';
import { incrementCount, registerCounter } from '../telemetry/registerCounter.ts';
import type { CallQueueObserver, WaitEnd } from './policies/callQueue.ts';

/** Upper bounds of the histogram's buckets, in seconds. */
const bucketsSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Metrics of the queues of subgraphs. The labels `subgraph` and `priority` come from the supergraph and from a fixed list, so
 *  that clients cannot add label values. A call that does not wait costs nothing here. */
export class SubgraphMetrics implements CallQueueObserver {
  readonly #lengths = new Map<string, number>();
  readonly #dropped = new Map<string, Map<string, number>>();
  readonly #waits: Histogram<'subgraph'>;

  constructor(registry: Registry) {
    this.#waits = new Histogram({
      name: 'tributary_subgraph_queue_wait_seconds',
      help: 'How long calls waited in the queue of a subgraph. Calls that started at once are not counted.',
      labelNames: ['subgraph'],
      buckets: bucketsSeconds,
      registers: [registry],
    });
    const lengths = this.#lengths;
    new Gauge({
      name: 'tributary_subgraph_queue_length',
      help: 'Calls in the queue of a subgraph.',
      labelNames: ['subgraph'],
      registers: [registry],
      collect() {
        for (const [subgraph, length] of lengths) this.set({ subgraph }, length);
      },
    });
    registerCounter(registry, {
      name: 'tributary_subgraph_queue_dropped_total',
      help: 'Calls that were dropped because the queue of a subgraph was full.',
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
