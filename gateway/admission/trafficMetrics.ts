import { Gauge, type Registry } from 'prom-client';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { registerCounter } from '../telemetry/registerCounter.ts';
import type { ShedReason } from './loadShedder.ts';

/** Metrics of the requests that are refused to protect the others. */
export class TrafficMetrics {
  readonly #shed = new Map<string, { priority: RequestPriority; reason: ShedReason; count: number }>();

  #rateLimited = 0;

  constructor(registry: Registry) {
    registerCounter(registry, {
      name: 'tributary_rate_limited_total',
      help: 'Operations that were refused because their client had sent too much.',
      labelNames: [],
      read: (set) => set({}, this.#rateLimited),
    });
    registerCounter(registry, {
      name: 'tributary_shed_total',
      help: 'Requests that were refused because the process was overloaded.',
      labelNames: ['priority', 'reason'],
      read: (set) => {
        for (const { priority, reason, count } of this.#shed.values()) set({ priority, reason }, count);
      },
    });
  }

  onRateLimited(): void {
    this.#rateLimited += 1;
  }

  onShed(priority: RequestPriority, reason: ShedReason): void {
    const key = `${priority} ${reason}`;
    const shed = this.#shed.get(key);
    if (shed === undefined) this.#shed.set(key, { priority, reason, count: 1 });
    else shed.count += 1;
  }
}

/** Reports how many requests wait for their execution. */
export function registerExecutionQueueMetrics(registry: Registry, countWaiting: () => number): void {
  new Gauge({
    name: 'tributary_executions_waiting',
    help: 'Requests that wait for their execution, because the process has too much to do.',
    registers: [registry],
    collect() {
      this.set(countWaiting());
    },
  });
}
