import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Routes } from '../transport/http/routes.ts';
import type { MetricsSnapshot } from './metricsDirectory.ts';
import { type OtherWorkers, WorkerMetrics } from './workerMetrics.ts';
import { writeMetrics } from './writeMetrics.ts';

/** The Prometheus metrics of one gateway. Several gateways in a process do not share counts. */
export interface Metrics {
  /** Stages and features register their metrics here. */
  readonly registry: Registry;
  /** The metrics of the gateway and of the process, of this worker alone. */
  snapshot(): Promise<MetricsSnapshot>;
  /** The content type of `text`. */
  readonly contentType: string;
  /** The metrics of the gateway and of the process in Prometheus' text format; with several workers, of all of them. */
  text(): Promise<string>;
  /** Stores the counts for the other workers. */
  close(): Promise<void>;
}

export function createMetrics(otherWorkers?: OtherWorkers): Metrics {
  const registry = new Registry();
  const snapshot = async (): Promise<MetricsSnapshot> => [
    ...(await registry.getMetricsAsJSON()),
    ...(await processRegistry().getMetricsAsJSON()),
  ];
  const workers = otherWorkers && new WorkerMetrics(otherWorkers, snapshot);
  return {
    registry,
    snapshot,
    contentType: registry.contentType,
    async text() {
      if (workers !== undefined) return workers.text();
      const [gatewayText, processText] = await Promise.all([registry, processRegistry()].map(writeMetrics));
      return `${gatewayText}\n${processText}`;
    },
    close: async () => workers?.close(),
  };
}

/** Adds `GET /metrics`. */
export function addMetricsRoute(server: Routes, metrics: Pick<Metrics, 'contentType' | 'text'>): void {
  server.get('/metrics', async (_, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type(metrics.contentType)
      .send(await metrics.text()),
  );
}

/** They read `process._getActiveHandles` and `process._getActiveRequests`, which Node.js does not document. Node.js aborts the
 *  process in them while a handle is being removed (`async_wrap.cc`, `!obj.IsEmpty()`). `nodejs_active_resources` counts the same. */
const abortingMetrics = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
];

let sharedRegistry: Registry | undefined;

// One for the process, created at the first use: the observers of garbage collection and of the event loop cannot be
// stopped, and hold their registry. They do not keep the process running.
function processRegistry(): Registry {
  if (sharedRegistry === undefined) {
    sharedRegistry = new Registry();
    collectDefaultMetrics({ register: sharedRegistry });
    for (const name of abortingMetrics) sharedRegistry.removeSingleMetric(name);
  }
  return sharedRegistry;
}
