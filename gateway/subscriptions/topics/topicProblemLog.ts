import { LRUCache } from 'lru-cache';
import type { RedisFailureKind } from '../../redis/redisFailure.ts';
import { ProblemLog, type ProblemLogOptions } from '../../telemetry/problemLog.ts';

type TopicProblemKind =
  | RedisFailureKind
  | 'malformed event'
  | 'event of another type'
  | 'events missed'
  | 'ignored value';

/** Entries of streams whose problems are known to be counted. */
const maxCountedEntries = 1_000;

/** Counts problems with topics, and logs the first one of each kind, topic and minute. */
export class TopicProblemLog {
  /** By topic and coordinate. */
  readonly #ignoredValues = new Set<string>();
  /** By kind, topic and id. */
  readonly #countedEntries = new LRUCache<string, true>({ max: maxCountedEntries });
  readonly #problems: ProblemLog<TopicProblemKind>;

  constructor(options: Omit<ProblemLogOptions, 'message'>) {
    this.#problems = new ProblemLog({ ...options, message: 'Problem with a subscription topic' });
  }

  get counts(): ReadonlyMap<TopicProblemKind, number> {
    return this.#problems.counts;
  }

  /** `topic`: the name of the stream or topic in the configuration. `entryId`: of the stream entry with the problem. Each
   *  entry is counted once, although every replay reads it again. */
  report(kind: TopicProblemKind, topic: string, message: string, entryId?: string): void {
    if (entryId !== undefined) {
      const entry = `${kind} ${topic} ${entryId}`;
      if (this.#countedEntries.has(entry)) return;
      this.#countedEntries.set(entry, true);
    }
    this.#problems.report(kind, message, { topic });
  }

  /** Reports that events have values of a field which is fetched nevertheless. Once for each topic and field, because
   *  events may have them for other readers. */
  reportIgnoredValue(topic: string, coordinate: string): void {
    const key = `${topic} ${coordinate}`;
    if (this.#ignoredValues.has(key)) return;
    this.#ignoredValues.add(key);
    const message = `The values of ${coordinate} in events are ignored, because another subgraph resolves the field or an input of it (@requires): clients get the value that the gateway fetches, perhaps an older one from the cache. Delete the cached value before the event (cache.events), or resolve the field and its inputs in the subgraph of the subscription.`;
    this.#problems.report('ignored value', message, { topic, coordinate });
  }
}
