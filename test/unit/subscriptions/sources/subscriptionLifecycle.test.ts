import { expect, test } from '@jest/globals';
import { GatewayError } from '../../../../gateway/errors.ts';
import { SubscriptionLifecycle } from '../../../../gateway/subscriptions/sources/subscriptionLifecycle.ts';
import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

const endpoint: SourceEndpoint = {
  url: 'http://events.test',
  connectTimeoutMs: 5_000,
  maxEventBytes: 1_000,
  heartbeatMs: 1_000,
  reconnect: { attempts: 2, minDelayMs: 100, maxDelayMs: 10_000 },
};

const lost = new GatewayError('SUBGRAPH_UNREACHABLE', 'The connection was lost.');
const refused = new GatewayError('SUBGRAPH_ERROR', 'It is refused.');

/** A subscription whose attempts are accepted only by the test. */
function open({ heartbeatMs = 0, expectsHeartbeats = true } = {}) {
  const timers = new FakeTimers();
  const events: string[] = [];
  const lifecycle = new SubscriptionLifecycle({
    subgraph: 'events',
    endpoint: { ...endpoint, heartbeatMs },
    receiver: {
      onEvent: () => events.push('event'),
      onInterrupted: () => events.push('interrupted'),
      onComplete: () => events.push('complete'),
      onError: ({ code }) => events.push(code),
    },
    timers,
    random: () => 1,
    startAttempt: () => events.push('attempt'),
    endAttempt: () => {},
    expectsHeartbeats: () => expectsHeartbeats,
    onAccepted: () => {},
    onEnd: () => events.push('end'),
  });
  return { lifecycle, timers, events };
}

test('Attempts in a row are limited, and are counted anew when a connection has lasted for the longest delay', () => {
  const { lifecycle, timers, events } = open();
  const loseAfter = (ms: number): void => {
    lifecycle.markSubscribed();
    timers.advance(ms);
    events.length = 0;
    lifecycle.retryOrFail(lost);
    timers.advance(200);
  };
  for (let count = 0; count < 4; count += 1) {
    loseAfter(10_000);
    expect(events).toEqual(['interrupted', 'attempt']);
  }
  loseAfter(9_000);
  expect(events).toEqual(['interrupted', 'attempt']);
  loseAfter(9_000);
  expect(events).toEqual(['end', 'SUBGRAPH_UNREACHABLE']);
});

test('Attempts are counted anew with each event', () => {
  const { lifecycle, timers, events } = open();
  for (let count = 0; count < 4; count += 1) {
    lifecycle.next({ data: {} }, 10);
    lifecycle.retryOrFail(lost);
    timers.advance(200);
  }
  expect(events.filter((event) => event === 'attempt')).toHaveLength(4);
});

test('A subscription that was never accepted, or is refused, is not tried again', () => {
  const initial = open();
  initial.lifecycle.retryOrFail(lost);
  const later = open();
  later.lifecycle.markSubscribed();
  later.lifecycle.retryOrFail(refused);
  expect([initial.events, later.events]).toEqual([
    ['end', 'SUBGRAPH_UNREACHABLE'],
    ['end', 'SUBGRAPH_ERROR'],
  ]);
  expect([initial.timers.pendingCount, later.timers.pendingCount]).toEqual([0, 0]);
});

test('A subscription that is cancelled before its next attempt makes none, and its receiver is not notified', () => {
  const { lifecycle, timers, events } = open({ heartbeatMs: 1_000 });
  lifecycle.markSubscribed();
  lifecycle.retryOrFail(lost);
  // Neither a heartbeat is expected between two attempts.
  expect(timers.pendingCount).toBe(1);
  lifecycle.cancel();
  expect([events, timers.pendingCount]).toEqual([['interrupted', 'end'], 0]);
});

test('A connection without heartbeats is lost after three intervals, unless the subgraph owes none', () => {
  const [owing, other] = [
    open({ heartbeatMs: 1_000 }),
    open({ heartbeatMs: 1_000, expectsHeartbeats: false }),
  ];
  for (const { lifecycle, timers } of [owing, other]) {
    lifecycle.markSubscribed();
    timers.advance(2_000);
    // Not paused: it does not begin another interval.
    lifecycle.resume();
    timers.advance(999);
  }
  expect(owing.events).toEqual([]);
  for (const { timers } of [owing, other]) timers.advance(1);
  expect([owing.events, other.events]).toEqual([['interrupted'], []]);
});

test('No heartbeat is expected while the subscription is paused, also if it is accepted meanwhile', () => {
  const { lifecycle, timers, events } = open({ heartbeatMs: 1_000 });
  lifecycle.pause();
  lifecycle.markSubscribed();
  expect(timers.pendingCount).toBe(0);
  lifecycle.resume();
  timers.advance(1_000);
  lifecycle.recordActivity();
  timers.advance(3_999);
  expect(events).toEqual([]);
  timers.advance(1);
  expect(events).toEqual(['interrupted']);
});
