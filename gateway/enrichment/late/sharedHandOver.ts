import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { Timers } from '../../time/timers.ts';
import type { LateKeys } from './lateKeys.ts';
import type { LateObserver } from './lateObserver.ts';
import { joinWork } from './lateScripts.ts';
import type { TokenRecord } from './lateStore.ts';
import type { MemoryLateStore } from './memoryLateStore.ts';
import type { RedisTokens } from './redisTokens.ts';
import type { SharedWork, SharedWorks } from './sharedWorks.ts';
import { within } from './within.ts';

export interface SharedHandOverOptions {
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  readonly tokens: RedisTokens;
  readonly shared: SharedWorks;
  readonly memory: MemoryLateStore;
  readonly timers: Timers;
  readonly observer: LateObserver;
  /** Longest that an answer waits for it, in milliseconds. */
  readonly timeout: number;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly keepFor: number;
}

/** How others get to know of a work, while an answer waits for that. */
export class SharedHandOver {
  readonly #options: SharedHandOverOptions;

  constructor(options: SharedHandOverOptions) {
    this.#options = options;
  }

  /** Resolves with the id of the work that the token leads to: another one where an equal job is under way in another
   *  process, and that was known in time. */
  async begin(work: SharedWork, token: TokenRecord): Promise<string> {
    const { timeout, timers, observer } = this.#options;
    let isLate = false;
    const begun = this.#tell(work, token).then(async (other) => {
      if (other === undefined) return work.id;
      if (!isLate && (await this.#joinOther(work, token, other, () => isLate))) return other;
      work.writer.beginAnyway();
      await work.writer.write();
      return work.id;
    });
    work.begun = begun;
    const workId = await within(timeout, begun, timers);
    if (workId !== undefined) return workId;
    isLate = true;
    observer.onKeptHere({ reason: 'redis' });
    return work.id;
  }

  /** One more token for a work that others know. */
  async join(work: SharedWork, token: TokenRecord): Promise<void> {
    const { tokens, timeout, timers } = this.#options;
    work.writer.extend();
    await within(timeout, Promise.all([tokens.write(token, work.id), work.writer.write()]), timers);
  }

  /** All in one round trip. Resolves with the id of the work for an equal job. */
  async #tell(work: SharedWork, token: TokenRecord): Promise<string | undefined> {
    const { tokens, shared } = this.#options;
    const [other] = await Promise.all([
      work.writer.begin(),
      tokens.write(token, work.id),
      shared.enqueue(work),
    ]);
    return other;
  }

  /** `isLate`: the answer has left meanwhile. */
  async #joinOther(
    work: SharedWork,
    token: TokenRecord,
    other: string,
    isLate: () => boolean,
  ): Promise<boolean> {
    const { redis, keys, memory, tokens, shared, keepFor } = this.#options;
    const [joined] = await Promise.all([
      redis.run(joinWork, keys.ofWork(other), [other, keepFor]),
      tokens.write(token, other),
    ]);
    // Who follows already follows this work, which must stay then. From here to the answer there is no gap.
    if (Number(joined) !== 1 || isLate()) {
      void tokens.write(token, work.id);
      return false;
    }
    memory.redirect(token, other);
    void shared.dequeue(work);
    shared.release(work);
    return true;
  }
}
