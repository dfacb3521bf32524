import type { Registry } from 'prom-client';
import { registerCounter } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import type { Preparer } from './preparer.ts';

/** Registers metrics of the plan cache. `read`: called for each scrape. */
export function registerPlanMetrics(registry: Registry, read: () => Preparer['planCacheCounts']): void {
  registerCounter(registry, {
    name: 'tributary_plan_cache_lookups_total',
    help: 'Operations that were prepared, by whether the planner was called for them.',
    labelNames: ['outcome'],
    read: (set) => {
      const { hits, misses } = read();
      set({ outcome: 'hit' }, hits);
      set({ outcome: 'miss' }, misses);
    },
  });
  registerGauge(registry, {
    name: 'tributary_plan_cache_entries',
    help: 'Plans in the cache.',
    labelNames: [],
    read: (set) => set({}, read().size),
  });
}
