import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../telemetry/metrics.ts';

/** `GET /metrics`, for Prometheus. */
export function addMetricsRoute(
  server: FastifyInstance,
  metrics: Pick<Metrics, 'contentType' | 'text'>,
): void {
  server.get('/metrics', async (_, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type(metrics.contentType)
      .send(await metrics.text()),
  );
}
