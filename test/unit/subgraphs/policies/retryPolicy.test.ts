import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { AttemptEnd } from '../../../../gateway/subgraphs/policies/call.ts';
import {
  parseRetryAfter,
  RetryPolicy,
  type RetrySettings,
} from '../../../../gateway/subgraphs/policies/retryPolicy.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

const settings: RetrySettings = {
  attempts: 3,
  minDelay: 100,
  maxDelay: 150,
  budgetRatio: 1,
  on: ['connection', 429, 502, 503, 504],
};
const wallClockMs = Date.parse('2026-01-01T00:00:00Z');

function open(more: Partial<RetrySettings> = {}, random = 0.5) {
  const malformed: string[] = [];
  const { now } = new FakeTimers();
  const policy = new RetryPolicy({
    settings: { ...settings, ...more },
    now,
    wallClock: () => wallClockMs,
    random: () => random,
    onMalformedRetryAfter: (value) => malformed.push(value),
  });
  for (let n = 0; n < 20; n++) policy.onCall(now());
  return { policy, malformed };
}

const unreachable = new GatewayError('SUBGRAPH_UNREACHABLE', 'gone');
const withStatus = (status: number, retryAfter?: string): AttemptEnd => ({
  result: new GatewayError(status >= 500 ? 'SUBGRAPH_UNREACHABLE' : 'SUBGRAPH_ERROR', 'no'),
  status,
  retryAfter,
});
const lost: AttemptEnd = { result: unreachable, status: undefined, retryAfter: undefined };
const timedOut: AttemptEnd = {
  result: new GatewayError('SUBGRAPH_TIMEOUT', 'late'),
  status: undefined,
  retryAfter: undefined,
};

describe('a failed query', () => {
  test.each([
    ['after a lost connection', lost, 50],
    ['after a response that ended early', { ...lost, status: 200 }, 50],
    ['after status 502', withStatus(502), 50],
    ['after status 503', withStatus(503), 50],
    ['after status 504', withStatus(504), 50],
    ['after status 429 with Retry-After', withStatus(429, '1'), 1_000],
    ['no earlier than Retry-After allows', withStatus(503, '2'), 2_000],
    ['no earlier than the date in Retry-After', withStatus(503, 'Thu, 01 Jan 2026 00:00:03 GMT'), 3_000],
  ])('is sent again %s', (_, end, delayMs) => {
    expect(open().policy.takeRetry(end, 1, 10_000)).toBe(delayMs);
  });

  test.each([
    ['after status 500', withStatus(500)],
    ['after status 429 without Retry-After', withStatus(429)],
    ['after status 404', withStatus(404)],
    ['after a timeout that is not in retry.on', timedOut],
    ['where Retry-After is beyond the deadline', withStatus(503, '11')],
  ])('is not sent again %s', (_, end) => {
    expect(open().policy.takeRetry(end, 1, 10_000)).toBeUndefined();
  });

  test('is sent again after a timeout where retry.on has it', () => {
    expect(open({ on: ['timeout'] }).policy.takeRetry(timedOut, 1, 10_000)).toBe(50);
  });

  test('is not sent again after the last attempt', () => {
    const { policy } = open();
    expect(policy.takeRetry(lost, 2, 10_000)).toBeDefined();
    expect(policy.takeRetry(lost, 3, 10_000)).toBeUndefined();
  });

  test('is not sent again when the delay would exceed the deadline', () => {
    expect(open().policy.takeRetry(lost, 1, 50)).toBeUndefined();
  });

  test('waits for a random time from 0 to a maximum that doubles, up to maxDelay', () => {
    const delays = [0, 0.25, 0.999].map((random) =>
      [1, 2].map((attempts) => open({}, random).policy.takeRetry(lost, attempts, 10_000)),
    );
    expect(delays).toEqual([
      [0, 0],
      [25, 37.5],
      [expect.closeTo(99.9), expect.closeTo(149.85)],
    ]);
  });

  test('is not sent again when the budget is spent', () => {
    const { policy } = open({ budgetRatio: 0.1 });
    const retries = [1, 2, 3].map(() => policy.takeRetry(lost, 1, 10_000) !== undefined);
    expect(retries).toEqual([true, true, false]);
    expect(policy.hasBudget).toBe(false);
  });

  test('is sent again without the budget after a lost connection, where another endpoint is healthy', () => {
    const { policy } = open({ budgetRatio: 0.05 });
    expect(policy.takeRetry(lost, 1, 10_000, true)).toBe(50);
    expect(policy.hasBudget).toBe(true);
  });

  test.each([
    ['no other endpoint is healthy', lost, 1, false],
    ['it failed at a second endpoint, too', lost, 2, true],
    ['a response has started', { ...lost, status: 200 }, 1, true],
    ['the response has status 503', withStatus(503), 1, true],
    ['the attempt timed out', timedOut, 1, true],
  ])('takes its retry from the budget where %s', (_, end, attempts, canFailOver) => {
    const { policy } = open({ budgetRatio: 0.05, on: ['connection', 'timeout', 503] });
    expect(policy.takeRetry(end, attempts, 10_000, canFailOver)).toBeDefined();
    expect(policy.hasBudget).toBe(false);
  });

  test('is sent again as if there were no Retry-After where it is malformed, which is reported', () => {
    const { policy, malformed } = open();
    expect(policy.takeRetry(withStatus(503, 'soon'), 1, 10_000)).toBe(50);
    expect(malformed).toEqual(['soon']);
  });
});

test.each([
  ['0', 0],
  [' 7 ', 7_000],
  ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['-1', undefined],
  ['1.5', undefined],
  ['1, 2', undefined],
  ['tomorrow', undefined],
  ['2026-01-01', undefined],
  ['', undefined],
])('Retry-After: %j is read as %p ms', (value, expected) => {
  expect(parseRetryAfter(value, wallClockMs)).toBe(expected);
});
