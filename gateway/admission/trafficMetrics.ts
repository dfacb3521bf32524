import type { Registry } from 'prom-client';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { incrementCount, registerCounter, zeroCounts } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import { type ShedReason, shedReasons } from './loadShedder.ts';

/** Metrics of the requests that are refused to protect the others. All series begin with 0. */
export class TrafficMetrics {
  readonly #shed: Readonly<Record<RequestPriority, Map<ShedReason, number>>> = {
    critical: zeroCounts(shedReasons),
    normal: zeroCounts(shedReasons),
    background: zeroCounts(shedReasons),
  };
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
        for (const [priority, counts] of Object.entries(this.#shed))
          for (const [reason, count] of counts) set({ priority, reason }, count);
      },
    });
  }

  onRateLimited(): void {
    this.#rateLimited += 1;
  }

  onShed(priority: RequestPriority, reason: ShedReason): void {
    incrementCount(this.#shed[priority], reason, 1);
  }
}

/** Reports how many requests wait for their execution. */
export function registerExecutionQueueMetrics(registry: Registry, countWaiting: () => number): void {
  registerGauge(registry, {
    name: 'tributary_executions_waiting',
    help: 'Requests that wait for their execution, because the process has too much to do.',
    labelNames: [],
    read: (set) => set({}, countWaiting()),
  });
}
