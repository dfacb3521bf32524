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
  const onError = jest.fn();
  const interruptions: string[] = [];
  const upstream = new UpstreamSubscription({
    isBehind: false,
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 100_000 },
    timers,
    onEvent: () => {},
    onCaughtUp: unexpected,
    onReplaced,
    onReplacementFailed: () => {},
    onInterrupted: () => interruptions.push('begin'),
    onResubscribed: () => interruptions.push('end'),
    onComplete: unexpected,
    onError,
  });
  const feed: EventFeed = {
    subscribe: (receiver) => ({ ...source.subscribe({} as never, receiver), onOperationChanged }),
    complete: unexpected,
    hasDeferredPayloads: () => false,
  };
  upstream.start(feed);
  return { upstream, feed, source, timers, onReplaced, onOperationChanged, onError, interruptions };
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

test('A subscription is not live, and so is not merged, until its replacement is established', () => {
  const { upstream, feed, source, timers } = open();
  const states = [upstream.isLive];
  upstream.replace(feed);
  states.push(upstream.isLive);
  source.subscriptions[1]?.receiver.onError(unavailable);
  states.push(upstream.isLive);
  timers.advance(100);
  states.push(upstream.isLive);
  source.subscriptions[2]?.receiver.onEvent({ data: null, size: 0 } as never);
  states.push(upstream.isLive);
  expect(states).toEqual([true, false, false, false, true]);
});

test('A replacement that fails after its first event ends the subscription, as any other', () => {
  const { upstream, feed, source, timers, onError } = open();
  upstream.replace(feed);
  source.subscriptions[1]?.receiver.onEvent({ data: null, size: 0 } as never);
  expect(onError).not.toHaveBeenCalled();
  source.subscriptions[1]?.receiver.onError(unavailable);
  expect([onError.mock.calls, timers.pendingCount]).toEqual([[[unavailable]], 0]);
});

test('An interruption that began here and continues at the source ends once', () => {
  const { upstream, feed, source, timers, interruptions } = open();
  upstream.replace(feed);
  source.subscriptions[0]?.receiver.onError(unavailable);
  source.subscriptions[1]?.receiver.onError(unavailable);
  timers.advance(100);
  const { receiver } = source.subscriptions[2] as (typeof source.subscriptions)[number];
  receiver.onInterrupted(unavailable);
  receiver.onResubscribed?.();
  receiver.onEvent({ data: null, size: 0 } as never);
  expect(interruptions).toEqual(['begin', 'begin', 'end']);
});

test('A subscription ends when the next attempt at its replacement cannot be made', () => {
  const { upstream, feed, source, timers, onError } = open();
  const cause = new Error('no such subgraph');
  const subscribe = jest.spyOn(feed, 'subscribe');
  upstream.replace(feed);
  subscribe.mockImplementation(() => {
    throw cause;
  });
  source.subscriptions[1]?.receiver.onError(unavailable);
  timers.advance(100);
  expect(onError.mock.calls).toEqual([[expect.objectContaining({ code: 'INTERNAL_SERVER_ERROR', cause })]]);
});

test('A changed operation is reported to a subscription and to its replacement', () => {
  const { upstream, feed, onOperationChanged } = open();
  upstream.notifyOperationChanged();
  expect(onOperationChanged).toHaveBeenCalledTimes(1);
  upstream.replace(feed);
  upstream.notifyOperationChanged();
  expect(onOperationChanged).toHaveBeenCalledTimes(3);
});
