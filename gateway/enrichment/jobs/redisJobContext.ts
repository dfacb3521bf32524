import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { Timers } from '../../time/timers.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobObserver } from './jobObserver.ts';
import type { JobQueue } from './jobQueue.ts';
import type { MemoryJobStore } from './memoryJobStore.ts';
import type { UpdateNotifier } from './updateNotifier.ts';

/** What the parts of `RedisJobStore` share. */
export interface RedisJobContext {
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  readonly queue: JobQueue;
  /** Has the runs and tokens of this process until Redis has them. */
  readonly memory: MemoryJobStore;
  /** Notifies subscribers of the runs that are read from Redis. */
  readonly notifier: UpdateNotifier;
  readonly timers: Timers;
  readonly observer: JobObserver;
  /** How long Redis stores a run, counted from its newest token. */
  readonly retentionMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Receives failures of operations that are retried. */
  onFailure(failure: Error): void;
}
