import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { outcomeLabelOf, SubgraphMetrics } from '../../../gateway/subgraphs/subgraphMetrics.ts';
import { readSamples } from '../../harness/readSamples.ts';

function open() {
  const registry = new Registry();
  const metrics = new SubgraphMetrics(registry);
  const read = (name: string) => readSamples(registry, name);
  return { metrics, read };
}

const stock = { subgraph: 'inventory', priority: 'normal', waitedMs: 0 } as const;

test('the queue length is the number of calls that wait now', async () => {
  const { metrics, read } = open();
  for (const subgraph of ['inventory', 'reviews', 'inventory', 'inventory']) metrics.onWait(subgraph);
  metrics.onWaitEnd({ ...stock, outcome: 'sent' });
  metrics.onWaitEnd({ ...stock, subgraph: 'reviews', outcome: 'left' });
  expect(await read('tributary_subgraph_queue_length')).toEqual([
    'tributary_subgraph_queue_length{subgraph="inventory"} 2',
    'tributary_subgraph_queue_length{subgraph="reviews"} 0',
  ]);
});

test('subgraphs of a new supergraph have series with 0, and those of an earlier one keep their counts', async () => {
  const { metrics, read } = open();
  const names = ['queue_length', 'queue_wait_seconds', 'retries_total', 'hedges_total', 'joined_total'];
  const sampleOf = async (name: string, subgraph: string) => {
    const lines = await read(`tributary_subgraph_${name}`);
    // Of the histogram, the number of observations and their sum.
    return lines.filter((line) => line.includes(`"${subgraph}"`) && !line.includes('_bucket'));
  };
  metrics.addSubgraphs(['inventory']);
  const zeros = await Promise.all(names.map((name) => sampleOf(name, 'inventory')));
  expect(zeros.flat()).toEqual([
    'tributary_subgraph_queue_length{subgraph="inventory"} 0',
    'tributary_subgraph_queue_wait_seconds_sum{subgraph="inventory"} 0',
    'tributary_subgraph_queue_wait_seconds_count{subgraph="inventory"} 0',
    'tributary_subgraph_retries_total{subgraph="inventory"} 0',
    'tributary_subgraph_hedges_total{subgraph="inventory"} 0',
    'tributary_subgraph_joined_total{subgraph="inventory"} 0',
  ]);
  metrics.onWait('inventory');
  metrics.onWaitEnd({ ...stock, outcome: 'sent', waitedMs: 500 });
  metrics.onRetry('inventory');
  metrics.addSubgraphs(['reviews', 'inventory']);
  expect(await sampleOf('queue_wait_seconds', 'inventory')).toContain(
    'tributary_subgraph_queue_wait_seconds_sum{subgraph="inventory"} 0.5',
  );
  expect(await sampleOf('retries_total', 'inventory')).toEqual([
    'tributary_subgraph_retries_total{subgraph="inventory"} 1',
  ]);
  expect(await sampleOf('queue_length', 'reviews')).toEqual([
    'tributary_subgraph_queue_length{subgraph="reviews"} 0',
  ]);
});

test('the series of dropped calls of a new subgraph are 0 for each priority and reason, and keep their counts', async () => {
  const { metrics, read } = open();
  metrics.addSubgraphs(['inventory']);
  metrics.onWaitEnd({ ...stock, outcome: 'queue time' });
  metrics.addSubgraphs(['inventory']);
  expect(await read('tributary_subgraph_queue_dropped_total')).toEqual(
    ['primary', 'critical', 'normal', 'background'].flatMap((priority) =>
      ['full', 'deadline', 'queue_time'].map((reason) => {
        const labels = `subgraph="inventory",priority="${priority}",reason="${reason}"`;
        const count = priority === 'normal' && reason === 'queue_time' ? 1 : 0;
        return `tributary_subgraph_queue_dropped_total{${labels}} ${count}`;
      }),
    ),
  );
});

test('wait times are observed in seconds for calls that were sent', async () => {
  const { metrics, read } = open();
  metrics.onWaitEnd({ ...stock, outcome: 'sent', waitedMs: 30 });
  metrics.onWaitEnd({ ...stock, outcome: 'sent', waitedMs: 3 });
  metrics.onWaitEnd({ ...stock, outcome: 'left', waitedMs: 900 });
  metrics.onWaitEnd({ ...stock, outcome: 'full', waitedMs: 900 });
  expect(await read('tributary_subgraph_queue_wait_seconds')).toEqual(
    expect.arrayContaining([
      'tributary_subgraph_queue_wait_seconds_bucket{le="0.005",subgraph="inventory"} 1',
      'tributary_subgraph_queue_wait_seconds_bucket{le="0.05",subgraph="inventory"} 2',
      'tributary_subgraph_queue_wait_seconds_count{subgraph="inventory"} 2',
    ]),
  );
});

test('dropped calls are counted by priority', async () => {
  const { metrics, read } = open();
  metrics.onWaitEnd({ ...stock, outcome: 'full' });
  metrics.onWaitEnd({ ...stock, outcome: 'full' });
  metrics.onWaitEnd({ ...stock, priority: 'background', outcome: 'full' });
  metrics.onWaitEnd({ ...stock, outcome: 'left' });
  expect(await read('tributary_subgraph_queue_dropped_total')).toEqual([
    'tributary_subgraph_queue_dropped_total{subgraph="inventory",priority="normal",reason="full"} 2',
    'tributary_subgraph_queue_dropped_total{subgraph="inventory",priority="background",reason="full"} 1',
  ]);
});

test('calls are counted by outcome, and their times and batch sizes observed', async () => {
  const { metrics, read } = open();
  const call = {
    subgraph: 'inventory',
    requestId: 'request-1',
    representations: 0,
    durationMs: 3,
    endedAt: 3,
    isComplete: true,
    failure: undefined,
  };
  for (const event of [
    { ...call, outcome: 'completed', status: 200, representations: 40 },
    { ...call, outcome: 'completed', status: 200 },
    { ...call, outcome: 'completed', status: 503 },
    { ...call, outcome: 'SUBGRAPH_UNREACHABLE', status: 500 },
    { ...call, outcome: 'SUBGRAPH_TIMEOUT', status: undefined },
    { ...call, outcome: 'DEADLINE_EXCEEDED', status: undefined },
    { ...call, outcome: 'cancelled', status: 500 },
  ] as const) {
    metrics.onCall(event, outcomeLabelOf(event));
  }
  metrics.onJoin('inventory');
  const counts = { ok: 2, http_error: 2, timeout: 1, deadline_exceeded: 1, cancelled: 1 };
  expect(await read('tributary_subgraph_calls_total')).toEqual(
    Object.entries(counts).map(
      ([outcome, count]) =>
        `tributary_subgraph_calls_total{subgraph="inventory",outcome="${outcome}"} ${count}`,
    ),
  );
  expect(await read('tributary_subgraph_joined_total')).toEqual([
    'tributary_subgraph_joined_total{subgraph="inventory"} 1',
  ]);
  expect(await read('tributary_subgraph_call_seconds')).toEqual(
    expect.arrayContaining([
      'tributary_subgraph_call_seconds_bucket{subgraph="inventory",le="0.001"} 0',
      'tributary_subgraph_call_seconds_bucket{subgraph="inventory",le="0.005"} 7',
      'tributary_subgraph_call_seconds_count{subgraph="inventory"} 7',
    ]),
  );
  expect(await read('tributary_subgraph_batch_size')).toEqual(
    expect.arrayContaining([
      'tributary_subgraph_batch_size_bucket{subgraph="inventory",le="20"} 0',
      'tributary_subgraph_batch_size_bucket{subgraph="inventory",le="50"} 1',
      'tributary_subgraph_batch_size_sum{subgraph="inventory"} 40',
    ]),
  );
});
