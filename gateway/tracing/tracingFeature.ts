import type { TracerProvider } from '@opentelemetry/api';
import { maskSecrets } from '../config/addressSecrets.ts';
import { messageOf } from '../errors.ts';
import type { Feature, FeatureContext } from '../feature.ts';
import { ProblemLog } from '../telemetry/problemLog.ts';
import type { Tracing } from '../telemetry/trace.ts';
import { ApplicationTracing } from './applicationTracing.ts';
import { createSpanExporter } from './createSpanExporter.ts';
import { type GatewayIdentity, version } from './gatewayResource.ts';
import { OperationDescriptions } from './operationDescriptions.ts';
import { lastExportTimeoutMs } from './otlpExporter.ts';
import { SpanExportQueue } from './spanExportQueue.ts';
import { SpanRecorder } from './spanRecorder.ts';
import { registerTracingMetrics } from './tracingMetrics.ts';

export interface TracingFeatureOptions
  extends Pick<FeatureContext, 'config' | 'log' | 'metrics' | 'timers' | 'now'> {
  /** The application's provider, which samples and exports. Without it, spans go to `telemetry.otlp.endpoint`. */
  readonly tracerProvider: TracerProvider | undefined;
  readonly identity: GatewayIdentity;
}

/** Traces: the spans of operations, and their export with OTLP. Loaded only where tracing is on. */
export class TracingFeature implements Feature {
  readonly tracing: Tracing;
  readonly #queue: SpanExportQueue | undefined;

  constructor(options: TracingFeatureOptions) {
    const { tracerProvider, log, now } = options;
    const { documents, sampleRatio } = options.config.telemetry.otlp;
    const descriptions = new OperationDescriptions(documents);
    if (tracerProvider !== undefined) {
      const tracer = tracerProvider.getTracer('tributary', version);
      const message = 'The tracer provider of the application fails: spans are incomplete or lost';
      const problems = new ProblemLog<'tracer provider'>({ log, now, message });
      const onFailure = (error: unknown): void => problems.report('tracer provider', messageOf(error));
      this.tracing = new ApplicationTracing(tracer, descriptions, onFailure);
      return;
    }
    const queue = createQueue(options);
    this.#queue = queue;
    this.tracing = new SpanRecorder({ descriptions, sampleRatio, onEnd: (span) => queue.add(span) });
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
  identity,
}: TracingFeatureOptions): SpanExportQueue {
  const endpoint = maskSecrets(otlp.endpoint);
  const queue = new SpanExportQueue({
    exporter: createSpanExporter(otlp, identity),
    timers,
    onOutage: (reason) =>
      log.warn({ endpoint, reason }, 'Spans are dropped: the collector does not take them'),
    onRecovery: (dropped) => log.info({ endpoint, dropped }, 'Spans are exported again'),
  });
  registerTracingMetrics(metrics.registry, queue);
  return queue;
}
