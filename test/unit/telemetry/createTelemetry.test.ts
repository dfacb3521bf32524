import type { ServerResponse } from 'node:http';
import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { createTelemetry } from '../../../gateway/createTelemetry.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { startOtlpCollector } from '../../harness/otlpCollector.ts';

test('The last spans and the last metrics are exported at the same time, so that a collector that hangs delays the end once', async () => {
  await using collector = await startOtlpCollector();
  const unanswered: ServerResponse[] = [];
  collector.handleWith((response) => unanswered.push(response));
  const timers = new FakeTimers();
  const { tracing, exports, routes } = await createTelemetry({
    config: parseConfig({
      supergraph: { file: 'supergraph.graphql' },
      telemetry: { otlp: { endpoint: collector.endpoint }, metrics: { otlp: true } },
    }),
    log: createLogger('silent'),
    timers,
    workerCalls: undefined,
  });
  tracing?.startTrace('graphql.operation', { headers: new Map() }).trace?.root.end();
  const closed = exports.close?.(30_000);
  // One of each signal.
  await collector.waitForRequests(2);
  timers.advance(5_000);
  await closed;
  expect(unanswered).toHaveLength(2);
  for (const response of unanswered) response.writeHead(200).end();
  await routes.close?.(0);
});
