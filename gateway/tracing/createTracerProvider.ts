import { randomUUID } from 'node:crypto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';
import type { GatewayConfig } from '../config/schema.ts';
import type { SpanExportQueue } from './spanExportQueue.ts';

type OtlpConfig = GatewayConfig['telemetry']['otlp'];

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. */
export function createSpanExporter({ endpoint, headers }: OtlpConfig): OTLPTraceExporter {
  return new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: exportTimeoutMs,
  });
}

/** Including repeated attempts. */
const exportTimeoutMs = 10_000;

/** Creates a tracer provider of this gateway alone: nothing is registered for the process, which may have several gateways and
 *  an application with its own OpenTelemetry. */
export function createTracerProvider(
  queue: SpanExportQueue,
  identity: { readonly version: string; readonly workerName: string | undefined },
): TracerProvider {
  return new TracerProvider({
    // `SpanRecorder` decides, before it creates anything.
    sampler: new AlwaysOnSampler(),
    resource: createResource(identity),
    spanProcessors: [queue],
  });
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override the defaults. Each worker has an id of its own. */
function createResource({
  version,
  workerName,
}: {
  readonly version: string;
  readonly workerName: string | undefined;
}): Resource {
  const fromEnvironment = detectResources({
    detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector],
  });
  const id = String(fromEnvironment.attributes[ATTR_SERVICE_INSTANCE_ID] ?? randomUUID());
  return defaultResource()
    .merge(resourceFromAttributes({ [ATTR_SERVICE_NAME]: 'tributary', [ATTR_SERVICE_VERSION]: version }))
    .merge(fromEnvironment)
    .merge(
      resourceFromAttributes({
        [ATTR_SERVICE_INSTANCE_ID]: workerName === undefined ? id : `${id}.${workerName}`,
      }),
    );
}
