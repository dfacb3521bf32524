import type { Timers } from '../../time/timers.ts';

/** Resolves with `undefined` where the work takes longer than so many milliseconds; then it goes on by itself. */
export function withTimeout<Value>(
  ms: number,
  work: Promise<Value>,
  timers: Timers,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const cancelTimer = timers.after(ms, () => resolve(undefined));
    work.then(resolve, reject).finally(cancelTimer);
  });
}
