import { RedisFailure, type RedisFailureKind } from '../../redis/redisFailure.ts';
import { ProblemLog, type ProblemLogOptions } from '../../telemetry/problemLog.ts';

/** What Redis did not do for late work: the first of each kind and minute is in the log. */
export class JobStoreProblems {
  /** `queue`: the library that keeps the queue of works has not got through, or not got what it expects. */
  readonly #problems: ProblemLog<RedisFailureKind | 'queue'>;

  constructor(options: Pick<ProblemLogOptions, 'log' | 'now'>) {
    const message = 'Redis does not do what late enrichments need; it is tried again';
    this.#problems = new ProblemLog({ ...options, message });
  }

  report(failure: RedisFailure | Error): void {
    if (failure instanceof RedisFailure) this.#problems.report(failure.kind, failure.cause.message);
    else this.#problems.report('queue', failure.message);
  }
}
