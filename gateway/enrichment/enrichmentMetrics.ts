import { Gauge, Histogram, type Registry } from 'prom-client';
import { type DeliveryMode, deliveryModes } from '../operation/enrichmentRule.ts';
import { incrementCount, registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';
import type { EnrichmentObserver } from './enrichmentObserver.ts';
import type { JobObserver } from './jobs/jobObserver.ts';

export interface EnrichmentMetricsOptions {
  readonly registry: Registry;
  /** The number of unfinished job runs in this process. Called for each scrape. */
  readonly countJobs: () => number;
  /** The current delivery mode of each field. Called for each scrape. */
  readonly readDeliveryModes: () => readonly {
    readonly coordinate: string;
    readonly deliveryMode: DeliveryMode;
  }[];
}

type AnswerEvent<Event extends keyof EnrichmentObserver> = Parameters<EnrichmentObserver[Event]>[0];
type JobEvent<Event extends keyof JobObserver> = Parameters<JobObserver[Event]>[0];

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics of enrichments. Values of the label `coordinate` come from supergraphs, and those of other labels from fixed
 *  lists, so clients cannot create new time series. */
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
      help: 'Time from the start of a request until an enrichment was ready, within its budget or after it.',
      labelNames: ['coordinate'],
      buckets: secondsBuckets,
      registers: [registry],
    });
    this.#registerAnswers(registry);
    this.#registerJobs(registry);
    registerGauges({ registry, countJobs, readDeliveryModes });
  }

  onAnswered({ coordinate, outcome }: AnswerEvent<'onAnswered'>): void {
    this.#answered.add(coordinate, outcome);
  }

  onReady({ coordinate, latencyMs }: AnswerEvent<'onReady'>): void {
    // An infinite latency would make the sum of the histogram infinite.
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
      help: 'Enrichments in first answers, by what the answer had of them when it left.',
      labelNames: ['coordinate', 'outcome'],
      read: (set) => this.#answered.read((coordinate, outcome, count) => set({ coordinate, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_abandoned_total',
      help: 'Enrichments that were abandoned before they were ready.',
      labelNames: ['coordinate'],
      read: (set) => {
        for (const [coordinate, count] of this.#abandoned) set({ coordinate }, count);
      },
    });
  }

  #registerJobs(registry: Registry): void {
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_enqueued_total',
      help: 'First answers with pending fields, by whether their job was created, joined an equal one, or was refused.',
      labelNames: ['priority', 'outcome'],
      read: (set) => this.#enqueued.read((priority, outcome, count) => set({ priority, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_settled_total',
      help: 'Enrichment jobs that have ended, by outcome.',
      labelNames: ['priority', 'outcome'],
      read: (set) => this.#settled.read((priority, outcome, count) => set({ priority, outcome }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_job_retries_total',
      help: 'Attempts at enrichment jobs after the first one.',
      labelNames: ['priority'],
      read: (set) => {
        for (const [priority, count] of this.#retries) set({ priority }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_resumed_total',
      help: 'Enrichment jobs that this process resumed, by origin.',
      labelNames: ['priority', 'from'],
      read: (set) => this.#resumed.read((priority, from, count) => set({ priority, from }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_not_persisted_total',
      help: 'Enrichment jobs that are lost if this process dies, by reason.',
      labelNames: ['reason'],
      read: (set) => {
        for (const [reason, count] of this.#notPersisted) set({ reason: toLabelValue(reason) }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_updates_evicted_total',
      help: 'Updates that were evicted before their tokens expired.',
      labelNames: [],
      read: (set) => set({}, this.#evictedUpdates),
    });
  }
}

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

  read(onCount: (first: string, second: string, count: number) => void): void {
    for (const [first, counts] of this.#counts) {
      for (const [second, count] of counts) onCount(first, toLabelValue(second), count);
    }
  }
}

function registerGauges({ registry, countJobs, readDeliveryModes }: EnrichmentMetricsOptions): void {
  new Gauge({
    name: 'tributary_enrichment_jobs',
    help: 'Unfinished enrichment jobs in this process.',
    registers: [registry],
    collect() {
      this.set(countJobs());
    },
  });
  new Gauge({
    name: 'tributary_enrichment_delivery_mode',
    help: 'The delivery mode of an enrichment: 1 for the current mode, 0 for the others.',
    labelNames: ['coordinate', 'mode'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { coordinate, deliveryMode } of readDeliveryModes()) {
        for (const mode of deliveryModes) this.set({ coordinate, mode }, mode === deliveryMode ? 1 : 0);
      }
    },
  });
}
