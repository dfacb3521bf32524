import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { Timers } from '../../time/timers.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobObserver } from './jobObserver.ts';
import { joinRun } from './jobScripts.ts';
import type { TokenRecord } from './jobStore.ts';
import type { MemoryJobStore } from './memoryJobStore.ts';
import type { RedisTokens } from './redisTokens.ts';
import type { ReplicatedRun, ReplicatedRuns } from './replicatedRuns.ts';
import { withTimeout } from './withTimeout.ts';

interface JobEnqueuerOptions {
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  readonly tokens: RedisTokens;
  readonly replicated: ReplicatedRuns;
  readonly memory: MemoryJobStore;
  readonly timers: Timers;
  readonly observer: JobObserver;
  /** Longest that an answer waits for it, in milliseconds. */
  readonly timeoutMs: number;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly retentionMs: number;
}

/** How others get to know of a work, while an answer waits for that. */
export class JobEnqueuer {
  readonly #options: JobEnqueuerOptions;

  constructor(options: JobEnqueuerOptions) {
    this.#options = options;
  }

  /** Resolves with the id of the work that the token leads to: another one where an equal job is under way in another
   *  process, and that was known in time. */
  async enqueue(work: ReplicatedRun, token: TokenRecord): Promise<string> {
    const { timeoutMs, timers, observer } = this.#options;
    let isLate = false;
    const begun = this.#publish(work, token).then(async (other) => {
      if (other === undefined) return work.id;
      if (!isLate && (await this.#joinOther(work, token, other, () => isLate))) return other;
      work.writer.forceCreate();
      await work.writer.write();
      return work.id;
    });
    work.published = begun;
    const workId = await withTimeout(timeoutMs, begun, timers);
    if (workId !== undefined) return workId;
    isLate = true;
    observer.onNotPersisted({ reason: 'redis' });
    return work.id;
  }

  /** One more token for a work that others know. */
  async join(work: ReplicatedRun, token: TokenRecord): Promise<void> {
    const { tokens, timeoutMs, timers } = this.#options;
    work.writer.extendExpiry();
    await withTimeout(timeoutMs, Promise.all([tokens.write(token, work.id), work.writer.write()]), timers);
  }

  /** All in one round trip. Resolves with the id of the work for an equal job. */
  async #publish(work: ReplicatedRun, token: TokenRecord): Promise<string | undefined> {
    const { tokens, replicated } = this.#options;
    const [other] = await Promise.all([
      work.writer.create(),
      tokens.write(token, work.id),
      replicated.enqueue(work),
    ]);
    return other;
  }

  /** `isLate`: the answer has left meanwhile. */
  async #joinOther(
    work: ReplicatedRun,
    token: TokenRecord,
    other: string,
    isLate: () => boolean,
  ): Promise<boolean> {
    const { redis, keys, memory, tokens, replicated, retentionMs } = this.#options;
    const [joined] = await Promise.all([
      redis.runScript(joinRun, keys.ofRun(other), [other, retentionMs]),
      tokens.write(token, other),
    ]);
    // Who follows already follows this work, which must stay then. From here to the answer there is no gap.
    if (Number(joined) !== 1 || isLate()) {
      void tokens.write(token, work.id);
      return false;
    }
    memory.redirect(token, other);
    void replicated.dequeue(work);
    replicated.release(work);
    return true;
  }
}
