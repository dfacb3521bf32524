import { type IOtlpExportDelegate, OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { GatewayConfig } from '../config/schema.ts';
import { createGatewayResource, type GatewayIdentity } from './gatewayResource.ts';
import { otlpExporterOptions } from './otlpExporterOptions.ts';
import { SpanBatch, SpanBatchHeads } from './spanBatch.ts';
import type { SpanBatchExporter } from './spanExportQueue.ts';

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. OpenTelemetry's exporter sends them. */
export function createSpanExporter(
  otlp: GatewayConfig['telemetry']['otlp'],
  identity: GatewayIdentity,
): SpanBatchExporter {
  const options = convertLegacyHttpOptions(otlpExporterOptions(otlp, 'traces'), 'TRACES', 'v1/traces', {
    'Content-Type': 'application/x-protobuf',
  });
  const heads = new SpanBatchHeads(createGatewayResource(identity));
  const delegate: IOtlpExportDelegate<SpanBatch> = createOtlpHttpExportDelegate(
    options,
    {
      serializeRequest: (batch: SpanBatch) => batch.toRequest(),
      // The collector says how many spans it refused. The SDK would log it, but the gateway does not use its log.
      deserializeResponse: () => undefined,
    },
    'otlp_http_span_exporter',
    { name: 'span', countItems: ({ count }) => count },
    undefined,
  );
  return new SpanExporter(delegate, heads);
}

class SpanExporter extends OTLPExporterBase<SpanBatch> implements SpanBatchExporter {
  readonly #heads: SpanBatchHeads;

  constructor(delegate: IOtlpExportDelegate<SpanBatch>, heads: SpanBatchHeads) {
    super(delegate);
    this.#heads = heads;
  }

  createBatch(): SpanBatch {
    return new SpanBatch(this.#heads);
  }
}
