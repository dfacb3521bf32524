import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { outcomeLabelOf, SubgraphMetrics } from '../../../gateway/subgraphs/subgraphMetrics.ts';

function open() {
  const registry = new Registry();
  const metrics = new SubgraphMetrics(registry);
  /** Samples of a metric, as Prometheus reads them. */
  const read = async (name: string): Promise<string[]> => {
    const text = await registry.getSingleMetricAsString(name);
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  };
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
  const base = { subgraph: 'inventory', kind: 'query', requestId: 'request-1', isResent: false } as const;
  const call = {
    ...base,
    receivedBytes: 0,
    receivers: 1,
    representations: 0,
    durationMs: 3,
    endedAt: 3,
    isComplete: true,
    failure: undefined,
  };
  for (const event of [
    { ...call, outcome: 'answered', status: 200, representations: 40 },
    { ...call, outcome: 'answered', status: 200 },
    { ...call, outcome: 'answered', status: 503 },
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
