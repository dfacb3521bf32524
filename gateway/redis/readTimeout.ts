import type { CancelTimer, Timers } from '../time/timers.ts';
import type { RedisConfig } from './redisOptions.ts';

interface ReadTimeoutOptions {
  readonly config: RedisConfig;
  readonly timers: Timers;
}

const maxGraceMs = 10;

/** Runs `onTimeout` when the command that is being sent has had no reply for `redis.timeouts.read`, but not before replies
 *  that have already arrived were processed: to do without Redis would make a process busier that is too busy to read
 *  them. */
export function scheduleReadTimeout(
  { config, timers }: ReadTimeoutOptions,
  onTimeout: () => void,
): CancelTimer {
  const { read } = config.timeouts;
  let sentAt = Number.POSITIVE_INFINITY;
  let immediate = setImmediate(() => {
    sentAt = timers.now();
  });
  let cancelTimer = timers.after(read, () => {
    const remainingMs = sentAt + read - timers.now();
    // A busy process sends commands late. The timer may then fire before Redis had its full time.
    if (remainingMs > 1) cancelTimer = timers.after(Math.min(remainingMs, maxGraceMs), processReplies);
    else processReplies();
  });
  function processReplies(): void {
    immediate = setImmediate(onTimeout);
  }
  return () => {
    clearImmediate(immediate);
    cancelTimer();
  };
}
