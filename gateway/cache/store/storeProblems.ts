import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import type { Logger } from '../../telemetry/logger.ts';

export type StoreProblemKind =
  | RedisFailureKind
  | 'timeout'
  | 'too many in flight'
  | 'unreadable entry'
  | 'too many entries of a tag'
  | 'invalidation lost'
  | 'unreadable event'
  | 'events missed';

export interface StoreProblemsOptions {
  readonly log: Logger;
  /** Milliseconds. */
  now(): number;
}

const logIntervalMs = 60_000;

/** Counts what went wrong, and writes the first of each kind and minute to the log: with Redis gone there are as
 *  many as there are requests. */
export class StoreProblems {
  readonly #options: StoreProblemsOptions;
  readonly #counts = new Map<StoreProblemKind, number>();
  readonly #loggedAt = new Map<StoreProblemKind, number>();

  constructor(options: StoreProblemsOptions) {
    this.#options = options;
  }

  get counts(): ReadonlyMap<StoreProblemKind, number> {
    return this.#counts;
  }

  report(kind: StoreProblemKind, details: { readonly err?: Error } = {}): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const now = this.#options.now();
    const loggedAt = this.#loggedAt.get(kind);
    if (loggedAt !== undefined && now - loggedAt < logIntervalMs) return;
    this.#loggedAt.set(kind, now);
    this.#options.log.warn({ problem: kind, count, message: details.err?.message }, 'cache store problem');
  }
}
