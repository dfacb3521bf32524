import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { CacheMetrics, type CacheMetricsOptions } from '../../../gateway/cache/cacheMetrics.ts';
import { readSamples } from '../../harness/readSamples.ts';

function open(options: Partial<CacheMetricsOptions> = {}) {
  const registry = new Registry();
  const metrics = new CacheMetrics({
    registry,
    problems: () => new Map(),
    memory: () => ({ bytes: 0, entries: 0 }),
    ...options,
  });
  const read = (name: string) => readSamples(registry, name);
  return { metrics, read, registry };
}

const product = { subgraph: 'products', type: 'Product' };
const stock = { subgraph: 'inventory', type: 'Product' };

describe('Cache lookups', () => {
  test('are counted by subgraph, type and outcome', async () => {
    const { metrics, read } = open();
    metrics.onLookup({ ...product, hits: 47, stale: 0, misses: 3, durationMs: 0 });
    metrics.onLookup({ ...stock, hits: 0, stale: 2, misses: 0, durationMs: 0 });
    metrics.onLookup({ ...product, hits: 50, stale: 0, misses: 0, durationMs: 0 });
    const expected = [
      'tributary_cache_lookups_total{subgraph="products",type="Product",outcome="hit"} 97',
      'tributary_cache_lookups_total{subgraph="products",type="Product",outcome="stale"} 0',
      'tributary_cache_lookups_total{subgraph="products",type="Product",outcome="miss"} 3',
      'tributary_cache_lookups_total{subgraph="inventory",type="Product",outcome="hit"} 0',
      'tributary_cache_lookups_total{subgraph="inventory",type="Product",outcome="stale"} 2',
      'tributary_cache_lookups_total{subgraph="inventory",type="Product",outcome="miss"} 0',
    ];
    expect(await read('tributary_cache_lookups_total')).toEqual(expected);
    // A second scrape returns the same counts.
    expect(await read('tributary_cache_lookups_total')).toEqual(expected);
  });

  test('are distinguished up to a second, which is beyond redis.timeouts.read of slow networks', async () => {
    const { metrics, read } = open();
    metrics.onLookup({ ...product, hits: 1, stale: 0, misses: 0, durationMs: 400 });
    const samples = await read('tributary_cache_read_seconds');
    expect(samples).toEqual(
      expect.arrayContaining([
        'tributary_cache_read_seconds_bucket{le="0.25",subgraph="products"} 0',
        'tributary_cache_read_seconds_bucket{le="0.5",subgraph="products"} 1',
      ]),
    );
  });

  test('are timed in seconds if they waited for Redis', async () => {
    const { metrics, read } = open();
    metrics.onLookup({ ...product, hits: 1, stale: 0, misses: 0, durationMs: 0 });
    metrics.onLookup({ ...product, hits: 1, stale: 0, misses: 0, durationMs: 1.5 });
    metrics.onLookup({ ...product, hits: 1, stale: 0, misses: 0, durationMs: 4 });
    const samples = await read('tributary_cache_read_seconds');
    expect(samples).toEqual(
      expect.arrayContaining([
        'tributary_cache_read_seconds_bucket{le="0.001",subgraph="products"} 0',
        'tributary_cache_read_seconds_bucket{le="0.002",subgraph="products"} 1',
        'tributary_cache_read_seconds_bucket{le="0.005",subgraph="products"} 2',
        'tributary_cache_read_seconds_sum{subgraph="products"} 0.0055',
        'tributary_cache_read_seconds_count{subgraph="products"} 2',
      ]),
    );
  });
});

test('the sizes of stored entries are measured in bytes', async () => {
  const { metrics, read } = open();
  metrics.onStored({ ...product, bytes: 300 });
  metrics.onStored({ ...product, bytes: 5_000_000 });
  const samples = await read('tributary_cache_entry_bytes');
  expect(samples).toEqual(
    expect.arrayContaining([
      'tributary_cache_entry_bytes_bucket{le="256",subgraph="products",type="Product"} 0',
      'tributary_cache_entry_bytes_bucket{le="1024",subgraph="products",type="Product"} 1',
      'tributary_cache_entry_bytes_bucket{le="4194304",subgraph="products",type="Product"} 1',
      'tributary_cache_entry_bytes_bucket{le="+Inf",subgraph="products",type="Product"} 2',
      'tributary_cache_entry_bytes_sum{subgraph="products",type="Product"} 5000300',
    ]),
  );
});

test('reasons and outcomes are counted by labels without spaces', async () => {
  const { metrics, read } = open();
  metrics.onNotStored({ ...product, reason: 'too large' });
  metrics.onNotStored({ ...product, reason: 'errors' });
  metrics.onNotStored({ ...product, reason: 'too large' });
  metrics.onRefresh({ ...stock, outcome: 'claimed elsewhere' });
  metrics.onRefresh({ ...stock, outcome: 'stored' });
  metrics.onRefresh({ ...stock, outcome: 'stored' });
  expect(await read('tributary_cache_not_stored_total')).toEqual([
    'tributary_cache_not_stored_total{subgraph="products",type="Product",reason="too_large"} 2',
    'tributary_cache_not_stored_total{subgraph="products",type="Product",reason="errors"} 1',
  ]);
  expect(await read('tributary_cache_refreshes_total')).toEqual([
    'tributary_cache_refreshes_total{subgraph="inventory",type="Product",outcome="claimed_elsewhere"} 1',
    'tributary_cache_refreshes_total{subgraph="inventory",type="Product",outcome="stored"} 2',
  ]);
});

test('stale values served for a failing subgraph are counted', async () => {
  const { metrics, read } = open();
  metrics.onStaleIfError({ ...stock });
  metrics.onStaleIfError({ ...stock });
  expect(await read('tributary_cache_stale_if_error_total')).toEqual([
    'tributary_cache_stale_if_error_total{subgraph="inventory",type="Product"} 2',
  ]);
});

test('stale values served because of a missed budget are counted', async () => {
  const { metrics, read } = open();
  metrics.onStaleIfBudget({ ...stock });
  metrics.onStaleIfBudget({ ...stock });
  expect(await read('tributary_cache_stale_if_budget_total')).toEqual([
    'tributary_cache_stale_if_budget_total{subgraph="inventory",type="Product"} 2',
  ]);
});

test('deleted entries are counted by the source of the invalidation', async () => {
  const { metrics, read } = open();
  metrics.onInvalidated({ by: 'admin', deleted: 7 });
  metrics.onInvalidated({ by: 'event', deleted: 0 });
  metrics.onInvalidated({ by: 'admin', deleted: 1 });
  expect(await read('tributary_cache_invalidated_entries_total')).toEqual([
    'tributary_cache_invalidated_entries_total{by="admin"} 8',
    'tributary_cache_invalidated_entries_total{by="mutation"} 0',
    'tributary_cache_invalidated_entries_total{by="event"} 0',
  ]);
});

test('store problems and memory use are read at each scrape', async () => {
  const problems = new Map([['too many in flight', 1]]);
  const memory = { bytes: 1_000, entries: 2 };
  const { read } = open({ problems: () => problems, memory: () => memory });
  expect(await read('tributary_cache_memory_bytes')).toEqual(['tributary_cache_memory_bytes 1000']);
  problems.set('too many in flight', 4).set('timeout', 2);
  memory.bytes = 0;
  memory.entries = 9;
  expect(await read('tributary_cache_store_problems_total')).toEqual([
    'tributary_cache_store_problems_total{kind="too_many_in_flight"} 4',
    'tributary_cache_store_problems_total{kind="timeout"} 2',
  ]);
  expect(await read('tributary_cache_memory_bytes')).toEqual(['tributary_cache_memory_bytes 0']);
  expect(await read('tributary_cache_memory_entries')).toEqual(['tributary_cache_memory_entries 9']);
});

test('label values are escaped as Prometheus requires', async () => {
  const { metrics, read } = open();
  metrics.onStaleIfError({ subgraph: 'a "b"\\', type: '__proto__' });
  expect(await read('tributary_cache_stale_if_error_total')).toEqual([
    'tributary_cache_stale_if_error_total{subgraph="a \\"b\\"\\\\",type="__proto__"} 1',
  ]);
});

test('the age of stale values is observed in seconds', async () => {
  const { metrics, read } = open();
  metrics.onStaleServed({ subgraph: 'inventory', ageMs: 12_000 });
  expect(await read('tributary_cache_stale_age_seconds')).toEqual(
    expect.arrayContaining([
      'tributary_cache_stale_age_seconds_bucket{subgraph="inventory",le="5"} 0',
      'tributary_cache_stale_age_seconds_bucket{subgraph="inventory",le="15"} 1',
      'tributary_cache_stale_age_seconds_sum{subgraph="inventory"} 12',
    ]),
  );
});
