import type { ExportResult } from '@opentelemetry/core';
import type { IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { GatewayConfig } from '../config/schema.ts';
import { type PartialSuccess, readPartialSuccess } from './partialSuccess.ts';

export interface OtlpExportResult extends ExportResult {
  /** Of an export that succeeded: what the collector has rejected of it. */
  readonly partialSuccess?: PartialSuccess | undefined;
}

interface OtlpExporterOptions<Batch> {
  readonly otlp: GatewayConfig['telemetry']['otlp'];
  readonly signal: 'traces' | 'metrics';
  /** Encodes a request in protobuf. */
  serialize(batch: Batch): Uint8Array | undefined;
}

/** Sends one signal to the collector at `telemetry.otlp.endpoint`, with OpenTelemetry's transport. */
export class OtlpExporter<Batch> {
  readonly #delegate: IOtlpExportDelegate<Batch>;
  /** Of the response to the export that is about to end. */
  #partialSuccess: PartialSuccess | undefined;

  constructor({ otlp, signal, serialize }: OtlpExporterOptions<Batch>) {
    const { endpoint, headers } = otlp;
    const options = {
      url: `${endpoint.replace(/\/+$/, '')}/v1/${signal}`,
      headers: { ...headers },
      timeoutMillis: exportTimeoutMs,
    };
    this.#delegate = createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(options, signal.toUpperCase(), `v1/${signal}`, {
        'Content-Type': 'application/x-protobuf',
      }),
      {
        serializeRequest: serialize,
        // The SDK would only log what the collector has rejected, and the gateway does not use its log. Called
        // immediately before the export ends.
        deserializeResponse: (response) => {
          const partialSuccess = readPartialSuccess(response);
          this.#partialSuccess = partialSuccess && {
            ...partialSuccess,
            message: maskHeaderValues(partialSuccess.message, headers),
          };
        },
      },
      `otlp_http_${signal}_exporter`,
      // For metrics about the exporter, which the gateway does not record.
      { name: signal === 'traces' ? 'span' : 'metric_data_point', countItems: () => 1 },
      undefined,
    );
  }

  /** One export at a time. */
  export(batch: Batch, onEnd: (result: OtlpExportResult) => void): void {
    this.#delegate.export(batch, (result) => {
      const partialSuccess = this.#partialSuccess;
      this.#partialSuccess = undefined;
      onEnd({ ...result, partialSuccess });
    });
  }

  async shutdown(): Promise<void> {
    await this.#delegate.shutdown();
  }
}

/** Including repeated attempts. */
const exportTimeoutMs = 10_000;

/** Shorter words of headers, such as `Basic`, are no secrets. */
const minSecretLength = 8;

/** The message is logged: a collector may repeat the key that it refuses. */
function maskHeaderValues(message: string, headers: Readonly<Record<string, string>>): string {
  const secrets = Object.values(headers)
    .flatMap((value) => value.split(/\s+/))
    .filter(({ length }) => length >= minSecretLength);
  return secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), message);
}

/** How long the last export of a process may take, of the `withinMs` that are left to end it; both in milliseconds. All
 *  time may have gone to the last requests: the export gets a second anyway. A collector that hangs must not take all of
 *  the time, because orchestrators and operators wait for the end. */
export function lastExportTimeoutMs(withinMs: number): number {
  return Math.min(Math.max(withinMs, 1_000), 5_000);
}
