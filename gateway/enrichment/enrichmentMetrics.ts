import { Gauge, Histogram, type Registry } from 'prom-client';
import { incrementCount, registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';
import type { EnrichmentObserver } from './enrichmentObserver.ts';
import type { JobObserver } from './jobs/jobObserver.ts';

export interface EnrichmentMetricsOptions {
  readonly registry: Registry;
  /** Jobs that are under way or wait in this process; read when Prometheus asks. */
  readonly countJobs: () => number;
  /** How answers deal with each field at present; read when Prometheus asks. */
  readonly readDeliveryModes: () => readonly {
    readonly coordinate: string;
    readonly deliveryMode: 'inline' | 'budget' | 'late';
  }[];
}

type Answered = Parameters<EnrichmentObserver['onAnswered']>[0];
type Ready = Parameters<EnrichmentObserver['onReady']>[0];
type JobEvent<Event extends keyof JobObserver> = Parameters<JobObserver[Event]>[0];

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const deliveryModes = ['inline', 'budget', 'late'] as const;

/** Metrics of enrichments. The label `coordinate` is out of supergraphs, and those of the others are from fixed lists:
 *  clients cannot make new ones. */
export class EnrichmentMetrics implements EnrichmentObserver, JobObserver {
  readonly #answered = new TwoLabelCounts();
  readonly #abandoned = new Map<string, number>();
  readonly #enqueued = new TwoLabelCounts();
  readonly #settled = new TwoLabelCounts();
  readonly #resumed = new TwoLabelCounts();
  readonly #retries = new Map<string, number>();
  readonly #notPersisted = new Map<string, number>();
  #evictedUpdates = 0;
  readonly #readySeconds: Histogram<'coordinate'>;

  constructor({ registry, countJobs, readDeliveryModes }: EnrichmentMetricsOptions) {
    this.#readySeconds = new Histogram({
      name: 'tributary_enrichment_ready_seconds',
      help: 'From the start of a request until a field that may come late was ready, in time or not.',
      labelNames: ['coordinate'],
      buckets: secondsBuckets,
      registers: [registry],
    });
    this.#registerAnswers(registry);
    this.#registerJobs(registry);
    registerGauges(registry, countJobs, readDeliveryModes);
  }

  onAnswered({ coordinate, outcome }: Answered): void {
    this.#answered.add(coordinate, outcome);
  }

  onReady({ coordinate, latencyMs }: Ready): void {
    // One of these would make the sum of all infinite.
    if (latencyMs === Number.POSITIVE_INFINITY) incrementCount(this.#abandoned, coordinate, 1);
    else this.#readySeconds.observe({ coordinate }, latencyMs / 1_000);
  }

  onEnqueued({ priority, outcome }: JobEvent<'onEnqueued'>): void {
    this.#enqueued.add(priority, outcome);
  }

  onRetry({ priority }: JobEvent<'onRetry'>): void {
    incrementCount(this.#retries, priority, 1);
  }

  onSettled({ priority, outcome }: JobEvent<'onSettled'>): void {
    this.#settled.add(priority, outcome);
  }

  onResumed({ priority, resumedFrom }: JobEvent<'onResumed'>): void {
    this.#resumed.add(priority, resumedFrom);
  }

  onNotPersisted({ reason }: JobEvent<'onNotPersisted'>): void {
    incrementCount(this.#notPersisted, reason, 1);
  }

  onUpdatesEvicted({ updates }: JobEvent<'onUpdatesEvicted'>): void {
    this.#evictedUpdates += updates;
  }

  #registerAnswers(registry: Registry): void {
    registerCounter(registry, {
      name: 'tributary_enrichment_answers_total',
      help: 'Fields that may come late, by what first answers had of them when they left.',
      labelNames: ['coordinate', 'outcome'],
      read: (set) => this.#answered.read((coordinate, outcome, count) => set({ coordinate, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_given_up_total',
      help: 'Fields that may come late that were never ready.',
      labelNames: ['coordinate'],
      read: (set) => {
        for (const [coordinate, count] of this.#abandoned) set({ coordinate }, count);
      },
    });
  }

  #registerJobs(registry: Registry): void {
    registerCounter(registry, {
      name: 'tributary_enrichment_handed_over_total',
      help: 'Answers that left a rest behind, by whether it became a job, joined an equal one, or found no room.',
      labelNames: ['priority', 'outcome'],
      read: (set) => this.#enqueued.read((priority, outcome, count) => set({ priority, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_settled_total',
      help: 'Jobs that have ended, by how.',
      labelNames: ['priority', 'outcome'],
      read: (set) => this.#settled.read((priority, outcome, count) => set({ priority, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_job_retries_total',
      help: 'Further attempts at jobs.',
      labelNames: ['priority'],
      read: (set) => {
        for (const [priority, count] of this.#retries) set({ priority }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_adopted_total',
      help: 'Jobs that this process went on with, by where they were.',
      labelNames: ['priority', 'from'],
      read: (set) => this.#resumed.read((priority, from, count) => set({ priority, from }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_kept_here_total',
      help: 'Jobs that would be lost with this process, by why.',
      labelNames: ['reason'],
      read: (set) => {
        for (const [reason, count] of this.#notPersisted) set({ reason: toLabelValue(reason) }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_updates_forgotten_total',
      help: 'Updates that were forgotten while they could still have been picked up.',
      labelNames: [],
      read: (set) => set({}, this.#evictedUpdates),
    });
  }
}

/** Counts by two labels. */
class TwoLabelCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  add(first: string, second: string): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(first, counts);
    }
    incrementCount(counts, second, 1);
  }

  read(take: (first: string, second: string, count: number) => void): void {
    for (const [first, counts] of this.#counts) {
      for (const [second, count] of counts) take(first, toLabelValue(second), count);
    }
  }
}

function registerGauges(
  registry: Registry,
  readJobs: EnrichmentMetricsOptions['countJobs'],
  readWays: EnrichmentMetricsOptions['readDeliveryModes'],
): void {
  new Gauge({
    name: 'tributary_enrichment_jobs',
    help: 'Jobs that are under way or wait in this process.',
    registers: [registry],
    collect() {
      this.set(readJobs());
    },
  });
  new Gauge({
    name: 'tributary_enrichment_way',
    help: 'How answers deal with a field at present: 1 for the way in use, 0 for the others.',
    labelNames: ['coordinate', 'way'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { coordinate, deliveryMode } of readWays()) {
        for (const each of deliveryModes) this.set({ coordinate, way: each }, each === deliveryMode ? 1 : 0);
      }
    },
  });
}
