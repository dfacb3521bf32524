import { Gauge, Histogram, type Registry } from 'prom-client';
import { addTo, labelValue, registerCounter } from '../telemetry/keptCounts.ts';
import type { EnrichmentObserver } from './enrichmentObserver.ts';
import type { LateObserver } from './late/lateObserver.ts';

export interface EnrichmentMetricsOptions {
  readonly registry: Registry;
  /** Jobs that are under way or wait in this process; read when Prometheus asks. */
  readonly jobs: () => number;
  /** How answers deal with each field at present; read when Prometheus asks. */
  readonly ways: () => readonly { readonly coordinate: string; readonly way: 'inline' | 'budget' | 'late' }[];
}

type Answered = Parameters<EnrichmentObserver['onAnswered']>[0];
type Ready = Parameters<EnrichmentObserver['onReady']>[0];
type Late<Event extends keyof LateObserver> = Parameters<LateObserver[Event]>[0];

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const ways = ['inline', 'budget', 'late'] as const;

/** Metrics of enrichments. The label `coordinate` is out of supergraphs, and those of the others are from fixed lists:
 *  clients cannot make new ones. */
export class EnrichmentMetrics implements EnrichmentObserver, LateObserver {
  readonly #answered = new PairCounts();
  readonly #givenUp = new Map<string, number>();
  readonly #handedOver = new PairCounts();
  readonly #settled = new PairCounts();
  readonly #adopted = new PairCounts();
  readonly #retries = new Map<string, number>();
  readonly #keptHere = new Map<string, number>();
  #forgottenUpdates = 0;
  readonly #readySeconds: Histogram<'coordinate'>;

  constructor({ registry, jobs, ways }: EnrichmentMetricsOptions) {
    this.#readySeconds = new Histogram({
      name: 'tributary_enrichment_ready_seconds',
      help: 'From the start of a request until a field that may come late was ready, in time or not.',
      labelNames: ['coordinate'],
      buckets: seconds,
      registers: [registry],
    });
    this.#registerAnswers(registry);
    this.#registerJobs(registry);
    registerGauges(registry, jobs, ways);
  }

  onAnswered({ coordinate, outcome }: Answered): void {
    this.#answered.add(coordinate, outcome);
  }

  onReady({ coordinate, latencyMs }: Ready): void {
    // One of these would make the sum of all infinite.
    if (latencyMs === Number.POSITIVE_INFINITY) addTo(this.#givenUp, coordinate, 1);
    else this.#readySeconds.observe({ coordinate }, latencyMs / 1_000);
  }

  onHandedOver({ priority, outcome }: Late<'onHandedOver'>): void {
    this.#handedOver.add(priority, outcome);
  }

  onRetry({ priority }: Late<'onRetry'>): void {
    addTo(this.#retries, priority, 1);
  }

  onSettled({ priority, outcome }: Late<'onSettled'>): void {
    this.#settled.add(priority, outcome);
  }

  onAdopted({ priority, from }: Late<'onAdopted'>): void {
    this.#adopted.add(priority, from);
  }

  onKeptHere({ reason }: Late<'onKeptHere'>): void {
    addTo(this.#keptHere, reason, 1);
  }

  onForgotten({ updates }: Late<'onForgotten'>): void {
    this.#forgottenUpdates += updates;
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
        for (const [coordinate, count] of this.#givenUp) set({ coordinate }, count);
      },
    });
  }

  #registerJobs(registry: Registry): void {
    registerCounter(registry, {
      name: 'tributary_enrichment_handed_over_total',
      help: 'Answers that left a rest behind, by whether it became a job, joined an equal one, or found no room.',
      labelNames: ['priority', 'outcome'],
      read: (set) => this.#handedOver.read((priority, outcome, count) => set({ priority, outcome }, count)),
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
      read: (set) => this.#adopted.read((priority, from, count) => set({ priority, from }, count)),
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_jobs_kept_here_total',
      help: 'Jobs that would be lost with this process, by why.',
      labelNames: ['reason'],
      read: (set) => {
        for (const [reason, count] of this.#keptHere) set({ reason: labelValue(reason) }, count);
      },
    });
    registerCounter(registry, {
      name: 'tributary_enrichment_updates_forgotten_total',
      help: 'Updates that were forgotten while they could still have been picked up.',
      labelNames: [],
      read: (set) => set({}, this.#forgottenUpdates),
    });
  }
}

/** Counts by two labels. */
class PairCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  add(first: string, second: string): void {
    let counts = this.#counts.get(first);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(first, counts);
    }
    addTo(counts, second, 1);
  }

  read(take: (first: string, second: string, count: number) => void): void {
    for (const [first, counts] of this.#counts) {
      for (const [second, count] of counts) take(first, labelValue(second), count);
    }
  }
}

function registerGauges(
  registry: Registry,
  readJobs: EnrichmentMetricsOptions['jobs'],
  readWays: EnrichmentMetricsOptions['ways'],
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
      for (const { coordinate, way } of readWays()) {
        for (const each of ways) this.set({ coordinate, way: each }, each === way ? 1 : 0);
      }
    },
  });
}
