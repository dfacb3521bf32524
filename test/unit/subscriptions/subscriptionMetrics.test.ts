import { expect, test } from '@jest/globals';
import { registerSubscriptionMetrics } from '../../../gateway/subscriptions/subscriptionMetrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';

test('metrics report topic problems and dropped events as of each scrape', async () => {
  const { registry } = createMetrics();
  const topicProblems = new Map([['malformed event', 1]]);
  let dropped = 2;
  registerSubscriptionMetrics({
    registry,
    topicProblems: () => topicProblems,
    droppedEventCount: () => dropped,
  });
  const values = async () =>
    (await registry.getMetricsAsJSON()).map(({ name, values }) => [
      name,
      (values as { labels: object; value: number }[]).map(({ labels, value }) => ({ ...labels, value })),
    ]);
  const name = 'tributary_subscription_topic_problems_total';
  const ofDropped = 'tributary_subscription_events_dropped_total';
  expect(await values()).toEqual([
    [name, [{ kind: 'malformed_event', value: 1 }]],
    [ofDropped, [{ value: 2 }]],
  ]);
  dropped = 5;
  topicProblems.set('malformed event', 3).set('events missed', 1);
  expect(await values()).toEqual([
    [
      name,
      [
        { kind: 'malformed_event', value: 3 },
        { kind: 'events_missed', value: 1 },
      ],
    ],
    [ofDropped, [{ value: 5 }]],
  ]);
});
