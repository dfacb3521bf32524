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
  const heartbeat = new ProcessHeartbeat({
    processId: 'this',
    redis: { sendCommand: async (command: string) => (command === 'set' ? 'OK' : 0) },
    keys: new JobKeys(''),
    timers,
    now: () => timers.now() + wallClock.offsetMs,
    expireAfterMs,
    onLost: () => {},
  });
  await heartbeat.beat();
  return {
    heartbeat,
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
