import { Histogram, type Registry } from 'prom-client';
import { incrementCount, registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import { BucketCounts, registerHistogram } from '../telemetry/registerHistogram.ts';
import type { SubgraphCallEvent } from './httpSubgraphClient.ts';
import type { CallPolicyObserver, SubgraphState } from './policies/callPolicies.ts';
import { type CallPriority, callPriorities } from './policies/callPriority.ts';
import { type DropReason, dropReasons, type WaitEnd } from './policies/callQueue.ts';
import type { CircuitState } from './policies/circuitBreaker.ts';

/** Upper bounds of the histogram's buckets, in seconds. */
const secondsBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const circuitStateValues: Readonly<Record<CircuitState, number>> = { closed: 0, 'half-open': 1, open: 2 };

/** Upper bounds of the sizes of batches. */
const batchSizeBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500];

type CallCounts = Pick<CallPolicyObserver, 'onWait' | 'onWaitEnd' | 'onRetry' | 'onHedge' | 'onJoin'>;

interface DroppedLabels {
  readonly subgraph: string;
  readonly priority: CallPriority;
  readonly outcome: DropReason;
}

/** The calls of one subgraph. */
interface EndedCalls {
  readonly outcomes: Map<string, number>;
  readonly seconds: BucketCounts;
  readonly batchSizes: BucketCounts;
}

/** Metrics of the policies for calls to subgraphs. The labels `subgraph` and `priority` come from the supergraph and from a
 *  fixed list, so that clients cannot add label values. A call that does not wait costs nothing here. */
export class SubgraphMetrics implements CallCounts {
  /** Subgraphs of this supergraph and of earlier ones. */
  readonly #known = new Set<string>();
  readonly #lengths = new Map<string, number>();
  readonly #dropped = new Map<string, { labels: DroppedLabels; count: number }>();
  readonly #retries = new Map<string, number>();
  readonly #hedges = new Map<string, number>();
  readonly #joins = new Map<string, number>();
  readonly #ended = new Map<string, EndedCalls>();
  readonly #waits: Histogram<'subgraph'>;

  constructor(registry: Registry) {
    this.#waits = new Histogram({
      name: 'tributary_subgraph_queue_wait_seconds',
      help: 'How long calls waited in the queue of a subgraph. Calls that started at once are not counted.',
      labelNames: ['subgraph'],
      buckets: secondsBuckets,
      registers: [registry],
    });
    registerGauge(registry, {
      name: 'tributary_subgraph_queue_length',
      help: 'Calls in the queue of a subgraph.',
      labelNames: ['subgraph'],
      read: (set) => {
        for (const [subgraph, length] of this.#lengths) set({ subgraph }, length);
      },
    });
    registerCounter(registry, {
      name: 'tributary_subgraph_queue_dropped_total',
      help: 'Calls that were dropped from the queue of a subgraph, or before it: because it was full, because they would have missed their deadline, or because they waited too long in an overloaded queue.',
      labelNames: ['subgraph', 'priority', 'reason'],
      read: (set) => {
        for (const { labels, count } of this.#dropped.values()) {
          const { subgraph, priority, outcome } = labels;
          set({ subgraph, priority, reason: toLabelValue(outcome) }, count);
        }
      },
    });
    registerCounter(registry, {
      name: 'tributary_subgraph_calls_total',
      help: 'Calls of a subgraph that have ended, by outcome. Each retry and each hedge counts.',
      labelNames: ['subgraph', 'outcome'],
      read: (set) => {
        for (const [subgraph, { outcomes }] of this.#ended)
          for (const [outcome, count] of outcomes) set({ subgraph, outcome }, count);
      },
    });
    const histograms = [
      ['tributary_subgraph_call_seconds', 'How long calls of a subgraph took.', 'seconds'],
      [
        'tributary_subgraph_batch_size',
        'Representations in one call of a subgraph. Calls without _entities are not included.',
        'batchSizes',
      ],
    ] as const;
    for (const [name, help, member] of histograms) {
      registerHistogram(registry, {
        name,
        help,
        labelNames: ['subgraph'],
        read: (add) => {
          for (const [subgraph, ended] of this.#ended) add({ subgraph }, ended[member]);
        },
      });
    }
    const counters = [
      ['tributary_subgraph_retries_total', 'Calls that were sent again after a failure.', this.#retries],
      ['tributary_subgraph_hedges_total', 'Slow calls that were sent a second time.', this.#hedges],
      ['tributary_subgraph_joined_total', 'Requests that shared the call of another request.', this.#joins],
    ] as const;
    for (const [name, help, counts] of counters) {
      registerCounter(registry, {
        name,
        help,
        labelNames: ['subgraph'],
        read: (set) => {
          for (const [subgraph, count] of counts) set({ subgraph }, count);
        },
      });
    }
  }

  /** Creates the series of the subgraphs of a new supergraph, with 0: an autoscaler needs the metric before the first call
   *  waits, and a rate needs it before the first count. */
  addSubgraphs(names: Iterable<string>): void {
    for (const subgraph of names) {
      // `zero` would reset the counts of a subgraph that an earlier supergraph has too.
      if (this.#known.has(subgraph)) continue;
      this.#known.add(subgraph);
      this.#waits.zero({ subgraph });
      for (const counts of [this.#lengths, this.#retries, this.#hedges, this.#joins])
        incrementCount(counts, subgraph, 0);
      for (const priority of callPriorities)
        for (const outcome of dropReasons) this.#addDropped({ subgraph, priority, outcome }, 0);
    }
  }

  /** `outcome`: see `outcomeLabelOf`. */
  onCall({ subgraph, durationMs, representations }: SubgraphCallEvent, outcome: string): void {
    let ended = this.#ended.get(subgraph);
    if (ended === undefined) {
      const [seconds, batchSizes] = [new BucketCounts(secondsBuckets), new BucketCounts(batchSizeBuckets)];
      ended = { outcomes: new Map(), seconds, batchSizes };
      this.#ended.set(subgraph, ended);
    }
    incrementCount(ended.outcomes, outcome, 1);
    ended.seconds.observe(durationMs / 1_000);
    if (representations > 0) ended.batchSizes.observe(representations);
  }

  onJoin(subgraph: string): void {
    incrementCount(this.#joins, subgraph, 1);
  }

  onRetry(subgraph: string): void {
    incrementCount(this.#retries, subgraph, 1);
  }

  onHedge(subgraph: string): void {
    incrementCount(this.#hedges, subgraph, 1);
  }

  onWait(subgraph: string): void {
    incrementCount(this.#lengths, subgraph, 1);
  }

  onWaitEnd({ subgraph, priority, outcome, waitedMs }: WaitEnd): void {
    incrementCount(this.#lengths, subgraph, -1);
    if (outcome === 'sent') this.#waits.observe({ subgraph }, waitedMs / 1_000);
    if (outcome === 'sent' || outcome === 'left') return;
    this.#addDropped({ subgraph, priority, outcome }, 1);
  }

  #addDropped(labels: DroppedLabels, count: number): void {
    const key = Object.values(labels).join(' ');
    const dropped = this.#dropped.get(key);
    if (dropped === undefined) this.#dropped.set(key, { labels, count });
    else dropped.count += count;
  }
}

/** `ok`: a response with a status below 400, also one with GraphQL errors. `http_error`: another status. `cancelled`: no
 *  request waited for it any more. Otherwise the code of the error. */
export function outcomeLabelOf({
  outcome,
  status = 200,
}: Pick<SubgraphCallEvent, 'outcome' | 'status'>): string {
  if (status >= 400 && outcome !== 'cancelled') return 'http_error';
  if (outcome === 'completed') return 'ok';
  return outcome.toLowerCase().replace(/^subgraph_/, '');
}

/** Registers gauges of the current state of the policies. `states`: of every subgraph that was called. */
export function registerSubgraphGauges(registry: Registry, states: () => readonly SubgraphState[]): void {
  registerGauge(registry, {
    name: 'tributary_subgraph_breaker_state',
    help: 'State of the circuit breaker of a subgraph: 0 closed, 1 half-open, 2 open. With a circuit for each coordinate, the worst of them.',
    labelNames: ['subgraph'],
    aggregator: 'max',
    read: (set) => {
      for (const { subgraph, circuit } of states())
        if (circuit !== undefined) set({ subgraph }, circuitStateValues[circuit]);
    },
  });
  registerGauge(registry, {
    name: 'tributary_subgraph_concurrency_limit',
    help: 'Calls to a subgraph that may be under way at a time.',
    labelNames: ['subgraph'],
    read: (set) => {
      for (const { subgraph, concurrencyLimit } of states()) set({ subgraph }, concurrencyLimit);
    },
  });
  registerGauge(registry, {
    name: 'tributary_subgraph_calls_running',
    help: 'Calls to a subgraph that are under way.',
    labelNames: ['subgraph'],
    read: (set) => {
      for (const { subgraph, running } of states()) set({ subgraph }, running);
    },
  });
}
