import { expect, test } from '@jest/globals';
import { DriftWatch } from '../../../../gateway/contracts/drift/driftWatch.ts';
import { createLogger } from '../../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

test('a request error starts a check a minute after the last one, also if the clock was set back', async () => {
  const timers = new FakeTimers();
  let now = 1_900_000_000_000;
  let checked = Promise.withResolvers<void>();
  const watch = new DriftWatch({
    directory: '/nonexistent',
    intervalMs: 86_400_000,
    timers,
    log: createLogger('silent'),
    now: () => now,
    current: () => ({ id: 'supergraph', sdl: '' }) as never,
    addresses: () => [],
    onChecked: async () => checked.resolve(),
  });
  watch.checkSoon();
  await checked.promise;
  await waitForTurns();
  checked = Promise.withResolvers();
  now -= 3_600_000;
  timers.advance(60_000);
  watch.checkSoon();
  await expect(checked.promise).resolves.toBeUndefined();
  await watch.close();
});
