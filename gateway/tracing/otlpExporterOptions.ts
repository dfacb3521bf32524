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

/** How long the last export of a process may take, of the `withinMs` that are left to end it; both in milliseconds. All
 *  time may have gone to the last requests: the export gets a second anyway. A collector that hangs must not take all of
 *  the time, because orchestrators and operators wait for the end. */
export function lastExportTimeoutMs(withinMs: number): number {
  return Math.min(Math.max(withinMs, 1_000), 5_000);
}
