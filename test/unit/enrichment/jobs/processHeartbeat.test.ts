import { expect, test } from '@jest/globals';
import { JobKeys } from '../../../../gateway/enrichment/jobs/jobKeys.ts';
import { ProcessHeartbeat } from '../../../../gateway/enrichment/jobs/processHeartbeat.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const expireAfterMs = 3_000;

/** The heartbeat of a process, in a Redis that has no heartbeat of other processes. */
async function startHeartbeat() {
  const timers = new FakeTimers();
  const wallClock = { offsetMs: 1_900_000_000_000 };
  /** Whether Redis has the key of this process. */
  const own = { isStored: false, losses: 0 };
  const heartbeat = new ProcessHeartbeat({
    processId: 'this',
    redis: {
      sendCommand: async (command, args) => {
        if (command === 'exists') return 0;
        if (command === 'set' && args.includes('XX') && !own.isStored) return null;
        own.isStored = command === 'set';
        return 'OK';
      },
    },
    keys: new JobKeys(''),
    timers,
    now: () => timers.now() + wallClock.offsetMs,
    expireAfterMs,
    onLost: () => {
      own.losses += 1;
    },
  });
  await heartbeat.beat();
  return {
    heartbeat,
    timers,
    own,
    wallClock,
    /** Lets the time pass, with all heartbeats in it. */
    async pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 1_000) {
        timers.advance(1_000);
        await waitForTurns();
      }
    },
  };
}

test('another process without a heartbeat is dead when its heartbeat could have been renewed', async () => {
  const { heartbeat, pass } = await startHeartbeat();
  expect(await heartbeat.isDead('other')).toBe(false);
  await pass(expireAfterMs);
  expect(await heartbeat.isDead('other')).toBe(true);
});

test('another process without a heartbeat is dead as soon as usual after the clock was set back', async () => {
  const { heartbeat, pass, wallClock } = await startHeartbeat();
  wallClock.offsetMs -= 3_600_000;
  await pass(expireAfterMs);
  expect(await heartbeat.isDead('other')).toBe(true);
});

test('another process is not dead right after the machine of both was suspended, which only the wall clock shows', async () => {
  const { heartbeat, pass, wallClock } = await startHeartbeat();
  await pass(expireAfterMs);
  wallClock.offsetMs += 3_600_000;
  expect(await heartbeat.isDead('other')).toBe(false);
  await pass(1_000);
  expect(await heartbeat.isDead('other')).toBe(false);
  await pass(expireAfterMs);
  expect(await heartbeat.isDead('other')).toBe(true);
});

test('a heartbeat that is missing before its expiry was lost, and one that is missing after it was not', async () => {
  const { heartbeat, own, wallClock, pass } = await startHeartbeat();
  expect([own.isStored, own.losses]).toEqual([true, 0]);
  await pass(1_000);
  own.isStored = false;
  await pass(1_000);
  expect([own.isStored, own.losses]).toEqual([true, 1]);
  own.isStored = false;
  wallClock.offsetMs += expireAfterMs;
  await heartbeat.beat();
  expect([own.isStored, own.losses]).toEqual([true, 1]);
});

test('a released heartbeat is removed, and is not renewed by a renewal that was under way', async () => {
  const { heartbeat, own, timers, pass } = await startHeartbeat();
  const renewing = heartbeat.beat();
  const released = heartbeat.release();
  await Promise.all([renewing, released]);
  expect([own.isStored, timers.pendingCount]).toEqual([false, 0]);
  await heartbeat.beat();
  await pass(10_000);
  expect(own.isStored).toBe(false);
});
