import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ProblemLog } from '../../telemetry/problemLog.ts';

export type StoreProblemKind =
  | RedisFailureKind
  | 'timeout'
  | 'too many in flight'
  | 'unreadable entry'
  | 'too many entries of a tag'
  | 'invalidation lost'
  | 'unreadable event'
  | 'events missed';

interface StoreProblemsOptions {
  readonly log: Logger;
  /** Milliseconds. */
  now(): number;
}

/** What went wrong with the store of the cache: counted, and in the log once a minute. */
export class StoreProblems {
  readonly #problems: ProblemLog<StoreProblemKind>;

  constructor(options: StoreProblemsOptions) {
    this.#problems = new ProblemLog({ ...options, message: 'cache store problem' });
  }

  get counts(): ReadonlyMap<StoreProblemKind, number> {
    return this.#problems.counts;
  }

  report(kind: StoreProblemKind, details: { readonly err?: Error } = {}): void {
    this.#problems.report(kind, details.err?.message);
  }
}
