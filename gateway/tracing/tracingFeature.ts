import type { TracerProvider } from '@opentelemetry/api';
import { maskSecrets } from '../config/addressSecrets.ts';
import type { Feature, FeatureContext } from '../feature.ts';
import type { Tracing } from '../telemetry/trace.ts';
import { createSpanExporter, createTracerProvider } from './createTracerProvider.ts';
import { type GatewayIdentity, version } from './gatewayResource.ts';
import { lastExportTimeoutMs } from './otlpExporterOptions.ts';
import { SpanExportQueue } from './spanExportQueue.ts';
import { SpanRecorder } from './spanRecorder.ts';
import { registerTracingMetrics } from './tracingMetrics.ts';

export interface TracingFeatureOptions extends Pick<FeatureContext, 'config' | 'log' | 'metrics' | 'timers'> {
  /** The application's provider, which samples and exports. Without it, spans go to `telemetry.otlp.endpoint`. */
  readonly tracerProvider: TracerProvider | undefined;
  readonly identity: GatewayIdentity;
}

/** Traces: the spans of operations, and their export with OTLP. Loaded only where tracing is on. */
export class TracingFeature implements Feature {
  readonly tracing: Tracing;
  readonly #queue: SpanExportQueue | undefined;

  constructor(options: TracingFeatureOptions) {
    const { otlp } = options.config.telemetry;
    let provider = options.tracerProvider;
    if (provider === undefined) {
      this.#queue = createQueue(options);
      provider = createTracerProvider(this.#queue, options.identity);
    }
    const tracer = provider.getTracer('tributary', version);
    this.tracing = new SpanRecorder({
      tracer,
      recordsDocuments: otlp.documents,
      sampleRatio: options.tracerProvider === undefined ? otlp.sampleRatio : undefined,
    });
  }

  /** Exports the last spans. */
  async close(withinMs: number): Promise<void> {
    await this.#queue?.close(lastExportTimeoutMs(withinMs));
  }
}

function createQueue({
  config: {
    telemetry: { otlp },
  },
  log,
  metrics,
  timers,
}: TracingFeatureOptions): SpanExportQueue {
  const endpoint = maskSecrets(otlp.endpoint);
  const queue = new SpanExportQueue({
    exporter: createSpanExporter(otlp),
    timers,
    // The message alone: the error has the response of the collector.
    onOutage: ({ message }) =>
      log.warn({ endpoint, reason: message }, 'Spans are dropped: the collector does not take them'),
    onRecovery: (dropped) => log.info({ endpoint, dropped }, 'Spans are exported again'),
  });
  registerTracingMetrics(metrics.registry, queue);
  return queue;
}
