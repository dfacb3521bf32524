import type { Registry } from 'prom-client';
import { registerGauge } from '../telemetry/registerGauge.ts';

/** Registers whether Redis cannot be used. `isUnavailable`: called for each scrape. */
export function registerRedisMetrics(registry: Registry, isUnavailable: () => boolean): void {
  registerGauge(registry, {
    name: 'tributary_redis_unavailable',
    help: 'Whether this process cannot connect to Redis, or Redis refuses its writes or scripts, or answers too late.',
    labelNames: [],
    // A worker that shares nothing with the others is a problem, too.
    aggregator: 'max',
    read: (set) => set({}, isUnavailable() ? 1 : 0),
  });
}
