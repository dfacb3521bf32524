import { expect, test } from '@jest/globals';
import { scheduleReadTimeout } from '../../../gateway/redis/readTimeout.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { parseRedisConfig } from '../../harness/redisStoreFixture.ts';

const config = parseRedisConfig({ timeouts: { read: '20ms' } });

function schedule() {
  const timers = new FakeTimers();
  const events: string[] = [];
  const cancel = scheduleReadTimeout({ config, timers }, () => events.push('timeout'));
  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { timers, events, cancel, nextTurn };
}

test('a read times out after redis.timeouts.read, when replies that have arrived were processed', async () => {
  const { timers, events, nextTurn } = schedule();
  await nextTurn();
  timers.fire(20);
  expect(events).toEqual([]);
  await nextTurn();
  expect(events).toEqual(['timeout']);
  expect(timers.pendingMs()).toEqual([]);
});

test('a read whose command a busy process has not sent yet gets up to 10 ms more', async () => {
  const { timers, events, nextTurn } = schedule();
  timers.fire(20);
  await nextTurn();
  expect([events, timers.pendingMs()]).toEqual([[], [10]]);
  timers.fire(10);
  await nextTurn();
  expect(events).toEqual(['timeout']);
});

test('a cancelled read does not time out in any of its steps', async () => {
  for (const steps of [[], [20], [20, 10]]) {
    const { timers, events, cancel, nextTurn } = schedule();
    for (const ms of steps) timers.fire(ms);
    cancel();
    await nextTurn();
    expect([events, timers.pendingMs()]).toEqual([[], []]);
  }
});
