import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { GatewayConfig } from '../config/schema.ts';
import { createGatewayResource, type GatewayIdentity } from './gatewayResource.ts';
import { otlpExporterOptions } from './otlpExporterOptions.ts';
import type { SpanExportQueue } from './spanExportQueue.ts';

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. */
export function createSpanExporter(otlp: GatewayConfig['telemetry']['otlp']): OTLPTraceExporter {
  return new OTLPTraceExporter(otlpExporterOptions(otlp, 'traces'));
}

/** Creates a tracer provider of this gateway alone: nothing is registered for the process, which may have several gateways and
 *  an application with its own OpenTelemetry. */
export function createTracerProvider(queue: SpanExportQueue, identity: GatewayIdentity): TracerProvider {
  return new TracerProvider({
    // `SpanRecorder` decides, before it creates anything.
    sampler: new AlwaysOnSampler(),
    resource: createGatewayResource(identity),
    spanProcessors: [queue],
  });
}
