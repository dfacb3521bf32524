import { Histogram, type Registry } from 'prom-client';
import { type DeliveryMode, deliveryModes, enrichmentPriorities } from '../operation/enrichmentRule.ts';
import { type KnownValues, LabeledCounter, type LabelNames } from '../telemetry/labeledCounter.ts';
import { registerCounter } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import type { EnrichmentObserver } from './enrichmentObserver.ts';
import type { JobObserver } from './jobs/jobObserver.ts';

export interface EnrichmentMetricsOptions {
  readonly registry: Registry;
  /** The number of unfinished job runs in this process. Called for each scrape. */
  readonly countJobs: () => number;
  /** How long the oldest of them has been in this process, in milliseconds. Called for each scrape. */
  readonly oldestJobMs: () => number;
  /** The current delivery mode of each field. Called for each scrape. */
  readonly readDeliveryModes: () => readonly {
    readonly coordinate: string;
    readonly deliveryMode: DeliveryMode;
  }[];
}

type Event<Observer, Name extends keyof Observer> = Observer[Name] extends (event: infer E) => void
  ? E
  : never;

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The values of a label, of which none is forgotten. */
type ValueSet<Value extends string> = Readonly<Record<Value, true>>;

const responseOutcomes: ValueSet<Event<EnrichmentObserver, 'onFirstResponse'>['outcome']> = {
  'in time': true,
  stale: true,
  incremental: true,
  pending: true,
  'shadow pending': true,
};
const enqueueOutcomes: ValueSet<Event<JobObserver, 'onEnqueued'>['outcome']> = {
  created: true,
  joined: true,
  refused: true,
};
const jobOutcomes: ValueSet<Event<JobObserver, 'onSettled'>['outcome']> = {
  done: true,
  failed: true,
  'too large': true,
  evicted: true,
  expired: true,
};
const resumeOrigins: ValueSet<Event<JobObserver, 'onResumed'>['resumedFrom']> = {
  'dead process': true,
  'dead letter': true,
};
const notPersistedReasons: ValueSet<Event<JobObserver, 'onNotPersisted'>['reason']> = {
  'too large': true,
  redis: true,
};

/** Metrics of enrichments. Values of the label `coordinate` come from supergraphs, and those of other labels from fixed
 *  lists, so clients cannot create new time series. */
export class EnrichmentMetrics implements EnrichmentObserver, JobObserver {
  readonly #readySeconds: Histogram<'coordinate'>;
  readonly #firstResponses: LabeledCounter;
  readonly #abandoned: LabeledCounter;
  readonly #enqueued: LabeledCounter;
  readonly #settled: LabeledCounter;
  readonly #retries: LabeledCounter;
  readonly #resumed: LabeledCounter;
  readonly #notPersisted: LabeledCounter;
  #unsplitAnswers = 0;
  #evictedUpdates = 0;

  constructor(options: EnrichmentMetricsOptions) {
    const { registry } = options;
    const counter = (
      name: string,
      labels: LabelNames,
      help: string,
      known: KnownValues = {},
    ): LabeledCounter =>
      new LabeledCounter(registry, `tributary_enrichment_${name}_total`, labels, help, known);
    this.#readySeconds = new Histogram({
      name: 'tributary_enrichment_ready_seconds',
      help: 'Time from the start of a request until an enrichment was ready, within its budget or after it.',
      labelNames: ['coordinate'],
      buckets: secondsBuckets,
      registers: [registry],
    });
    this.#firstResponses = counter(
      'answers',
      ['coordinate', 'outcome'],
      'Enrichments in first responses, by how they were delivered.',
      { seconds: Object.keys(responseOutcomes) },
    );
    this.#abandoned = counter(
      'abandoned',
      ['coordinate'],
      'Enrichments that were abandoned before they were ready.',
    );
    this.#enqueued = counter(
      'jobs_enqueued',
      ['priority', 'outcome'],
      'First responses with pending fields, by whether their job was created, joined an equal one, or was refused.',
      { firsts: enrichmentPriorities, seconds: Object.keys(enqueueOutcomes) },
    );
    this.#settled = counter(
      'jobs_settled',
      ['priority', 'outcome'],
      'Enrichment jobs that have ended, by outcome.',
      { firsts: enrichmentPriorities, seconds: Object.keys(jobOutcomes) },
    );
    this.#retries = counter('job_retries', ['priority'], 'Attempts at enrichment jobs after the first one.', {
      firsts: enrichmentPriorities,
    });
    this.#resumed = counter(
      'jobs_resumed',
      ['priority', 'from'],
      'Enrichment jobs that this process resumed, by origin.',
      { firsts: enrichmentPriorities, seconds: Object.keys(resumeOrigins) },
    );
    this.#notPersisted = counter(
      'jobs_not_persisted',
      ['reason'],
      'Enrichment jobs that are lost if this process dies, by reason.',
      { firsts: Object.keys(notPersistedReasons) },
    );
    registerCounter(registry, {
      name: 'tributary_enrichment_unsplit_answers_total',
      help: 'First responses whose enrichments may have shared requests with primary data, because planning could not split them off.',
      labelNames: [],
      read: (set) => set({}, this.#unsplitAnswers),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_updates_evicted_total',
      help: 'Updates that were evicted before their tokens expired.',
      labelNames: [],
      read: (set) => set({}, this.#evictedUpdates),
    });
    registerGauges(options);
  }

  onFirstResponse({ coordinate, outcome }: Event<EnrichmentObserver, 'onFirstResponse'>): void {
    this.#firstResponses.increment(coordinate, outcome);
  }

  onUnsplit(): void {
    this.#unsplitAnswers += 1;
  }

  onReady({ coordinate, latencyMs }: Event<EnrichmentObserver, 'onReady'>): void {
    // An infinite latency would make the sum of the histogram infinite.
    if (latencyMs === Number.POSITIVE_INFINITY) this.#abandoned.increment(coordinate);
    else this.#readySeconds.observe({ coordinate }, latencyMs / 1_000);
  }

  onEnqueued({ priority, outcome }: Event<JobObserver, 'onEnqueued'>): void {
    this.#enqueued.increment(priority, outcome);
  }

  onRetry({ priority }: Event<JobObserver, 'onRetry'>): void {
    this.#retries.increment(priority);
  }

  onSettled({ priority, outcome }: Event<JobObserver, 'onSettled'>): void {
    this.#settled.increment(priority, outcome);
  }

  onResumed({ priority, resumedFrom }: Event<JobObserver, 'onResumed'>): void {
    this.#resumed.increment(priority, resumedFrom);
  }

  onNotPersisted({ reason }: Event<JobObserver, 'onNotPersisted'>): void {
    this.#notPersisted.increment(reason);
  }

  onUpdatesEvicted({ updates }: Event<JobObserver, 'onUpdatesEvicted'>): void {
    this.#evictedUpdates += updates;
  }
}

function registerGauges({
  registry,
  countJobs,
  oldestJobMs,
  readDeliveryModes,
}: EnrichmentMetricsOptions): void {
  registerGauge(registry, {
    name: 'tributary_enrichment_jobs',
    help: 'Unfinished enrichment jobs in this process.',
    labelNames: [],
    read: (set) => set({}, countJobs()),
  });
  registerGauge(registry, {
    name: 'tributary_enrichment_oldest_job_seconds',
    help: 'Time that the oldest unfinished enrichment job has been in this process.',
    labelNames: [],
    aggregator: 'max',
    read: (set) => set({}, oldestJobMs() / 1_000),
  });
  registerGauge(registry, {
    name: 'tributary_enrichment_delivery_mode',
    help: 'The delivery mode of an enrichment: 1 for the current mode, 0 for the others.',
    labelNames: ['coordinate', 'mode'],
    read: (set) => {
      for (const { coordinate, deliveryMode } of readDeliveryModes()) {
        for (const mode of deliveryModes) set({ coordinate, mode }, mode === deliveryMode ? 1 : 0);
      }
    },
  });
}
