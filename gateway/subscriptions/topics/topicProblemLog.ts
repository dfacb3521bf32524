import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { toLabelValue } from '../../telemetry/registerCounter.ts';

type TopicProblemKind = RedisFailureKind | 'malformed event' | 'event of another type' | 'events missed';

interface TopicProblemLogOptions {
  readonly log: Logger;
  /** Milliseconds. */
  now(): number;
}

const logIntervalMs = 60_000;

/** Counts problems with topics, and logs the first one of each kind, topic and minute. */
export class TopicProblemLog {
  readonly #options: TopicProblemLogOptions;
  readonly #counts = new Map<TopicProblemKind, number>();
  readonly #loggedAt = new Map<string, number>();

  constructor(options: TopicProblemLogOptions) {
    this.#options = options;
  }

  get counts(): ReadonlyMap<TopicProblemKind, number> {
    return this.#counts;
  }

  /** `topic`: the name of the stream or topic in the configuration. */
  report(kind: TopicProblemKind, topic: string, message: string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const now = this.#options.now();
    const key = `${kind} ${topic}`;
    const loggedAt = this.#loggedAt.get(key);
    if (loggedAt !== undefined && now - loggedAt < logIntervalMs) return;
    this.#loggedAt.set(key, now);
    const problem = toLabelValue(kind);
    this.#options.log.warn({ problem, topic, count, message }, 'Problem with a subscription topic');
  }
}
