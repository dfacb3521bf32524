import type { Registry } from 'prom-client';
import { registerCounter } from '../telemetry/registerCounter.ts';

/** Registers metrics of responses. `countShared`: called for each scrape. */
export function registerResponseMetrics(registry: Registry, countShared: () => number): void {
  registerCounter(registry, {
    name: 'tributary_shared_responses_total',
    help: 'Requests that joined an equal request under way and got its response.',
    labelNames: [],
    read: (set) => set({}, countShared()),
  });
}
