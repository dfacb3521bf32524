import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import {
  EnrichmentMetrics,
  type EnrichmentMetricsOptions,
} from '../../../gateway/enrichment/enrichmentMetrics.ts';

function open(options: Partial<EnrichmentMetricsOptions> = {}) {
  const registry = new Registry();
  const metrics = new EnrichmentMetrics({
    registry,
    countJobs: () => 0,
    readDeliveryModes: () => [],
    ...options,
  });
  /** Samples of a metric, as Prometheus reads them. */
  const read = async (name: string): Promise<string[]> => {
    const text = await registry.getSingleMetricAsString(name);
    return text.split('\n').filter((line) => !line.startsWith('#'));
  };
  return { metrics, read };
}

const similar = 'Product.similar';
const badges = 'Product.badges';

test('answers are counted by field and by what they had of it', async () => {
  const { metrics, read } = open();
  metrics.onAnswered({ coordinate: similar, outcome: 'in time' });
  metrics.onAnswered({ coordinate: badges, outcome: 'in time' });
  metrics.onAnswered({ coordinate: similar, outcome: 'shadow pending' });
  metrics.onAnswered({ coordinate: similar, outcome: 'in time' });
  const expected = [
    'tributary_enrichment_answers_total{coordinate="Product.similar",outcome="in_time"} 2',
    'tributary_enrichment_answers_total{coordinate="Product.similar",outcome="shadow_pending"} 1',
    'tributary_enrichment_answers_total{coordinate="Product.badges",outcome="in_time"} 1',
  ];
  expect(await read('tributary_enrichment_answers_total')).toEqual(expected);
  // A second look changes nothing.
  expect(await read('tributary_enrichment_answers_total')).toEqual(expected);
});

test('latencies are in seconds; what was given up has none and is counted apart', async () => {
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
  expect(await read('tributary_enrichment_given_up_total')).toEqual([
    'tributary_enrichment_given_up_total{coordinate="Product.similar"} 1',
  ]);
});

test('what becomes of late work is counted by priority', async () => {
  const { metrics, read } = open();
  metrics.onEnqueued({ priority: 'NORMAL', outcome: 'begun' });
  metrics.onEnqueued({ priority: 'NORMAL', outcome: 'joined' });
  metrics.onEnqueued({ priority: 'BACKGROUND', outcome: 'refused' });
  metrics.onRetry({ priority: 'CRITICAL' });
  metrics.onRetry({ priority: 'CRITICAL' });
  metrics.onSettled({ priority: 'CRITICAL', outcome: 'done' });
  metrics.onSettled({ priority: 'BACKGROUND', outcome: 'no room' });
  metrics.onResumed({ priority: 'NORMAL', resumedFrom: 'dead process' });
  const enqueued = await read('tributary_enrichment_handed_over_total');
  expect(enqueued).toEqual([
    'tributary_enrichment_handed_over_total{priority="NORMAL",outcome="begun"} 1',
    'tributary_enrichment_handed_over_total{priority="NORMAL",outcome="joined"} 1',
    'tributary_enrichment_handed_over_total{priority="BACKGROUND",outcome="refused"} 1',
  ]);
  expect(await read('tributary_enrichment_job_retries_total')).toEqual([
    'tributary_enrichment_job_retries_total{priority="CRITICAL"} 2',
  ]);
  expect(await read('tributary_enrichment_jobs_settled_total')).toEqual([
    'tributary_enrichment_jobs_settled_total{priority="CRITICAL",outcome="done"} 1',
    'tributary_enrichment_jobs_settled_total{priority="BACKGROUND",outcome="no_room"} 1',
  ]);
  expect(await read('tributary_enrichment_jobs_adopted_total')).toEqual([
    'tributary_enrichment_jobs_adopted_total{priority="NORMAL",from="dead_process"} 1',
  ]);
});

test('what could be lost and what was forgotten is counted', async () => {
  const { metrics, read } = open();
  metrics.onNotPersisted({ reason: 'too large' });
  metrics.onNotPersisted({ reason: 'redis' });
  metrics.onNotPersisted({ reason: 'too large' });
  metrics.onUpdatesEvicted({ updates: 3 });
  metrics.onUpdatesEvicted({ updates: 4 });
  expect(await read('tributary_enrichment_jobs_kept_here_total')).toEqual([
    'tributary_enrichment_jobs_kept_here_total{reason="too_large"} 2',
    'tributary_enrichment_jobs_kept_here_total{reason="redis"} 1',
  ]);
  expect(await read('tributary_enrichment_updates_forgotten_total')).toEqual([
    'tributary_enrichment_updates_forgotten_total 7',
  ]);
});

test('open jobs and ways are read when Prometheus asks', async () => {
  let jobs = 3;
  let fields = [
    { coordinate: similar, deliveryMode: 'late' as 'late' | 'inline' },
    { coordinate: badges, deliveryMode: 'inline' as const },
  ];
  const { read } = open({ countJobs: () => jobs, readDeliveryModes: () => fields });
  expect(await read('tributary_enrichment_jobs')).toEqual(['tributary_enrichment_jobs 3']);
  expect(await read('tributary_enrichment_way')).toEqual([
    'tributary_enrichment_way{coordinate="Product.similar",way="inline"} 0',
    'tributary_enrichment_way{coordinate="Product.similar",way="budget"} 0',
    'tributary_enrichment_way{coordinate="Product.similar",way="late"} 1',
    'tributary_enrichment_way{coordinate="Product.badges",way="inline"} 1',
    'tributary_enrichment_way{coordinate="Product.badges",way="budget"} 0',
    'tributary_enrichment_way{coordinate="Product.badges",way="late"} 0',
  ]);
  jobs = 0;
  fields = [{ coordinate: similar, deliveryMode: 'inline' }];
  expect(await read('tributary_enrichment_jobs')).toEqual(['tributary_enrichment_jobs 0']);
  expect(await read('tributary_enrichment_way')).toEqual([
    'tributary_enrichment_way{coordinate="Product.similar",way="inline"} 1',
    'tributary_enrichment_way{coordinate="Product.similar",way="budget"} 0',
    'tributary_enrichment_way{coordinate="Product.similar",way="late"} 0',
  ]);
});
