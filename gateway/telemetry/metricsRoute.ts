import type { Routes } from '../transport/http/routes.ts';
import type { Metrics } from './metrics.ts';

/** `GET /metrics`, for Prometheus. */
export function addMetricsRoute(server: Routes, metrics: Pick<Metrics, 'contentType' | 'text'>): void {
  server.get('/metrics', async (_, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type(metrics.contentType)
      .send(await metrics.text()),
  );
}
