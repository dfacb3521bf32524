import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { maskSecrets } from '../config/addressSecrets.ts';
import type { Feature, FeatureContext } from '../feature.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createGatewayResource, type GatewayIdentity, version } from '../tracing/gatewayResource.ts';
import { lastExportTimeoutMs, OtlpExporter } from '../tracing/otlpExporter.ts';
import { PeriodicMetricsExport } from './periodicMetricsExport.ts';
import { toMetricData } from './toMetricData.ts';

interface MetricsExportFeatureOptions extends Pick<FeatureContext, 'config' | 'log' | 'timers' | 'now'> {
  readonly metrics: Pick<Metrics, 'snapshot'>;
  readonly identity: GatewayIdentity;
}

/** Exports the metrics of this process with OTLP (`telemetry.metrics.otlp`). Loaded only where that is on. The numbers are
 *  those of `GET /metrics`; with several workers, each exports its own. */
export class MetricsExportFeature implements Feature {
  readonly #export: PeriodicMetricsExport;

  constructor({ config, log, timers, now, metrics, identity }: MetricsExportFeatureOptions) {
    const { otlp } = config.telemetry;
    const endpoint = maskSecrets(otlp.endpoint);
    const resource = createGatewayResource(identity);
    const scope = { name: 'tributary', version };
    const startedAt = now();
    this.#export = new PeriodicMetricsExport({
      exporter: new OtlpExporter<ResourceMetrics>({
        otlp,
        signal: 'metrics',
        serialize: (collected) => ProtobufMetricsSerializer.serializeRequest(collected),
      }),
      timers,
      collect: async () => ({
        resource,
        scopeMetrics: [
          { scope, metrics: toMetricData(await metrics.snapshot(), { startedAt, readAt: now() }) },
        ],
      }),
      onOutage: (reason) =>
        log.warn({ endpoint, reason }, 'Metrics are not exported: the collector does not take them'),
      onRecovery: (failed) => log.info({ endpoint, failed }, 'Metrics are exported again'),
    });
  }

  /** Exports the final counts. */
  async close(withinMs: number): Promise<void> {
    await this.#export.close(lastExportTimeoutMs(withinMs));
  }
}
