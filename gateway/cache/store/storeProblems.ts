import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ProblemLog } from '../../telemetry/problemLog.ts';

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

interface StoreProblemsOptions {
  readonly log: Logger;
  /** Milliseconds. */
  now(): number;
}

/** Counts the problems of the cache store, and logs the first of each kind and minute. */
export class StoreProblems {
  readonly #problems: ProblemLog<StoreProblemKind>;

  constructor(options: StoreProblemsOptions) {
    this.#problems = new ProblemLog({ ...options, message: 'The cache store has a problem' });
  }

  get counts(): ReadonlyMap<StoreProblemKind, number> {
    return this.#problems.counts;
  }

  report(kind: StoreProblemKind, details: { readonly err?: Error } = {}): void {
    this.#problems.report(kind, details.err?.message);
  }
}
