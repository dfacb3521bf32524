import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import {
  EnrichmentMetrics,
  type EnrichmentMetricsOptions,
} from '../../../gateway/enrichment/enrichmentMetrics.ts';
import { readSamples } from '../../harness/readSamples.ts';

function open(options: Partial<EnrichmentMetricsOptions> = {}) {
  const registry = new Registry();
  const metrics = new EnrichmentMetrics({
    registry,
    countJobs: () => 0,
    oldestJobMs: () => 0,
    readDeliveryModes: () => [],
    ...options,
  });
  const read = (name: string) => readSamples(registry, name);
  return { metrics, read };
}

const similar = 'Product.similar';
const badges = 'Product.badges';

test('EnrichmentMetrics counts answers by coordinate and outcome', async () => {
  const { metrics, read } = open();
  metrics.onFirstResponse({ coordinate: similar, outcome: 'in time' });
  metrics.onFirstResponse({ coordinate: badges, outcome: 'in time' });
  metrics.onFirstResponse({ coordinate: similar, outcome: 'shadow pending' });
  metrics.onFirstResponse({ coordinate: similar, outcome: 'in time' });
  const sample = (coordinate: string, outcome: string, count: number) =>
    `tributary_enrichment_answers_total{coordinate="${coordinate}",outcome="${outcome}"} ${count}`;
  // Outcomes that have not happened are 0: a share of them has a value.
  const unseen = ['stale', 'incremental', 'pending'];
  const expected = [
    sample(similar, 'in_time', 2),
    ...unseen.map((outcome) => sample(similar, outcome, 0)),
    sample(similar, 'shadow_pending', 1),
    sample(badges, 'in_time', 1),
    ...[...unseen, 'shadow_pending'].map((outcome) => sample(badges, outcome, 0)),
  ];
  expect(await read('tributary_enrichment_answers_total')).toEqual(expected);
  // A second scrape changes nothing.
  expect(await read('tributary_enrichment_answers_total')).toEqual(expected);
});

test('EnrichmentMetrics counts answers that planning could not split', async () => {
  const { metrics, read } = open();
  const name = 'tributary_enrichment_unsplit_answers_total';
  expect(await read(name)).toEqual([`${name} 0`]);
  metrics.onUnsplit();
  expect(await read(name)).toEqual([`${name} 1`]);
});

test('EnrichmentMetrics observes latencies in seconds, and counts abandoned fields apart', async () => {
  const { metrics, read } = open();
  metrics.onReady({ coordinate: similar, latencyMs: 40 });
  metrics.onReady({ coordinate: similar, latencyMs: 2_000 });
  metrics.onReady({ coordinate: similar, latencyMs: Number.POSITIVE_INFINITY });
  expect(await read('tributary_enrichment_ready_seconds')).toEqual(
    expect.arrayContaining([
      'tributary_enrichment_ready_seconds_bucket{le="0.025",coordinate="Product.similar"} 0',
      'tributary_enrichment_ready_seconds_bucket{le="0.05",coordinate="Product.similar"} 1',
      'tributary_enrichment_ready_seconds_bucket{le="2.5",coordinate="Product.similar"} 2',
      'tributary_enrichment_ready_seconds_sum{coordinate="Product.similar"} 2.04',
      'tributary_enrichment_ready_seconds_count{coordinate="Product.similar"} 2',
    ]),
  );
  expect(await read('tributary_enrichment_abandoned_total')).toEqual([
    'tributary_enrichment_abandoned_total{coordinate="Product.similar"} 1',
  ]);
});

test('EnrichmentMetrics counts the events of jobs by priority', async () => {
  const { metrics, read } = open();
  metrics.onEnqueued({ priority: 'NORMAL', outcome: 'created' });
  metrics.onEnqueued({ priority: 'NORMAL', outcome: 'joined' });
  metrics.onEnqueued({ priority: 'BACKGROUND', outcome: 'refused' });
  metrics.onRetry({ priority: 'CRITICAL' });
  metrics.onRetry({ priority: 'CRITICAL' });
  metrics.onSettled({ priority: 'CRITICAL', outcome: 'done' });
  metrics.onSettled({ priority: 'BACKGROUND', outcome: 'evicted' });
  metrics.onResumed({ priority: 'NORMAL', resumedFrom: 'dead process' });
  const counted = async (name: string): Promise<string[]> =>
    (await read(name)).filter((line) => !line.endsWith(' 0'));
  expect(await counted('tributary_enrichment_jobs_enqueued_total')).toEqual([
    'tributary_enrichment_jobs_enqueued_total{priority="NORMAL",outcome="created"} 1',
    'tributary_enrichment_jobs_enqueued_total{priority="NORMAL",outcome="joined"} 1',
    'tributary_enrichment_jobs_enqueued_total{priority="BACKGROUND",outcome="refused"} 1',
  ]);
  expect(await counted('tributary_enrichment_job_retries_total')).toEqual([
    'tributary_enrichment_job_retries_total{priority="CRITICAL"} 2',
  ]);
  expect(await counted('tributary_enrichment_jobs_settled_total')).toEqual([
    'tributary_enrichment_jobs_settled_total{priority="CRITICAL",outcome="done"} 1',
    'tributary_enrichment_jobs_settled_total{priority="BACKGROUND",outcome="evicted"} 1',
  ]);
  expect(await counted('tributary_enrichment_jobs_resumed_total')).toEqual([
    'tributary_enrichment_jobs_resumed_total{priority="NORMAL",from="dead_process"} 1',
  ]);
});

test('the counters of jobs have all their series before the first job, with 0', async () => {
  const { read } = open();
  const names = ['jobs_enqueued', 'job_retries', 'jobs_settled', 'jobs_resumed', 'jobs_not_persisted'];
  const series = await Promise.all(names.map((name) => read(`tributary_enrichment_${name}_total`)));
  expect(series.map(({ length }) => length)).toEqual([3 * 3, 3, 3 * 5, 3 * 2, 2]);
  expect(series.flat().filter((line) => !line.endsWith(' 0'))).toEqual([]);
});

test('EnrichmentMetrics counts jobs that are not persisted, and evicted updates', async () => {
  const { metrics, read } = open();
  metrics.onNotPersisted({ reason: 'too large' });
  metrics.onNotPersisted({ reason: 'redis' });
  metrics.onNotPersisted({ reason: 'too large' });
  metrics.onUpdatesEvicted({ updates: 3 });
  metrics.onUpdatesEvicted({ updates: 4 });
  expect(await read('tributary_enrichment_jobs_not_persisted_total')).toEqual([
    'tributary_enrichment_jobs_not_persisted_total{reason="too_large"} 2',
    'tributary_enrichment_jobs_not_persisted_total{reason="redis"} 1',
  ]);
  expect(await read('tributary_enrichment_updates_evicted_total')).toEqual([
    'tributary_enrichment_updates_evicted_total 7',
  ]);
});

test('EnrichmentMetrics reads the number of jobs and the delivery modes for each scrape', async () => {
  let jobs = 3;
  let fields = [
    { coordinate: similar, deliveryMode: 'deferred' as 'deferred' | 'inline' },
    { coordinate: badges, deliveryMode: 'inline' as const },
  ];
  const { read } = open({ countJobs: () => jobs, readDeliveryModes: () => fields });
  expect(await read('tributary_enrichment_jobs')).toEqual(['tributary_enrichment_jobs 3']);
  expect(await read('tributary_enrichment_delivery_mode')).toEqual([
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="inline"} 0',
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="budgeted"} 0',
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="deferred"} 1',
    'tributary_enrichment_delivery_mode{coordinate="Product.badges",mode="inline"} 1',
    'tributary_enrichment_delivery_mode{coordinate="Product.badges",mode="budgeted"} 0',
    'tributary_enrichment_delivery_mode{coordinate="Product.badges",mode="deferred"} 0',
  ]);
  jobs = 0;
  fields = [{ coordinate: similar, deliveryMode: 'inline' }];
  expect(await read('tributary_enrichment_jobs')).toEqual(['tributary_enrichment_jobs 0']);
  expect(await read('tributary_enrichment_delivery_mode')).toEqual([
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="inline"} 1',
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="budgeted"} 0',
    'tributary_enrichment_delivery_mode{coordinate="Product.similar",mode="deferred"} 0',
  ]);
});
