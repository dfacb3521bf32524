import { systemTimers } from '../../time/timers.ts';
import { LateWorks, type LateWorksOptions } from './lateWorks.ts';
import { MemoryLateStore } from './memoryLateStore.ts';

export type LateEnrichmentsOptions = Pick<
  LateWorksOptions,
  'runner' | 'policy' | 'attemptDeadline' | 'drainTimeout' | 'observer' | 'log'
>;

/** Late work for one process by itself: what it has not finished ends with it. */
export function createMemoryLateEnrichments(options: LateEnrichmentsOptions): LateWorks {
  const { policy, observer } = options;
  const timers = systemTimers;
  const store = new MemoryLateStore({ policy, timers, now: Date.now, observer });
  return new LateWorks({ ...options, store, timers, monotonicNow: () => performance.now() });
}
