import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import { ProblemLog, type ProblemLogOptions } from '../../telemetry/problemLog.ts';

type TopicProblemKind = RedisFailureKind | 'malformed event' | 'event of another type' | 'events missed';

/** Counts problems with topics, and logs the first one of each kind, topic and minute. */
export class TopicProblemLog {
  readonly #problems: ProblemLog<TopicProblemKind>;

  constructor(options: Omit<ProblemLogOptions, 'message'>) {
    this.#problems = new ProblemLog({ ...options, message: 'Problem with a subscription topic' });
  }

  get counts(): ReadonlyMap<TopicProblemKind, number> {
    return this.#problems.counts;
  }

  /** `topic`: the name of the stream or topic in the configuration. */
  report(kind: TopicProblemKind, topic: string, message: string): void {
    this.#problems.report(kind, message, { topic });
  }
}
