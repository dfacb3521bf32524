import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import querystring from 'node:querystring';
import type { ExportResult } from '@opentelemetry/core';
import { type IOtlpExportDelegate, OTLPExporterError } from '@opentelemetry/otlp-exporter-base';
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from '@opentelemetry/otlp-exporter-base/node-http';
import type { GatewayConfig } from '../config/schema.ts';
import { joinErrorMessages } from '../errors.ts';
import { shutdownStepMs } from '../time/shutdownStepMs.ts';
import { nameTlsSettings } from '../tls/explainTlsError.ts';
import { type PartialSuccess, readPartialSuccess } from './partialSuccess.ts';

export interface OtlpExportResult extends ExportResult {
  /** Of an export that succeeded: what the collector has rejected of it. */
  readonly partialSuccess?: PartialSuccess | undefined;
}

interface OtlpExporterOptions<Batch> {
  readonly otlp: Pick<GatewayConfig['telemetry']['otlp'], 'endpoint' | 'headers'>;
  readonly signal: 'traces' | 'metrics';
  /** Encodes a request in protobuf. */
  serialize(batch: Batch): Uint8Array | undefined;
}

/** Sends one signal to the collector at `telemetry.otlp.endpoint`, with OpenTelemetry's transport. */
export class OtlpExporter<Batch> {
  readonly #url: URL;
  readonly #delegate: IOtlpExportDelegate<Batch>;
  /** Of the response to the export that is about to end. */
  #partialSuccess: PartialSuccess | undefined;

  constructor({ otlp, signal, serialize }: OtlpExporterOptions<Batch>) {
    const { endpoint, headers } = otlp;
    this.#url = new URL(`${endpoint.replace(/\/+$/, '')}/v1/${signal}`);
    const secrets = secretsOf(headers, signal);
    const options = {
      url: this.#url.href,
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
            // The message is logged, and a collector may repeat the key that it refuses.
            message: secrets.reduce((masked, text) => masked.replaceAll(text, '***'), partialSuccess.message),
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
    const stopObserving = this.#observeStatus();
    this.#delegate.export(batch, (result) => {
      const partialSuccess = this.#partialSuccess;
      this.#partialSuccess = undefined;
      const status = stopObserving();
      const isRefused = result.error instanceof OTLPExporterError && status !== undefined;
      onEnd({ ...result, ...(isRefused ? { error: refusalError(status) } : {}), partialSuccess });
    });
  }

  /** Observes the status of the collector's responses, which the errors of the SDK do not have in their messages. Returns a
   *  function that stops it and returns the last status. */
  #observeStatus(): () => number | undefined {
    const { host, pathname, search } = this.#url;
    let status: number | undefined;
    const onResponse = (message: unknown): void => {
      const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
      if (request.getHeader('host') === host && request.path === `${pathname}${search}`)
        status = response.statusCode;
    };
    subscribe(responseChannel, onResponse);
    return () => {
      unsubscribe(responseChannel, onResponse);
      return status;
    };
  }

  async shutdown(): Promise<void> {
    await this.#delegate.shutdown();
  }
}

/** Of node:http, which sends the exports. */
const responseChannel = 'http.client.response.finish';

function refusalError(status: number): Error {
  return new Error(`The collector responds with status ${status} (${STATUS_CODES[status] ?? 'unknown'}).`);
}

/** The messages of a failed export alone, because the error has the response of the collector. */
export function describeExportError(error: Error): string {
  return nameTlsSettings(joinErrorMessages(error), {
    ca: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
    cert: 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
  });
}

/** Including repeated attempts. */
const exportTimeoutMs = 10_000;

/** Shorter words of headers, such as `Basic`, are no secrets. */
const minSecretLength = 8;

/** The words of the headers that exports have: those of the configuration, and those of the environment, which OpenTelemetry's
 *  transport adds (`name=value,name=value`, percent-encoded). */
function secretsOf(headers: Readonly<Record<string, string>>, signal: string): readonly string[] {
  const ofEnvironment = ['', `${signal.toUpperCase()}_`].flatMap((part) =>
    (process.env[`OTEL_EXPORTER_OTLP_${part}HEADERS`] ?? '')
      .split(',')
      .map((pair) => querystring.unescape(pair.replace(/^[^=]*=/, ''))),
  );
  return [...Object.values(headers), ...ofEnvironment]
    .flatMap((value) => value.split(/\s+/))
    .filter(({ length }) => length >= minSecretLength);
}

/** How long the last export of a process may take, of the `withinMs` that are left to end it; both in milliseconds. A
 *  collector that hangs must not take all of the time, because orchestrators and operators wait for the end. */
export function lastExportTimeoutMs(withinMs: number): number {
  return shutdownStepMs(withinMs, 5_000);
}
