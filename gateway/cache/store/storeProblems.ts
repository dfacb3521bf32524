import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import type { ProblemLog } from '../../telemetry/problemLog.ts';

export type StoreProblemKind =
  | RedisFailureKind
  | 'timeout'
  | 'too many in flight'
  | 'unreadable entry'
  | 'clock skew'
  | 'damaged key'
  | 'too many entries of a tag'
  | 'invalidation lost'
  | 'unreadable event'
  | 'events missed';

/** Problems of the cache store. */
export type StoreProblems = ProblemLog<StoreProblemKind>;
