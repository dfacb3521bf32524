import type { ExportResult } from '@opentelemetry/core';
import type { IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { GatewayConfig } from '../config/schema.ts';
import { createGatewayResource, type GatewayIdentity } from './gatewayResource.ts';
import { otlpExporterOptions } from './otlpExporterOptions.ts';
import { type PartialSuccess, readPartialSuccess } from './partialSuccess.ts';
import { SpanBatch, SpanBatchHeads } from './spanBatch.ts';
import type { SpanBatchExporter, SpanExportResult } from './spanExportQueue.ts';

/** Creates the exporter of spans to the collector at `telemetry.otlp.endpoint`. OpenTelemetry's exporter sends them. */
export function createSpanExporter(
  otlp: GatewayConfig['telemetry']['otlp'],
  identity: GatewayIdentity,
): SpanBatchExporter {
  return new SpanExporter(otlp, new SpanBatchHeads(createGatewayResource(identity)));
}

class SpanExporter implements SpanBatchExporter {
  readonly #heads: SpanBatchHeads;
  readonly #delegate: IOtlpExportDelegate<SpanBatch>;
  /** Of the response to the export that is about to end. */
  #partialSuccess: PartialSuccess | undefined;

  constructor(otlp: GatewayConfig['telemetry']['otlp'], heads: SpanBatchHeads) {
    this.#heads = heads;
    const options = convertLegacyHttpOptions(otlpExporterOptions(otlp, 'traces'), 'TRACES', 'v1/traces', {
      'Content-Type': 'application/x-protobuf',
    });
    this.#delegate = createOtlpHttpExportDelegate(
      options,
      {
        serializeRequest: (batch: SpanBatch) => batch.toRequest(),
        // The SDK would only log what the collector has rejected, and the gateway does not use its log. Called
        // immediately before the export ends.
        deserializeResponse: (response) => {
          const partialSuccess = readPartialSuccess(response);
          this.#partialSuccess = partialSuccess && {
            ...partialSuccess,
            message: maskHeaderValues(partialSuccess.message, otlp.headers),
          };
        },
      },
      'otlp_http_span_exporter',
      { name: 'span', countItems: ({ count }) => count },
      undefined,
    );
  }

  createBatch(): SpanBatch {
    return new SpanBatch(this.#heads);
  }

  export(batch: SpanBatch, onEnd: (result: SpanExportResult) => void): void {
    this.#delegate.export(batch, (result: ExportResult) => {
      const partialSuccess = this.#partialSuccess;
      this.#partialSuccess = undefined;
      onEnd({ ...result, partialSuccess });
    });
  }

  async shutdown(): Promise<void> {
    await this.#delegate.shutdown();
  }
}

/** Shorter words of headers, such as `Basic`, are no secrets. */
const minSecretLength = 8;

/** The message is logged: a collector may repeat the key that it refuses. */
function maskHeaderValues(message: string, headers: Readonly<Record<string, string>>): string {
  const secrets = Object.values(headers)
    .flatMap((value) => value.split(/\s+/))
    .filter(({ length }) => length >= minSecretLength);
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), message);
}
