import type { GatewayConfig } from '../config/schema.ts';

interface OtlpExporterOptions {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly timeoutMillis: number;
}

/** The options of an exporter to the collector at `telemetry.otlp.endpoint`. */
export function otlpExporterOptions(
  { endpoint, headers }: GatewayConfig['telemetry']['otlp'],
  signal: 'traces' | 'metrics',
): OtlpExporterOptions {
  return {
    url: `${endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    headers: { ...headers },
    timeoutMillis: exportTimeoutMs,
  };
}

/** Including repeated attempts. */
const exportTimeoutMs = 10_000;
