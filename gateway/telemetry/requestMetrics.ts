import type { Registry } from 'prom-client';
import { incrementCount, registerCounter, zeroCounts } from './registerCounter.ts';
import { registerGauge } from './registerGauge.ts';
import { BucketCounts, registerHistogram } from './registerHistogram.ts';
import { type OperationType, type RequestOutcome, requestOutcomes } from './requestRecord.ts';

interface RequestMetricsOptions {
  readonly registry: Registry;
  /** The number of requests that have not ended. Called for each scrape. */
  readonly countRunning: () => number;
  /** The number of open subscriptions and streams of enrichments. Called for each scrape. */
  readonly countStreams: () => number;
}

/** Upper bounds of the histograms' buckets, in seconds. */
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface RequestSeries {
  readonly outcomes: Map<RequestOutcome, number>;
  readonly seconds: BucketCounts;
  readonly firstPayloadSeconds: BucketCounts;
}

/** Metrics of operations. Counts are plain numbers that are read at each scrape. */
export class RequestMetrics {
  readonly #series = new Map<string, Map<OperationType, RequestSeries>>();

  constructor({ registry, countRunning, countStreams }: RequestMetricsOptions) {
    registerCounter(registry, {
      name: 'tributary_requests_total',
      help: 'Operations that have ended, by outcome. Refused ones count too.',
      labelNames: ['operation', 'type', 'outcome'],
      read: (set) => {
        for (const [labels, { outcomes }] of this.#all())
          for (const [outcome, count] of outcomes) set({ ...labels, outcome }, count);
      },
    });
    const histograms = [
      [
        'tributary_request_seconds',
        'Time from the arrival of an operation until its response was written.',
        'seconds',
      ],
      [
        'tributary_first_payload_seconds',
        'Time from the arrival of an operation until its first data, or the error instead of it, was written.',
        'firstPayloadSeconds',
      ],
    ] as const;
    for (const [name, help, member] of histograms) {
      registerHistogram(registry, {
        name,
        help,
        labelNames: ['operation', 'type'],
        read: (add) => {
          for (const [labels, series] of this.#all()) add(labels, series[member]);
        },
      });
    }
    const gauges = [
      [
        'tributary_requests_running',
        'Operations that have not ended, open subscriptions included.',
        countRunning,
      ],
      ['tributary_open_streams', 'Open subscriptions and streams of enrichments.', countStreams],
    ] as const;
    for (const [name, help, read] of gauges) {
      registerGauge(registry, { name, help, labelNames: [], read: (set) => set({}, read()) });
    }
  }

  /** `operation`: a label from a bounded set. `firstPayloadMs`: `undefined` if nothing was sent. */
  record(
    operation: string,
    type: OperationType,
    outcome: RequestOutcome,
    durationMs: number,
    firstPayloadMs: number | undefined,
  ): void {
    const { outcomes, seconds, firstPayloadSeconds } = this.#seriesOf(operation, type);
    incrementCount(outcomes, outcome, 1);
    seconds.observe(durationMs / 1_000);
    if (firstPayloadMs !== undefined) firstPayloadSeconds.observe(firstPayloadMs / 1_000);
  }

  #seriesOf(operation: string, type: OperationType): RequestSeries {
    let byType = this.#series.get(operation);
    if (byType === undefined) {
      byType = new Map();
      this.#series.set(operation, byType);
    }
    let series = byType.get(type);
    if (series === undefined) {
      const [seconds, firstPayloadSeconds] = [
        new BucketCounts(secondsBuckets),
        new BucketCounts(secondsBuckets),
      ];
      series = { outcomes: zeroCounts(requestOutcomes), seconds, firstPayloadSeconds };
      byType.set(type, series);
    }
    return series;
  }

  *#all(): Generator<readonly [{ operation: string; type: string }, RequestSeries]> {
    for (const [operation, byType] of this.#series)
      for (const [type, series] of byType) yield [{ operation, type }, series];
  }
}
