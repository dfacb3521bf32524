import { setTimeout } from 'node:timers/promises';

/** The clock of faults, which tests replace. */
export interface FaultClock {
  /** Rejects with the signal's reason when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemFaultClock: FaultClock = {
  async sleep(ms, signal) {
    await setTimeout(ms, undefined, { signal });
  },
};

/** Never resolves; rejects with the signal's reason when it aborts. */
export function waitForAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
