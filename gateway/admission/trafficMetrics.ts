import type { Registry } from 'prom-client';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { LabeledCounter } from '../telemetry/labeledCounter.ts';
import { registerCounter } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import { type ShedReason, sheddingOrder, shedReasons } from './loadShedder.ts';

/** Metrics of the requests that are refused to protect the others. All series begin with 0. */
export class TrafficMetrics {
  readonly #shed: LabeledCounter;
  #rateLimited = 0;

  constructor(registry: Registry) {
    registerCounter(registry, {
      name: 'tributary_rate_limited_total',
      help: 'Operations that were refused because their client had sent too much.',
      labelNames: [],
      read: (set) => set({}, this.#rateLimited),
    });
    this.#shed = new LabeledCounter(
      registry,
      'tributary_shed_total',
      ['priority', 'reason'],
      'Requests that were refused because the process was overloaded.',
      { firsts: sheddingOrder, seconds: shedReasons },
    );
  }

  onRateLimited(): void {
    this.#rateLimited += 1;
  }

  onShed(priority: RequestPriority, reason: ShedReason): void {
    this.#shed.increment(priority, reason);
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
