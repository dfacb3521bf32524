export interface Panel {
  readonly title: string;
  /** What the panel shows and what to do when it moves. */
  readonly description: string;
  /** Grafana's unit id. */
  readonly unit: string;
  /** PromQL by the name of the series, which may be a template of Grafana, such as `{{subgraph}}`. */
  readonly queries: Readonly<Record<string, string>>;
  readonly stacked?: boolean;
  /** Names of values, shown instead of numbers as colored states over time. */
  readonly states?: readonly State[];
}

interface State {
  readonly value: number;
  readonly text: string;
  readonly color: string;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The series of the gateways that the variables of the dashboard select. */
export const selector = 'job=~"$job", instance=~"$instance"';
const forOperation = `${selector}, operation=~"$operation"`;
const queriesOnly = `${forOperation}, type="query"`;
const forSubgraph = `${selector}, subgraph=~"$subgraph"`;

/** What the dashboard shows, from top to bottom. */
export const rows: readonly Row[] = [
  {
    title: 'Requests',
    panels: [
      {
        title: 'Requests by outcome',
        description:
          'Operations that ended. `error` and `partial`: look at the row Subgraphs. `refused`: a client sends operations that the graph does not have. `shed` and `limited`: see the row Overload.',
        unit: 'reqps',
        stacked: true,
        queries: { '{{outcome}}': rateOf('tributary_requests_total', forOperation, 'outcome') },
      },
      {
        title: 'Queries: first payload and complete response',
        description:
          'Time from the arrival of a query until its first data, and until its whole response, was written. A gap between the two is what clients do not wait for.',
        unit: 's',
        queries: {
          'first payload p50': quantileOf(0.5, 'tributary_first_payload_seconds', queriesOnly),
          'first payload p95': quantileOf(0.95, 'tributary_first_payload_seconds', queriesOnly),
          'first payload p99': quantileOf(0.99, 'tributary_first_payload_seconds', queriesOnly),
          'complete p50': quantileOf(0.5, 'tributary_request_seconds', queriesOnly),
          'complete p95': quantileOf(0.95, 'tributary_request_seconds', queriesOnly),
        },
      },
      {
        title: 'Errors by operation',
        description: 'Share of the operations that end without data, or with errors beside it.',
        unit: 'percentunit',
        queries: {
          '{{operation}}': `${rateOf('tributary_requests_total', `${forOperation}, outcome=~"error|partial"`, 'operation')} / ${rateOf('tributary_requests_total', forOperation, 'operation')}`,
        },
      },
      {
        title: 'First payload by operation, p95',
        description: 'Open the insights page of a gateway to see which fetch an operation waits for.',
        unit: 's',
        queries: {
          '{{operation}}': quantileOf(0.95, 'tributary_first_payload_seconds', queriesOnly, 'operation'),
        },
      },
      {
        title: 'Running operations and open streams',
        description:
          'Operations that have not ended grow without more traffic when a subgraph hangs. Compare open streams with `subscriptions.total`.',
        unit: 'short',
        queries: {
          running: `sum(tributary_requests_running{${selector}})`,
          'open streams': `sum(tributary_open_streams{${selector}})`,
        },
      },
      {
        title: 'Query plans',
        description:
          'Operations that were planned, and plans in the cache. Misses above the number of deployments: clients put values into their operations.',
        unit: 'short',
        queries: {
          'planned per second': rateOf('tributary_plan_cache_lookups_total', `${selector}, outcome="miss"`),
          'cached plans': `max(tributary_plan_cache_entries{${selector}})`,
        },
      },
      {
        title: 'Shared responses',
        description:
          'Share of the operations that joined an equal one under way. Falling at the same load: clients send headers or variables that make their requests different.',
        unit: 'percentunit',
        queries: {
          shared: `sum(rate(tributary_shared_responses_total{${selector}}[$__rate_interval])) / sum(rate(tributary_requests_total{${selector}}[$__rate_interval]))`,
        },
      },
    ],
  },
  {
    title: 'Subgraphs',
    panels: [
      {
        title: 'Calls by subgraph',
        description: 'HTTP calls; each retry and each hedge is a call.',
        unit: 'reqps',
        queries: { '{{subgraph}}': rateOf('tributary_subgraph_calls_total', forSubgraph, 'subgraph') },
      },
      {
        title: 'Failed calls',
        description:
          'Share of the calls that failed, by subgraph and outcome. The log has one episode for each.',
        unit: 'percentunit',
        queries: {
          '{{subgraph}} {{outcome}}': `${rateOf('tributary_subgraph_calls_total', `${forSubgraph}, outcome!~"ok|cancelled"`, 'subgraph, outcome')} / on (subgraph) group_left ${rateOf('tributary_subgraph_calls_total', `${forSubgraph}, outcome!="cancelled"`, 'subgraph')}`,
        },
      },
      {
        title: 'Latency of calls, p95',
        description: 'Without the time in the queue of the gateway.',
        unit: 's',
        queries: {
          '{{subgraph}}': quantileOf(0.95, 'tributary_subgraph_call_seconds', forSubgraph, 'subgraph'),
        },
      },
      {
        title: 'Circuit breakers',
        description:
          'The worst state of all gateways. An open circuit: the subgraph is not called. Half-open for long: its probes hang, or nothing calls it.',
        unit: 'short',
        states: [
          { value: 0, text: 'closed', color: 'green' },
          { value: 1, text: 'half-open', color: 'yellow' },
          { value: 2, text: 'open', color: 'red' },
        ],
        queries: { '{{subgraph}}': `max by (subgraph) (tributary_subgraph_breaker_state{${forSubgraph}})` },
      },
      {
        title: 'Queues',
        description: 'Calls that wait in the gateway because the subgraph is at its concurrency limit.',
        unit: 'short',
        queries: {
          '{{subgraph}} waiting': `sum by (subgraph) (tributary_subgraph_queue_length{${forSubgraph}})`,
          '{{subgraph}} dropped per second ({{reason}})': rateOf(
            'tributary_subgraph_queue_dropped_total',
            forSubgraph,
            'subgraph, reason',
          ),
        },
      },
      {
        title: 'Time in the queue',
        description:
          'Seconds that calls waited, per second: the mean number of waiting calls. The autoscaler of deploy/kubernetes uses this value.',
        unit: 'short',
        queries: {
          '{{subgraph}}': rateOf('tributary_subgraph_queue_wait_seconds_sum', forSubgraph, 'subgraph'),
        },
      },
      {
        title: 'Concurrency',
        description: 'Calls under way, and the adaptive limit. A falling limit: the subgraph became slower.',
        unit: 'short',
        queries: {
          '{{subgraph}} running': `sum by (subgraph) (tributary_subgraph_calls_running{${forSubgraph}})`,
          '{{subgraph}} limit': `sum by (subgraph) (tributary_subgraph_concurrency_limit{${forSubgraph}})`,
        },
      },
      {
        title: 'Retries and hedges',
        description: 'Clients do not notice these yet.',
        unit: 'reqps',
        queries: {
          '{{subgraph}} retries': rateOf('tributary_subgraph_retries_total', forSubgraph, 'subgraph'),
          '{{subgraph}} hedges': rateOf('tributary_subgraph_hedges_total', forSubgraph, 'subgraph'),
        },
      },
      {
        title: 'Shared requests',
        description: 'Share of the requests to a subgraph that needed no call of their own.',
        unit: 'percentunit',
        queries: {
          '{{subgraph}}': `${rateOf('tributary_subgraph_joined_total', forSubgraph, 'subgraph')} / (${rateOf('tributary_subgraph_joined_total', forSubgraph, 'subgraph')} + ${rateOf('tributary_subgraph_calls_total', forSubgraph, 'subgraph')})`,
        },
      },
      {
        title: 'Batch size, mean',
        description: 'Entities in one call.',
        unit: 'short',
        queries: {
          '{{subgraph}}': `${rateOf('tributary_subgraph_batch_size_sum', forSubgraph, 'subgraph')} / ${rateOf('tributary_subgraph_batch_size_count', forSubgraph, 'subgraph')}`,
        },
      },
    ],
  },
  {
    title: 'Latency budgets and enrichments',
    panels: [
      {
        title: 'Enrichments ready within their budget',
        description: 'Share of the responses that have the value of the field.',
        unit: 'percentunit',
        queries: {
          '{{coordinate}}': `${rateOf('tributary_enrichment_answers_total', `${selector}, outcome="in_time"`, 'coordinate')} / ${rateOf('tributary_enrichment_answers_total', selector, 'coordinate')}`,
        },
      },
      {
        title: 'Missed budgets',
        description: 'What responses have instead of the value: a stale one, a later payload, or a token.',
        unit: 'reqps',
        stacked: true,
        queries: {
          '{{coordinate}} {{outcome}}': rateOf(
            'tributary_enrichment_answers_total',
            `${selector}, outcome!="in_time"`,
            'coordinate, outcome',
          ),
        },
      },
      {
        title: 'Time until a field is ready, p95',
        description: 'Within its budget or after it. Compare with the budget.',
        unit: 's',
        queries: {
          '{{coordinate}}': quantileOf(0.95, 'tributary_enrichment_ready_seconds', selector, 'coordinate'),
        },
      },
      {
        title: 'Delivery modes',
        description:
          'How many gateways deliver a field `inline` (with the primary data), `budgeted`, or `deferred` (responses do not wait for it). The gateways adapt to its latency.',
        unit: 'short',
        queries: {
          '{{coordinate}} {{mode}}': `sum by (coordinate, mode) (tributary_enrichment_delivery_mode{${selector}}) > 0`,
        },
      },
      {
        title: 'Jobs',
        description:
          'Unfinished jobs, and the age of the oldest one. They grow while the subgraph of the field fails.',
        unit: 'short',
        queries: {
          unfinished: `sum(tributary_enrichment_jobs{${selector}})`,
          'oldest, seconds': `max(tributary_enrichment_oldest_job_seconds{${selector}})`,
        },
      },
      {
        title: 'Ended jobs',
        description: '`failed`, `evicted` and `too_large`: clients got an error for a pending field.',
        unit: 'reqps',
        stacked: true,
        queries: { '{{outcome}}': rateOf('tributary_enrichment_jobs_settled_total', selector, 'outcome') },
      },
      {
        title: 'Jobs at risk',
        description:
          'Jobs without room, jobs that Redis does not have, jobs that were resumed after a process had died, and lost updates.',
        unit: 'reqps',
        queries: {
          refused: rateOf('tributary_enrichment_jobs_enqueued_total', `${selector}, outcome="refused"`),
          'not in Redis: {{reason}}': rateOf(
            'tributary_enrichment_jobs_not_persisted_total',
            selector,
            'reason',
          ),
          'resumed: {{from}}': rateOf('tributary_enrichment_jobs_resumed_total', selector, 'from'),
          'evicted updates': rateOf('tributary_enrichment_updates_evicted_total', selector),
        },
      },
      {
        title: 'Retries of jobs',
        description: 'Attempts after the first one. They rise while the subgraph of a field fails.',
        unit: 'reqps',
        stacked: true,
        queries: { '{{priority}}': rateOf('tributary_enrichment_job_retries_total', selector, 'priority') },
      },
      {
        title: 'Abandoned fields and unsplit answers',
        description:
          'Abandoned: clients left before the field was ready. Unsplit: responses wait for their enrichments, because planning could not split them off; raise `planning.splitTimeout`.',
        unit: 'reqps',
        queries: {
          '{{coordinate}} abandoned': rateOf('tributary_enrichment_abandoned_total', selector, 'coordinate'),
          'unsplit answers': rateOf('tributary_enrichment_unsplit_answers_total', selector),
        },
      },
    ],
  },
  {
    title: 'Cache',
    panels: [
      {
        title: 'Lookups served from the cache',
        description: 'Fresh or stale values, as a share of all lookups.',
        unit: 'percentunit',
        queries: {
          '{{subgraph}} {{type}}': `${rateOf('tributary_cache_lookups_total', `${forSubgraph}, outcome=~"hit|stale"`, 'subgraph, type')} / ${rateOf('tributary_cache_lookups_total', forSubgraph, 'subgraph, type')}`,
        },
      },
      {
        title: 'Age of stale values, p95',
        description: 'How old the data is that clients see, for values past their `maxAge`.',
        unit: 's',
        queries: {
          '{{subgraph}}': quantileOf(0.95, 'tributary_cache_stale_age_seconds', forSubgraph, 'subgraph'),
        },
      },
      {
        title: 'Stale values instead of failures',
        description: 'Above 0: a subgraph fails or misses its budget, and clients do not notice yet.',
        unit: 'reqps',
        queries: {
          '{{subgraph}} failed': rateOf('tributary_cache_stale_if_error_total', forSubgraph, 'subgraph'),
          '{{subgraph}} missed its budget': rateOf(
            'tributary_cache_stale_if_budget_total',
            forSubgraph,
            'subgraph',
          ),
        },
      },
      {
        title: 'Values that are not stored',
        description: 'The reason says which header, rule or type to correct.',
        unit: 'reqps',
        queries: {
          '{{subgraph}} {{type}}: {{reason}}': rateOf(
            'tributary_cache_not_stored_total',
            forSubgraph,
            'subgraph, type, reason',
          ),
        },
      },
      {
        title: 'Redis',
        description: 'The 99th percentile of the time that lookups wait for Redis.',
        unit: 's',
        queries: {
          '{{subgraph}}': quantileOf(0.99, 'tributary_cache_read_seconds', forSubgraph, 'subgraph'),
        },
      },
      {
        title: 'Problems with Redis',
        description: 'By kind; docs/caching.md explains each.',
        unit: 'reqps',
        queries: {
          '{{kind}}': rateOf('tributary_cache_store_problems_total', selector, 'kind'),
          'cannot be used (1)': `max(tributary_redis_unavailable{${selector}})`,
        },
      },
      {
        title: 'Invalidated entries and refreshes',
        description: 'A jump of invalidations: a tag or a mutation rule deletes more than intended.',
        unit: 'reqps',
        queries: {
          'invalidated by {{by}}': rateOf('tributary_cache_invalidated_entries_total', selector, 'by'),
          'refreshes: {{outcome}}': rateOf('tributary_cache_refreshes_total', forSubgraph, 'outcome'),
        },
      },
      {
        title: 'Memory of the cache',
        description: 'By gateway. At `cache.memory.maxSize` while misses rise: give it more.',
        unit: 'bytes',
        queries: { '{{instance}}': `sum by (instance) (tributary_cache_memory_bytes{${selector}})` },
      },
      {
        title: 'Entries in the memory of the cache',
        description:
          'By gateway. Entries that fall while bytes stay at the limit: values have become larger.',
        unit: 'short',
        queries: { '{{instance}}': `sum by (instance) (tributary_cache_memory_entries{${selector}})` },
      },
      {
        title: 'Size of stored values, mean',
        description: 'Rises when a type gets large fields: check `cache.memory.maxSize`.',
        unit: 'bytes',
        queries: {
          '{{subgraph}} {{type}}': `${rateOf('tributary_cache_entry_bytes_sum', forSubgraph, 'subgraph, type')} / ${rateOf('tributary_cache_entry_bytes_count', forSubgraph, 'subgraph, type')}`,
        },
      },
    ],
  },
  {
    title: 'Overload and access',
    panels: [
      {
        title: 'Shed requests',
        description:
          'Above 0: the gateways have too much to do. Add gateways, or find what blocks the event loop.',
        unit: 'reqps',
        stacked: true,
        queries: {
          '{{priority}} ({{reason}})': rateOf('tributary_shed_total', selector, 'priority, reason'),
        },
      },
      {
        title: 'Waiting requests',
        description:
          'By gateway: requests that wait for their execution because the event loop is saturated. Above 0 for long: add gateways, or find the operations that cost most.',
        unit: 'short',
        queries: { '{{instance}}': `sum by (instance) (tributary_executions_waiting{${selector}})` },
      },
      {
        title: 'Rate limits and tokens',
        description: 'Refused operations: rate limits, and tokens by the reason.',
        unit: 'reqps',
        queries: {
          'rate limited': rateOf('tributary_rate_limited_total', selector),
          'token: {{reason}}': rateOf('tributary_jwt_refused_total', selector, 'reason'),
          'keys of {{jwks}}': rateOf('tributary_jwks_failures_total', selector, 'jwks'),
        },
      },
      {
        title: 'CPU',
        description: 'By gateway. A gateway without `workers` uses little more than one core.',
        unit: 'short',
        queries: { '{{instance}}': rateOf('process_cpu_seconds_total', selector, 'instance') },
      },
      {
        title: 'Event loop delay, mean',
        description:
          'By gateway. Each delay counts for as long as it lasts. Requests are shed above `overload.eventLoopDelay` (200 ms).',
        unit: 's',
        queries: {
          '{{instance}}': `max by (instance) (nodejs_eventloop_lag_mean_seconds{${selector}} + nodejs_eventloop_lag_stddev_seconds{${selector}} ^ 2 / nodejs_eventloop_lag_mean_seconds{${selector}})`,
        },
      },
      {
        title: 'Replaced workers',
        description:
          'By gateway, with `workers`: `unresponsive` ones were stopped or blocked, `exited` ones ended. The log has a line for each.',
        unit: 'short',
        queries: {
          '{{instance}} {{reason}}': `sum by (instance, reason) (increase(tributary_worker_replacements_total{${selector}}[$__rate_interval]))`,
        },
      },
      {
        title: 'Memory',
        description: 'By gateway: resident memory, and used heap.',
        unit: 'bytes',
        queries: {
          '{{instance}} resident': `sum by (instance) (process_resident_memory_bytes{${selector}})`,
          '{{instance}} heap': `sum by (instance) (nodejs_heap_size_used_bytes{${selector}})`,
        },
      },
    ],
  },
  {
    title: 'Subscriptions, contracts, traces',
    panels: [
      {
        title: 'Subscriptions: problems',
        description:
          'Dropped events: clients read too slowly. Interrupted: the gateway subscribes again. Failed: clients get the error. Topics: by kind of problem.',
        unit: 'reqps',
        queries: {
          'dropped events': rateOf('tributary_subscription_events_dropped_total', selector),
          '{{subgraph}} interrupted': rateOf(
            'tributary_subscription_interruptions_total',
            forSubgraph,
            'subgraph',
          ),
          '{{subgraph}} failed': rateOf('tributary_subscription_failures_total', forSubgraph, 'subgraph'),
          'topics: {{kind}}': rateOf('tributary_subscription_topic_problems_total', selector, 'kind'),
        },
      },
      {
        title: 'Contracts',
        description:
          'Operations that the newest supergraph breaks, and subgraphs that differ from their contract.',
        unit: 'short',
        queries: {
          'broken operations': `max(tributary_contract_broken_operations{${selector}})`,
          '{{subgraph}} has drifted': `max by (subgraph) (tributary_contract_drift{${forSubgraph}})`,
        },
      },
      {
        title: 'Certificates',
        description: 'Time until the certificate in the file of an option expires. Below a week: renew it.',
        unit: 's',
        queries: {
          '{{option}}': `min by (option) (tributary_certificate_expiry_timestamp_seconds{${selector}}) - time()`,
        },
      },
      {
        title: 'Supergraph',
        description:
          'Whether the newest supergraph is in use, by what can prevent it: it was refused, or its source cannot be read. `GET /supergraph` has the reason.',
        unit: 'short',
        states: [
          { value: 0, text: 'up to date', color: 'green' },
          { value: 1, text: 'not updated', color: 'red' },
        ],
        queries: { '{{reason}}': `max by (reason) (tributary_supergraph_not_updated{${selector}})` },
      },
      {
        title: 'Checked supergraphs',
        description:
          'Supergraphs that were checked against the contracts, in the last hour. `broken` or `refused`: `GET /contracts` has the operations.',
        unit: 'short',
        queries: {
          '{{outcome}}': `sum by (outcome) (increase(tributary_contract_supergraphs_total{${selector}}[1h]))`,
        },
      },
      {
        title: 'Spans',
        description: 'Exported and lost spans. `queue_full`: lower `telemetry.otlp.sampleRatio`.',
        unit: 'short',
        queries: {
          'exported per second': rateOf('tributary_spans_exported_total', selector),
          'lost per second: {{reason}}': rateOf('tributary_spans_dropped_total', selector, 'reason'),
        },
      },
    ],
  },
];

function rateOf(metric: string, matchers: string, by?: string): string {
  const rate = `(rate(${metric}{${matchers}}[$__rate_interval]))`;
  return by === undefined ? `sum${rate}` : `sum by (${by}) ${rate}`;
}

function quantileOf(quantile: number, histogram: string, matchers: string, by?: string): string {
  const labels = by === undefined ? 'le' : `le, ${by}`;
  return `histogram_quantile(${quantile}, ${rateOf(`${histogram}_bucket`, matchers, labels)})`;
}
