import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { addMetricsRoute } from '../../../gateway/telemetry/metricsRoute.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';

test('Prometheus finds the metrics on the admin listener, and clients do not', async () => {
  await using server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) => addMetricsRoute(routes, createMetrics()),
  });
  const response = await fetch(`${server.adminUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.text()).toMatch(/^process_resident_memory_bytes \d+$/m);
  const outside = await fetch(new URL('/metrics', server.url));
  expect(outside.status).toBe(404);
});
