import { expect, jest, test } from '@jest/globals';
import { maxTimerMs, systemTimers } from '../../../gateway/time/timers.ts';

test('a timer with a longer delay than Node can store waits for the longest delay, and does not fire at once', () => {
  jest.useFakeTimers();
  try {
    const run = jest.fn();
    systemTimers.after(maxTimerMs + 10_000, run);
    jest.advanceTimersByTime(maxTimerMs - 1);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
  } finally {
    jest.useRealTimers();
  }
});
