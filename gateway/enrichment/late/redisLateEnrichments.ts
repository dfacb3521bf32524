import type { RedisConfig } from '../../redis/redisOptions.ts';
import { systemTimers } from '../../time/timers.ts';
import { LateProblems } from './lateProblems.ts';
import { LateWorks } from './lateWorks.ts';
import type { LateEnrichmentsOptions } from './memoryLateEnrichments.ts';
import { RedisLateStore } from './redisLateStore.ts';

/** Late work that several processes share: what one of them has not finished when it ends, another goes on with. */
export function createRedisLateEnrichments(
  options: LateEnrichmentsOptions & { readonly config: RedisConfig },
): LateWorks {
  const { policy, observer, config, log } = options;
  const timers = systemTimers;
  const problems = new LateProblems({ log, now: Date.now });
  const store = new RedisLateStore({
    policy,
    timers,
    now: Date.now,
    observer,
    config,
    onFailure: (failure) => problems.report(failure),
  });
  return new LateWorks({ ...options, store, timers, monotonicNow: () => performance.now() });
}
