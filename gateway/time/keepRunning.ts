import { maxTimerMs } from './timers.ts';

/** Runs a task. The process runs until the task has ended, even if the task waits for nothing that keeps it running. */
export async function keepRunning<Result>(task: () => Promise<Result>): Promise<Result> {
  const timer = setInterval(() => {}, maxTimerMs);
  try {
    return await task();
  } finally {
    clearInterval(timer);
  }
}
