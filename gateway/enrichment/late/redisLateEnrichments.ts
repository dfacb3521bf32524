import { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { systemTimers } from '../../time/timers.ts';
import { LateWorks } from './lateWorks.ts';
import type { LateEnrichmentsOptions } from './memoryLateEnrichments.ts';
import { RedisLateStore } from './redisLateStore.ts';

/** Late work that several processes share: what one of them has not finished when it ends, another goes on with. */
export function createRedisLateEnrichments(
  options: LateEnrichmentsOptions & { readonly config: RedisConfig },
): LateWorks {
  const { policy, observer, config, log } = options;
  const timers = systemTimers;
  const onFailure = (failure: RedisFailure | Error): void => {
    const error = failure instanceof RedisFailure ? failure.cause : failure;
    log.warn({ error }, 'Redis does not do what late enrichments need; it is tried again');
  };
  const store = new RedisLateStore({ policy, timers, now: Date.now, observer, config, onFailure });
  return new LateWorks({ ...options, store, timers, monotonicNow: () => performance.now() });
}
