import { randomUUID } from 'node:crypto';
import type { GatewayConfig } from './config/schema.ts';
import type { Feature } from './feature.ts';
import type { MetricsExportFeature } from './metricsExport/metricsExportFeature.ts';
import type { Logger } from './telemetry/logger.ts';
import { LogLevel } from './telemetry/logLevel.ts';
import { addMetricsRoute, createMetrics, type Metrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/trace.ts';
import type { Timers } from './time/timers.ts';
import type { TracingFeature, TracingFeatureOptions } from './tracing/tracingFeature.ts';
import { addLogLevelRoute } from './transport/http/logLevelRoute.ts';
import type { WorkerCalls } from './transport/workers/workerCalls.ts';

interface TelemetryOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly timers: Timers;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
  /** `undefined` for a process that shares its port with no other. */
  readonly workerCalls: WorkerCalls | undefined;
  readonly tracerProvider?: TracingFeatureOptions['tracerProvider'];
}

interface Telemetry {
  readonly metrics: Metrics;
  /** `undefined` if tracing is off. */
  readonly tracing: Tracing | undefined;
  /** Exports spans and metrics, where that is on. */
  readonly exports: Feature;
  /** What the admin listener says about the process: its metrics, and the level of its log. */
  readonly routes: Feature;
}

/** Creates what reports about a gateway, besides its log. */
export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { log, timers, now = Date.now, workerCalls } = options;
  const metrics = createMetrics(workerCalls && { workers: workerCalls, log, now });
  const logLevel = new LogLevel({ log, timers, workers: workerCalls });
  return {
    metrics,
    ...(await loadExports(options, metrics)),
    routes: {
      addAdminRoutes(routes) {
        addMetricsRoute(routes, metrics);
        addLogLevelRoute(routes, logLevel);
      },
      async close() {
        logLevel.close();
        await metrics.close();
      },
    },
  };
}

/** Loads OpenTelemetry only where traces or metrics are exported. */
async function loadExports(
  { config, log, timers, now = Date.now, tracerProvider, workerCalls }: TelemetryOptions,
  metrics: Metrics,
): Promise<Pick<Telemetry, 'tracing' | 'exports'>> {
  const { otlp, metrics: metricsOptions } = config.telemetry;
  const identity = { instanceId: randomUUID(), workerName: workerCalls?.worker.name };
  const options = { config, log, metrics, timers, now, identity };
  const loadTracing = async (): Promise<TracingFeature> => {
    const { TracingFeature } = await import('./tracing/tracingFeature.ts');
    return new TracingFeature({ ...options, tracerProvider });
  };
  const loadMetricsExport = async (): Promise<MetricsExportFeature> => {
    const { MetricsExportFeature } = await import('./metricsExport/metricsExportFeature.ts');
    return new MetricsExportFeature(options);
  };
  const tracing = otlp.endpoint === '' && tracerProvider === undefined ? undefined : await loadTracing();
  const metricsExport = metricsOptions.otlp ? await loadMetricsExport() : undefined;
  return {
    tracing: tracing?.tracing,
    exports: {
      // At the same time: a collector that hangs delays the end of the process once, and not once for each signal.
      async close(withinMs) {
        await Promise.all([tracing?.close(withinMs), metricsExport?.close(withinMs)]);
      },
    },
  };
}
