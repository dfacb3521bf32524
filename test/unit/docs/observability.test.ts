import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { AuthenticationMetrics } from '../../../gateway/admission/authentication/authenticationMetrics.ts';
import { registerExecutionQueueMetrics, TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import { CacheMetrics } from '../../../gateway/cache/cacheMetrics.ts';
import { registerReplacements } from '../../../gateway/cli/supervisorMetrics.ts';
import { registerContractMetrics } from '../../../gateway/contracts/contractMetrics.ts';
import { EnrichmentMetrics } from '../../../gateway/enrichment/enrichmentMetrics.ts';
import { registerPlanMetrics } from '../../../gateway/operation/planMetrics.ts';
import { registerRedisMetrics } from '../../../gateway/redis/redisMetrics.ts';
import { registerResponseMetrics } from '../../../gateway/response/responseMetrics.ts';
import { registerSubgraphGauges, SubgraphMetrics } from '../../../gateway/subgraphs/subgraphMetrics.ts';
import { registerSubscriptionMetrics } from '../../../gateway/subscriptions/subscriptionMetrics.ts';
import { registerSupergraphMetrics } from '../../../gateway/supergraph/supergraphMetrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { RequestMetrics } from '../../../gateway/telemetry/requestMetrics.ts';
import { spanNames } from '../../../gateway/telemetry/trace.ts';
import { registerCertificateMetrics } from '../../../gateway/tls/certificateMetrics.ts';
import { registerTracingMetrics } from '../../../gateway/tracing/tracingMetrics.ts';

const page = await readFile(join(import.meta.dirname, '../../../docs/observability.md'), 'utf8');

test('docs/observability.md lists exactly the metrics of the gateway, with their types', async () => {
  const { registry } = createMetrics();
  new TrafficMetrics(registry);
  registerExecutionQueueMetrics(registry, () => 0);
  new AuthenticationMetrics(registry, []);
  new RequestMetrics({ registry, countRunning: () => 0, countStreams: () => 0 });
  registerResponseMetrics(registry, () => 0);
  registerPlanMetrics(registry, () => ({ hits: 0, misses: 0, size: 0 }));
  new SubgraphMetrics(registry);
  registerSubgraphGauges(registry, () => []);
  new CacheMetrics({
    registry,
    problems: () => new Map(),
    memory: () => ({ bytes: 0, entries: 0 }),
  });
  registerSubscriptionMetrics({ registry, topicProblems: () => new Map(), droppedEventCount: () => 0 });
  new EnrichmentMetrics({ registry, countJobs: () => 0, oldestJobMs: () => 0, readDeliveryModes: () => [] });
  registerContractMetrics({
    registry,
    supergraphs: () => [],
    brokenOperations: () => 0,
    subgraphs: () => [],
  });
  registerReplacements(registry, new Map());
  registerCertificateMetrics(registry, () => []);
  registerRedisMetrics(registry, () => false);
  registerSupergraphMetrics(registry, { refusal: () => undefined, sourceProblem: () => undefined });
  registerTracingMetrics(registry, { exported: 0, droppedFull: 0, droppedFailed: 0, droppedRejected: 0 });
  const registered = (await registry.getMetricsAsJSON()).map(({ name, type }) => `${name} ${type}`);
  const rows = page.matchAll(/^\| (`tributary_.+?) \| (counter|gauge|histogram) \|/gm);
  const listed = Array.from(rows, ([, names = '', type]) =>
    Array.from(names.matchAll(/`(\w+)`/g), ([, name]) => `${name} ${type}`),
  ).flat();
  expect(listed.sort()).toEqual(registered.sort());
});

test('docs/observability.md says for every metric what to do when it moves', () => {
  const [before = '', advice = ''] = page.split(
    /^## (?=What to do when a metric moves$|Dashboards and alerts$)/m,
  );
  const listed = before.matchAll(/^\| (`tributary_.+?) \| (?:counter|gauge|histogram) \|/gm);
  const namesIn = (text: string): string[] =>
    Array.from(text.matchAll(/`(tributary_\w+)`/g), ([, name = '']) => name);
  const rows = Array.from(
    advice.matchAll(/^\| (`tributary_.+?) \| .+ \| .+ \|$/gm),
    ([, names = '']) => names,
  );
  const listedNames = new Set(Array.from(listed, ([, names = '']) => namesIn(names)).flat());
  expect(listedNames.size).toBeGreaterThan(0);
  expect(new Set(rows.flatMap(namesIn))).toEqual(listedNames);
});

test('docs/observability.md lists exactly the spans of the gateway, each with what to do when it is long', () => {
  const [, section = ''] = page.split(
    '| Span | What it covers | What to do when it is long |\n| --- | --- | --- |\n',
  );
  const [table = ''] = section.split('\n\n');
  const rows = table.split('\n').map((row) => row.split(' | '));
  expect(rows.filter(([, , advice = '']) => advice.length < 10)).toEqual([]);
  const listed = rows.flatMap(([names = '']) => Array.from(names.matchAll(/`(.+?)`/g), ([, name]) => name));
  expect(listed.sort()).toEqual(spanNames.toSorted());
});

test('queries in docs/observability.md use existing metrics', () => {
  const queries = Array.from(page.matchAll(/^```promql\n([\s\S]*?)^```$/gm), ([, query = '']) => query);
  const used = queries.flatMap((query) => query.match(/tributary_\w+/g) ?? []);
  const listed = new Set(page.matchAll(/`(tributary_\w+)`/g).map(([, name]) => name));
  expect(used.length).toBeGreaterThan(0);
  expect(used.filter((name) => !listed.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
});
