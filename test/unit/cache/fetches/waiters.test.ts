import { expect, test } from '@jest/globals';
import { Waiters } from '../../../../gateway/cache/fetches/waiters.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

function open(remainingMs = 100) {
  const timers = new FakeTimers();
  const events: string[] = [];
  const waiters = new Waiters<string>({
    timers,
    remainingMs: () => remainingMs - timers.now(),
    onTimeout: (waiter) => events.push(`${waiter} timed out`),
  });
  const add = (waiter: string): void => waiters.add(waiter, () => events.push(`${waiter} left`));
  return { waiters, timers, events, add };
}

test('waiters that are left when others have ended time out at the deadline of the request', () => {
  const { waiters, timers, events, add } = open();
  for (const waiter of ['a', 'b', 'c']) add(waiter);
  waiters.delete('a');
  expect(waiters.cancelWhere((waiter) => waiter === 'b')).toEqual(['b']);
  timers.advance(99);
  expect(events).toEqual(['b left']);
  timers.advance(1);
  expect([events.slice(1), timers.pendingCount]).toEqual([['c left', 'c timed out'], 0]);
});

test('a request without waiters has no timer, and the next waiter has the same deadline', () => {
  const { waiters, timers, events, add } = open();
  add('a');
  timers.advance(60);
  waiters.delete('a');
  expect(timers.pendingCount).toBe(0);
  add('b');
  timers.advance(40);
  expect(events).toEqual(['b left', 'b timed out']);
});

test('a request without a deadline has no timer', () => {
  const { timers, add } = open(Number.POSITIVE_INFINITY);
  add('a');
  expect(timers.pendingCount).toBe(0);
});
