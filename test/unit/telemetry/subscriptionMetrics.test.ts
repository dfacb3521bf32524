import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { registerSubscriptionMetrics } from '../../../gateway/telemetry/subscriptionMetrics.ts';

test('problems with topics are what is counted when somebody asks', async () => {
  const { registry } = createMetrics();
  const topicProblems = new Map([['malformed event', 1]]);
  registerSubscriptionMetrics({ registry, topicProblems: () => topicProblems });
  const values = async () =>
    (await registry.getMetricsAsJSON()).map(({ name, values }) => [
      name,
      (values as { labels: object; value: number }[]).map(({ labels, value }) => ({ ...labels, value })),
    ]);
  const name = 'tributary_subscription_topic_problems_total';
  expect(await values()).toEqual([[name, [{ kind: 'malformed_event', value: 1 }]]]);
  topicProblems.set('malformed event', 3).set('events missed', 1);
  expect(await values()).toEqual([
    [
      name,
      [
        { kind: 'malformed_event', value: 3 },
        { kind: 'events_missed', value: 1 },
      ],
    ],
  ]);
});
