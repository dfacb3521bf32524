import type { Registry } from 'prom-client';
import { registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';

interface SubscriptionMetricsOptions {
  readonly registry: Registry;
  /** Occurrences of each kind of topic problem. Read at each scrape. */
  readonly topicProblems: () => ReadonlyMap<string, number>;
  /** Read at each scrape. */
  readonly droppedEventCount: () => number;
}

/** Registers the metrics of subscriptions. The values of the label `kind` are a fixed list. */
export function registerSubscriptionMetrics({
  registry,
  topicProblems,
  droppedEventCount,
}: SubscriptionMetricsOptions): void {
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
}
