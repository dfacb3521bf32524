import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { LateKeys } from './lateKeys.ts';

export interface ProcessLifeOptions {
  readonly processId: string;
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  readonly timers: Timers;
  /** Milliseconds after which a process that shows no life is dead. */
  readonly deadAfter: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Shows the other processes that this one lives. */
export class ProcessLife {
  readonly #options: ProcessLifeOptions;
  #cancelTimer: CancelTimer = () => {};
  #isBeating = false;
  #hasEnded = false;
  #lastBeatAt = Number.NEGATIVE_INFINITY;
  #steadySince = Number.POSITIVE_INFINITY;

  constructor(options: ProcessLifeOptions) {
    this.#options = options;
  }

  /** Shows it now, and then again and again. */
  async beat(): Promise<void> {
    if (this.#isBeating || this.#hasEnded) return;
    this.#isBeating = true;
    const { processId, redis, keys, timers, deadAfter } = this.#options;
    await redis.ask('set', [keys.alive(processId), 1, 'PX', deadAfter]);
    this.#isBeating = false;
    this.#noteBeat();
    this.#cancelTimer();
    if (!this.#hasEnded) {
      this.#cancelTimer = timers.after(Math.ceil(deadAfter / 3), () => void this.beat());
    }
  }

  /** Whether another process shows no life that could have shown some: not for a while after Redis was gone, when
   *  nobody could. */
  async isDead(processId: string): Promise<boolean> {
    const { redis, keys } = this.#options;
    const isThere = Number(await redis.ask('exists', [keys.alive(processId)])) !== 0;
    return !isThere && this.#isSteady;
  }

  /** Its works may be taken over at once. */
  async end(): Promise<void> {
    this.stop();
    await this.#options.redis.ask('del', [this.#options.keys.alive(this.#options.processId)]);
  }

  get #isSteady(): boolean {
    const { now, deadAfter } = this.#options;
    return now() - this.#lastBeatAt <= this.#longestGap && now() - this.#steadySince >= deadAfter;
  }

  /** While Redis is gone for no longer, what shows the life of the others does not expire. */
  get #longestGap(): number {
    return (this.#options.deadAfter * 2) / 3;
  }

  #noteBeat(): void {
    const now = this.#options.now();
    if (now - this.#lastBeatAt > this.#longestGap) this.#steadySince = now;
    this.#lastBeatAt = now;
  }

  stop(): void {
    this.#hasEnded = true;
    this.#cancelTimer();
  }
}
