import type { GatewayConfig } from '../config/schema.ts';
import { createGatewayResource, type GatewayIdentity } from './gatewayResource.ts';
import { OtlpExporter } from './otlpExporter.ts';
import { SpanBatch, SpanBatchHeads } from './spanBatch.ts';
import type { SpanBatchExporter } from './spanExportQueue.ts';

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. */
export function createSpanExporter(
  otlp: GatewayConfig['telemetry']['otlp'],
  identity: GatewayIdentity,
): SpanBatchExporter {
  const heads = new SpanBatchHeads(createGatewayResource(identity));
  const exporter = new OtlpExporter<SpanBatch>({
    otlp,
    signal: 'traces',
    serialize: (batch) => batch.toRequest(),
  });
  return {
    createBatch: () => new SpanBatch(heads),
    export: (batch, onEnd) => exporter.export(batch, onEnd),
    shutdown: () => exporter.shutdown(),
  };
}
