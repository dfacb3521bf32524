import { describe, expect, jest, test } from '@jest/globals';
import { Shutdown, shutDownAtStopSignals } from '../../../gateway/cli/shutdown.ts';

/** Sends signals to the listeners, each a second after the one before. Returns the state after each. */
function statesAfter(...signals: ('SIGTERM' | 'SIGINT' | 'SIGUSR2')[]): string[] {
  const clock = jest.spyOn(performance, 'now');
  let isForced = false;
  // Longer than the timeout of a test.
  const shutdown = new Shutdown(3_600_000);
  const removeListeners = shutDownAtStopSignals(shutdown, () => {
    isForced = true;
  });
  try {
    return signals.map((signal, index) => {
      // The second signal is a duplicate, as from a parent process that forwards signals.
      for (const at of [index * 1000, index * 1000 + 200]) {
        clock.mockReturnValue(at);
        process.emit(signal, signal);
      }
      if (isForced) return 'forced';
      if (shutdown.isDue) return 'due';
      return shutdown.isRequested ? 'requested' : 'none';
    });
  } finally {
    removeListeners();
    clock.mockRestore();
  }
}

describe('a shutdown', () => {
  test('is delayed after SIGTERM; the next signal skips the delay, and another one ends the process', () => {
    expect(statesAfter('SIGTERM', 'SIGTERM', 'SIGTERM')).toEqual(['requested', 'due', 'forced']);
    expect(statesAfter('SIGTERM', 'SIGINT', 'SIGINT')).toEqual(['requested', 'due', 'forced']);
  });

  test('is not delayed after SIGINT', () => {
    expect(statesAfter('SIGINT', 'SIGTERM')).toEqual(['due', 'forced']);
  });

  test('is delayed after SIGUSR2, unless something else listens for it, such as --heapsnapshot-signal', () => {
    expect(statesAfter('SIGUSR2', 'SIGUSR2')).toEqual(['requested', 'due']);
    const writeSnapshot = () => {};
    process.on('SIGUSR2', writeSnapshot);
    expect(statesAfter('SIGUSR2', 'SIGTERM')).toEqual(['none', 'requested']);
    process.off('SIGUSR2', writeSnapshot);
  });

  test('is due when its delay has passed', async () => {
    const shutdown = new Shutdown(1);
    shutdown.request();
    expect([shutdown.isRequested, shutdown.isDue]).toEqual([true, false]);
    await shutdown.requested;
    await shutdown.due;
    expect(shutdown.isDue).toBe(true);
  });
});
