import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { JobKeys } from './jobKeys.ts';

interface ProcessHeartbeatOptions {
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  readonly timers: Timers;
  /** Milliseconds after which a process that shows no life is dead. */
  readonly expireAfterMs: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Shows the other processes that this one lives. */
export class ProcessHeartbeat {
  readonly #options: ProcessHeartbeatOptions;
  #cancelTimer: CancelTimer = () => {};
  #isBeating = false;
  #hasEnded = false;
  #lastBeatAt = Number.NEGATIVE_INFINITY;
  #stableSince = Number.POSITIVE_INFINITY;

  constructor(options: ProcessHeartbeatOptions) {
    this.#options = options;
  }

  /** Shows it now, and then again and again. */
  async beat(): Promise<void> {
    if (this.#isBeating || this.#hasEnded) return;
    this.#isBeating = true;
    const { processId, redis, keys, timers, expireAfterMs } = this.#options;
    await redis.sendCommand('set', [keys.heartbeat(processId), 1, 'PX', expireAfterMs]);
    this.#isBeating = false;
    this.#recordBeat();
    this.#cancelTimer();
    if (!this.#hasEnded) {
      this.#cancelTimer = timers.after(Math.ceil(expireAfterMs / 3), () => void this.beat());
    }
  }

  /** Whether another process shows no life that could have shown some: not for a while after Redis was gone, when
   *  nobody could. */
  async isDead(processId: string): Promise<boolean> {
    const { redis, keys } = this.#options;
    const isThere = Number(await redis.sendCommand('exists', [keys.heartbeat(processId)])) !== 0;
    return !isThere && this.#isStable;
  }

  /** Its works may be taken over at once. */
  async release(): Promise<void> {
    this.stop();
    await this.#options.redis.sendCommand('del', [this.#options.keys.heartbeat(this.#options.processId)]);
  }

  get #isStable(): boolean {
    const { now, expireAfterMs } = this.#options;
    return now() - this.#lastBeatAt <= this.#maxGapMs && now() - this.#stableSince >= expireAfterMs;
  }

  /** While Redis is gone for no longer, what shows the life of the others does not expire. */
  get #maxGapMs(): number {
    return (this.#options.expireAfterMs * 2) / 3;
  }

  #recordBeat(): void {
    const now = this.#options.now();
    if (now - this.#lastBeatAt > this.#maxGapMs) this.#stableSince = now;
    this.#lastBeatAt = now;
  }

  stop(): void {
    this.#hasEnded = true;
    this.#cancelTimer();
  }
}
