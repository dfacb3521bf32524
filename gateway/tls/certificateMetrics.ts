import type { Registry } from 'prom-client';
import { registerGauge } from '../telemetry/registerGauge.ts';

/** `read`: the options that name certificate files, and when the first certificate of each expires, or the last authority, in
 *  milliseconds since 1970. */
export function registerCertificateMetrics(
  registry: Registry,
  read: () => Iterable<readonly [option: string, expiresAtMs: number]>,
): void {
  registerGauge(registry, {
    name: 'tributary_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in the file of an option expires, in seconds since 1970.',
    labelNames: ['option'],
    // A worker that has read a renewed file later than others is not up to date.
    aggregator: 'min',
    read: (set) => {
      for (const [option, ms] of read()) set({ option }, ms / 1_000);
    },
  });
}
