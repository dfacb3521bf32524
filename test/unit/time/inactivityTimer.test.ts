import { expect, test } from '@jest/globals';
import { InactivityTimer } from '../../../gateway/time/inactivityTimer.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const intervalMs = 1000;

function startHeartbeat() {
  const timers = new FakeTimers();
  const idleAt: number[] = [];
  const heartbeat = new InactivityTimer({ timers, intervalMs, onIdle: () => idleAt.push(timers.now()) });
  return { timers, heartbeat, idleAt };
}

test('a heartbeat is due one interval after the start, and after every further interval without activity', () => {
  const { timers, idleAt } = startHeartbeat();
  timers.advance(3500);
  expect(idleAt).toEqual([1000, 2000, 3000]);
});

test('activity postpones the heartbeat to exactly one interval after the activity', () => {
  const { timers, heartbeat, idleAt } = startHeartbeat();
  timers.advance(1);
  heartbeat.recordActivity();
  timers.advance(1000);
  expect(idleAt).toEqual([1001]);
  timers.advance(999);
  heartbeat.recordActivity();
  timers.advance(1000);
  expect(idleAt).toEqual([1001, 3000]);
});

test('no heartbeat is due while there is activity in every interval, and no timer is started for it', () => {
  const { timers, heartbeat, idleAt } = startHeartbeat();
  for (let count = 0; count < 10; count++) {
    timers.advance(900);
    heartbeat.recordActivity();
    expect(timers.pendingCount).toBe(1);
  }
  expect(idleAt).toEqual([]);
});

test('a fraction of a millisecond that is left delays the heartbeat by at most one millisecond', () => {
  const { timers, heartbeat, idleAt } = startHeartbeat();
  timers.advance(0.5);
  heartbeat.recordActivity();
  timers.advance(1001);
  expect(idleAt).toEqual([1001]);
});

test('a stopped heartbeat leaves no timer behind', () => {
  const { timers, heartbeat, idleAt } = startHeartbeat();
  heartbeat.stop();
  timers.advance(5000);
  expect([idleAt, timers.pendingCount]).toEqual([[], 0]);
});

test('activity that is recorded elsewhere postpones the heartbeat like any other', () => {
  const timers = new FakeTimers();
  const idleAt: number[] = [];
  let activeAtMs = 0;
  new InactivityTimer({
    timers,
    intervalMs,
    activeAtMs: () => activeAtMs,
    onIdle: () => idleAt.push(timers.now()),
  });
  timers.advance(400);
  activeAtMs = timers.now();
  timers.advance(2000);
  expect(idleAt).toEqual([1400, 2400]);
});
