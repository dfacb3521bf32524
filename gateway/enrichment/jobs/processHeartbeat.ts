import type { CancelTimer } from '../../time/timers.ts';
import type { RedisJobContext } from './redisJobContext.ts';

interface ProcessHeartbeatOptions extends RedisJobContext {
  /** A process without a heartbeat for this long is dead. */
  readonly expireAfterMs: number;
}

/** Renews this process's heartbeat key in Redis, and reads the keys of other processes. */
export class ProcessHeartbeat {
  readonly #options: ProcessHeartbeatOptions;
  #cancelTimer: CancelTimer = () => {};
  #state: 'idle' | 'beating' | 'stopped' = 'idle';
  #lastBeatAt = Number.NEGATIVE_INFINITY;
  #stableSince = Number.POSITIVE_INFINITY;

  constructor(options: ProcessHeartbeatOptions) {
    this.#options = options;
  }

  /** Renews the key now, and then at intervals. */
  async beat(): Promise<void> {
    if (this.#state !== 'idle') return;
    this.#state = 'beating';
    const { processId, redis, keys, timers, expireAfterMs } = this.#options;
    await redis.sendCommand('set', [keys.heartbeat(processId), 1, 'PX', expireAfterMs]);
    this.#recordBeat();
    if (this.#isStopped) return;
    this.#state = 'idle';
    this.#cancelTimer();
    this.#cancelTimer = timers.after(Math.ceil(expireAfterMs / 3), () => void this.beat());
  }

  /** Whether another process has no heartbeat although it could have sent one: false for a while after Redis was
   *  unreachable, when no process could. */
  async isDead(processId: string): Promise<boolean> {
    const { redis, keys } = this.#options;
    const hasHeartbeat = Number(await redis.sendCommand('exists', [keys.heartbeat(processId)])) !== 0;
    return !hasHeartbeat && this.#isStable;
  }

  /** Lets other processes reclaim the runs of this one at once. */
  async release(): Promise<void> {
    this.#state = 'stopped';
    this.#cancelTimer();
    const { processId, redis, keys } = this.#options;
    await redis.sendCommand('del', [keys.heartbeat(processId)]);
  }

  get #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  get #isStable(): boolean {
    const { now, expireAfterMs } = this.#options;
    return now() - this.#lastBeatAt <= this.#maxGapMs && now() - this.#stableSince >= expireAfterMs;
  }

  /** Redis can be unreachable for this long before heartbeats of live processes expire. */
  get #maxGapMs(): number {
    return (this.#options.expireAfterMs * 2) / 3;
  }

  #recordBeat(): void {
    const now = this.#options.now();
    if (now - this.#lastBeatAt > this.#maxGapMs) this.#stableSince = now;
    this.#lastBeatAt = now;
  }
}
