import type { Registry } from 'prom-client';
import { LabeledCounter } from '../telemetry/labeledCounter.ts';
import { registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';

interface SubscriptionMetricsOptions {
  readonly registry: Registry;
  /** Occurrences of each kind of topic problem. Read at each scrape. */
  readonly topicProblems: () => ReadonlyMap<string, number>;
  /** Read at each scrape. */
  readonly droppedEventCount: () => number;
}

export interface SubscriptionCounters {
  readonly failures: LabeledCounter;
  readonly interruptions: LabeledCounter;
}

/** Registers the metrics of subscriptions, and returns those that count errors of subgraphs. The values of the labels `kind`
 *  and `code` are fixed lists. */
export function registerSubscriptionMetrics({
  registry,
  topicProblems,
  droppedEventCount,
}: SubscriptionMetricsOptions): SubscriptionCounters {
  registerCounter(registry, {
    name: 'tributary_subscription_topic_problems_total',
    help: 'Problems with topics that feed subscriptions, by kind.',
    labelNames: ['kind'],
    read: (set) => {
      for (const [kind, count] of topicProblems()) set({ kind: toLabelValue(kind) }, count);
    },
  });
  registerCounter(registry, {
    name: 'tributary_subscription_events_dropped_total',
    help: 'Subscription events that were dropped because a queue was full (subscriptions.queue).',
    labelNames: [],
    read: (set) => set({}, droppedEventCount()),
  });
  const createCounter = (name: string, help: string): LabeledCounter =>
    new LabeledCounter(registry, name, ['subgraph', 'code'], help, {});
  return {
    failures: createCounter(
      'tributary_subscription_failures_total',
      'Subscriptions at a subgraph that ended with an error, or were refused.',
    ),
    interruptions: createCounter(
      'tributary_subscription_interruptions_total',
      'Interruptions of subscriptions at a subgraph. The gateway subscribes again.',
    ),
  };
}
