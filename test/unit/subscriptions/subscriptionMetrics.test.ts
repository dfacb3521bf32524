import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { statusError, unreachableError } from '../../../gateway/subgraphs/callErrors.ts';
import {
  createClientErrorMapper,
  createInterruptionMapper,
} from '../../../gateway/subscriptions/clientErrorMapper.ts';
import { registerSubscriptionMetrics } from '../../../gateway/subscriptions/subscriptionMetrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';

test('metrics report topic problems, dropped events, and errors of subgraphs as of each scrape', async () => {
  const { registry } = createMetrics();
  const topicProblems = new Map([['malformed event', 1]]);
  let dropped = 2;
  const { failures, interruptions } = registerSubscriptionMetrics({
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
  const ofFailures = 'tributary_subscription_failures_total';
  const ofInterruptions = 'tributary_subscription_interruptions_total';
  expect(await values()).toEqual([
    [name, [{ kind: 'malformed_event', value: 1 }]],
    [ofDropped, [{ value: 2 }]],
    [ofFailures, []],
    [ofInterruptions, []],
  ]);
  dropped = 5;
  topicProblems.set('malformed event', 3).set('events missed', 1);
  const expose = { policy: { exposeSubgraphErrors: false, exposeSubgraphs: false }, now: () => 0 };
  const log = pino({ level: 'silent' });
  const end = createClientErrorMapper({ ...expose, log, counter: failures });
  const interrupt = createInterruptionMapper({ ...expose, log, counter: interruptions });
  end(statusError('reviews', 403, new Error('the body is empty')));
  interrupt(unreachableError('reviews', new Error('read ECONNRESET')));
  interrupt(unreachableError('reviews', new Error('read ECONNRESET')));
  expect(await values()).toEqual([
    [
      name,
      [
        { kind: 'malformed_event', value: 3 },
        { kind: 'events_missed', value: 1 },
      ],
    ],
    [ofDropped, [{ value: 5 }]],
    [ofFailures, [{ subgraph: 'reviews', code: 'SUBGRAPH_ERROR', value: 1 }]],
    [ofInterruptions, [{ subgraph: 'reviews', code: 'SUBGRAPH_UNREACHABLE', value: 2 }]],
  ]);
});
