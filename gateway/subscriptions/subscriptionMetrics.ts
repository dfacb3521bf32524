import type { Registry } from 'prom-client';
import { registerCounter, toLabelValue } from '../telemetry/registerCounter.ts';

interface SubscriptionMetricsOptions {
  readonly registry: Registry;
  /** How often each kind of problem has been seen with topics; read when Prometheus asks. */
  readonly topicProblems: () => ReadonlyMap<string, number>;
  /** How many events were dropped; read when Prometheus asks. */
  readonly droppedEventCount: () => number;
}

/** Metrics of subscriptions. The kinds are from a fixed list. */
export function registerSubscriptionMetrics({
  registry,
  topicProblems,
  droppedEventCount,
}: SubscriptionMetricsOptions): void {
  registerCounter(registry, {
    name: 'tributary_subscription_topic_problems_total',
    help: 'What went wrong with the topics that feed subscriptions.',
    labelNames: ['kind'],
    read: (set) => {
      for (const [kind, count] of topicProblems()) set({ kind: toLabelValue(kind) }, count);
    },
  });
  registerCounter(registry, {
    name: 'tributary_subscription_events_dropped_total',
    help: 'Events of subscriptions that were dropped, since more waited than may.',
    labelNames: [],
    read: (set) => set({}, droppedEventCount()),
  });
}
