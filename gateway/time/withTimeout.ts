import type { Timers } from './timers.ts';

/** Resolves with `undefined` if `pending` takes longer than `ms`. Does not cancel it. */
export function withTimeout<Value>(
  ms: number,
  pending: Promise<Value>,
  timers: Timers,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const cancelTimer = timers.after(ms, () => resolve(undefined));
    pending.then(resolve, reject).finally(cancelTimer);
  });
}
