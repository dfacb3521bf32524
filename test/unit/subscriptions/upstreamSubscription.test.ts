import { expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { type EventFeed, UpstreamSubscription } from '../../../gateway/subscriptions/upstreamSubscription.ts';
import { FakeSource } from '../../harness/fakeSource.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function open() {
  const timers = new FakeTimers();
  const source = new FakeSource();
  const unexpected = (): never => {
    throw new Error('unexpected call');
  };
  const onReplaced = jest.fn();
  const onOperationChanged = jest.fn();
  const upstream = new UpstreamSubscription({
    isBehind: false,
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 100_000 },
    timers,
    onEvent: () => {},
    onCaughtUp: unexpected,
    onReplaced,
    onReplacementFailed: () => {},
    onInterrupted: unexpected,
    onResubscribed: unexpected,
    onComplete: unexpected,
    onError: unexpected,
  });
  const feed: EventFeed = {
    subscribe: (receiver) => ({ ...source.subscribe({} as never, receiver), onOperationChanged }),
    complete: unexpected,
    hasDeferredPayloads: () => false,
  };
  upstream.start(feed);
  return { upstream, feed, source, timers, onReplaced, onOperationChanged };
}

const unavailable = new GatewayError('SUBGRAPH_UNREACHABLE', 'It is down.');

test('A replacement of a paused subscription is paused, and both resume', () => {
  const { upstream, feed, source } = open();
  upstream.pause();
  upstream.replace(feed);
  expect(source.subscriptions.map(({ isPaused }) => isPaused)).toEqual([true, true]);
  upstream.resume();
  expect(source.subscriptions.map(({ isPaused }) => isPaused)).toEqual([false, false]);
});

test('A replacement that fails is retried with growing delays, which begin anew for another replacement', () => {
  const { upstream, feed, source, timers } = open();
  /** Fails the latest subscription, and lets the longest delay of this many failures pass. */
  const fail = (failures: number): void => {
    source.subscriptions.at(-1)?.receiver.onError(unavailable);
    timers.advance(100 * 2 ** (failures - 1));
  };
  upstream.replace(feed);
  for (let failures = 1; failures <= 5; failures += 1) fail(failures);
  expect(source.subscriptions).toHaveLength(7);
  upstream.replace(feed);
  fail(1);
  expect(source.subscriptions).toHaveLength(9);
});

test('A subscription that is cancelled while a replacement waits for its next attempt makes none', () => {
  const { upstream, feed, source, timers } = open();
  upstream.replace(feed);
  source.subscriptions.at(-1)?.receiver.onError(unavailable);
  upstream.cancel();
  expect([timers.pendingCount, source.subscriptions[0]?.isCancelled]).toEqual([0, true]);
});

test('The replacement becomes current when the old subscription fails before its next attempt', () => {
  const { upstream, feed, source, timers, onReplaced } = open();
  upstream.replace(feed);
  source.subscriptions[1]?.receiver.onError(unavailable);
  source.subscriptions[0]?.receiver.onError(unavailable);
  timers.advance(100);
  expect([source.subscriptions.length, onReplaced.mock.calls.length, upstream.isLive]).toEqual([3, 1, true]);
});

test('A changed operation is reported to a subscription and to its replacement', () => {
  const { upstream, feed, onOperationChanged } = open();
  upstream.notifyOperationChanged();
  expect(onOperationChanged).toHaveBeenCalledTimes(1);
  upstream.replace(feed);
  upstream.notifyOperationChanged();
  expect(onOperationChanged).toHaveBeenCalledTimes(3);
});
