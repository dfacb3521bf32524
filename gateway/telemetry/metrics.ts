import { collectDefaultMetrics, Registry } from 'prom-client';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import type { Routes } from '../transport/http/routes.ts';
import type { MetricsSnapshot } from './metricsSnapshot.ts';
import { WorkerMetrics, type WorkerMetricsOptions } from './workerMetrics.ts';
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

/** `ofWorkers`: for a process that shares its port with others. */
export function createMetrics(ofWorkers?: WorkerMetricsOptions): Metrics {
  const registry = new Registry();
  const snapshot = async (): Promise<MetricsSnapshot> => [
    ...(await readMetrics(registry)),
    ...(await readMetrics(processRegistry())),
  ];
  const workers = ofWorkers && new WorkerMetrics(ofWorkers, snapshot);
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

/** A metric with more samples takes more than a millisecond to read. */
const maxSamplesAtOnce = 1_000;

/** `registry.getMetricsAsJSON()`, which yields to the event loop after a large metric. */
async function readMetrics(registry: Registry): Promise<MetricsSnapshot> {
  const metrics: MetricsSnapshot = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = (await registry.getSingleMetric(name)?.get()) as MetricsSnapshot[number] | undefined;
    if (metric === undefined) continue;
    metrics.push(metric);
    if (metric.values.length > maxSamplesAtOnce) await yieldToEventLoop();
  }
  return metrics;
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

/** They read `process._getActiveHandles` and `process._getActiveRequests`, which Node.js does not document. Node.js aborts
 *  the process in them while a handle is being removed (`async_wrap.cc`, `!obj.IsEmpty()`). `nodejs_active_resources` counts
 *  the same. */
const abortingMetrics = [
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
];

/** The limit holds for each process: the sum would hide a worker that is near it behind others that are not. The start of the
 *  newest worker changes whenever one is replaced. */
const metricsOfOneProcess = ['process_open_fds', 'process_max_fds', 'process_start_time_seconds'];

let sharedRegistry: Registry | undefined;

// The process has one registry of these metrics, created at the first use: the observers of garbage collection and of the
// event loop cannot be stopped, and hold their registry. They do not keep the process running.
function processRegistry(): Registry {
  if (sharedRegistry === undefined) {
    sharedRegistry = new Registry();
    collectDefaultMetrics({ register: sharedRegistry });
    for (const name of abortingMetrics) sharedRegistry.removeSingleMetric(name);
    for (const name of metricsOfOneProcess) {
      const metric = sharedRegistry.getSingleMetric(name) as { aggregator?: string } | undefined;
      // Some exist on Linux only.
      if (metric !== undefined) metric.aggregator = 'max';
    }
  }
  return sharedRegistry;
}
