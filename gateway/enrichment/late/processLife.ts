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
}

/** Shows the other processes that this one lives. */
export class ProcessLife {
  readonly #options: ProcessLifeOptions;
  #cancelTimer: CancelTimer = () => {};
  #isBeating = false;
  #hasEnded = false;

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
    this.#cancelTimer();
    if (!this.#hasEnded) {
      this.#cancelTimer = timers.after(Math.ceil(deadAfter / 3), () => void this.beat());
    }
  }

  async isAlive(processId: string): Promise<boolean> {
    const { redis, keys } = this.#options;
    return Number(await redis.ask('exists', [keys.alive(processId)])) === 1;
  }

  /** Its works may be taken over at once. */
  async end(): Promise<void> {
    this.stop();
    await this.#options.redis.ask('del', [this.#options.keys.alive(this.#options.processId)]);
  }

  stop(): void {
    this.#hasEnded = true;
    this.#cancelTimer();
  }
}
