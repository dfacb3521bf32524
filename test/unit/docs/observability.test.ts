import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { AuthenticationMetrics } from '../../../gateway/admission/authentication/authenticationMetrics.ts';
import { TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import { CacheMetrics } from '../../../gateway/cache/cacheMetrics.ts';
import { registerContractMetrics } from '../../../gateway/contracts/contractMetrics.ts';
import { EnrichmentMetrics } from '../../../gateway/enrichment/enrichmentMetrics.ts';
import { registerSubgraphGauges, SubgraphMetrics } from '../../../gateway/subgraphs/subgraphMetrics.ts';
import { registerSubscriptionMetrics } from '../../../gateway/subscriptions/subscriptionMetrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { registerTracingMetrics } from '../../../gateway/tracing/tracingMetrics.ts';

const page = await readFile(join(import.meta.dirname, '../../../docs/observability.md'), 'utf8');

test('docs/observability.md lists exactly the metrics of the gateway, with their types', async () => {
  const { registry } = createMetrics();
  new TrafficMetrics(registry);
  new AuthenticationMetrics(registry, []);
  new SubgraphMetrics(registry);
  registerSubgraphGauges(registry, () => []);
  new CacheMetrics({
    registry,
    problems: () => new Map(),
    memory: () => ({ bytes: 0, entries: 0 }),
  });
  registerSubscriptionMetrics({ registry, topicProblems: () => new Map(), droppedEventCount: () => 0 });
  new EnrichmentMetrics({ registry, countJobs: () => 0, readDeliveryModes: () => [] });
  registerContractMetrics({
    registry,
    supergraphs: () => [],
    brokenOperations: () => 0,
    subgraphs: () => [],
  });
  registerTracingMetrics(registry, { exported: 0, droppedFull: 0, droppedFailed: 0 });
  const registered = (await registry.getMetricsAsJSON()).map(({ name, type }) => `${name} ${type}`);
  const rows = page.matchAll(/^\| (`tributary_.+?) \| (\w+) \|/gm);
  const listed = Array.from(rows, ([, names = '', type]) =>
    Array.from(names.matchAll(/`(\w+)`/g), ([, name]) => `${name} ${type}`),
  ).flat();
  expect(listed.sort()).toEqual(registered.sort());
});

test('queries in docs/observability.md use existing metrics', () => {
  const queries = Array.from(page.matchAll(/^```promql\n([\s\S]*?)^```$/gm), ([, query = '']) => query);
  const used = queries.flatMap((query) => query.match(/tributary_\w+/g) ?? []);
  const listed = new Set(page.matchAll(/`(tributary_\w+)`/g).map(([, name]) => name));
  expect(used.length).toBeGreaterThan(0);
  expect(used.filter((name) => !listed.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
});
