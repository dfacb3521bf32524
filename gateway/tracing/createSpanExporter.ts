import { type IOtlpExportDelegate, OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { GatewayConfig } from '../config/schema.ts';
import { createGatewayResource, type GatewayIdentity } from './gatewayResource.ts';
import { otlpExporterOptions } from './otlpExporterOptions.ts';
import type { RecordedSpan } from './recordedSpan.ts';
import type { SpanBatchExporter } from './spanExportQueue.ts';
import { SpanSerializer } from './spanSerializer.ts';

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. OpenTelemetry's exporter sends them. */
export function createSpanExporter(
  otlp: GatewayConfig['telemetry']['otlp'],
  identity: GatewayIdentity,
): SpanBatchExporter {
  const options = convertLegacyHttpOptions(otlpExporterOptions(otlp, 'traces'), 'TRACES', 'v1/traces', {
    'Content-Type': 'application/x-protobuf',
  });
  const delegate: IOtlpExportDelegate<readonly RecordedSpan[]> = createOtlpHttpExportDelegate(
    options,
    new SpanSerializer(createGatewayResource(identity)),
    'otlp_http_span_exporter',
    { name: 'span', countItems: (spans) => spans.length },
    undefined,
  );
  return new OTLPExporterBase(delegate);
}
