import type { CancelTimer } from '../../time/timers.ts';
import type { RedisJobContext } from './redisJobContext.ts';

interface ProcessHeartbeatOptions extends Pick<RedisJobContext, 'processId' | 'keys' | 'timers' | 'now'> {
  readonly redis: Pick<RedisJobContext['redis'], 'sendCommand'>;
  /** A process without a heartbeat for this long is dead. */
  readonly expireAfterMs: number;
  /** Redis has lost the key before its expiry, and probably everything else. */
  onLost(): void;
}

/** Renews this process's heartbeat key in Redis, and reads the keys of other processes. */
export class ProcessHeartbeat {
  readonly #options: ProcessHeartbeatOptions;
  #cancelTimer: CancelTimer = () => {};
  #beating: Promise<void> | undefined;
  #isStopped = false;
  /** The latest heartbeat, on the clock of the timers and on the wall clock. */
  #lastBeat = { at: Number.NEGATIVE_INFINITY, time: Number.NEGATIVE_INFINITY };
  /** On the clock of the timers. */
  #stableSince = Number.POSITIVE_INFINITY;

  constructor(options: ProcessHeartbeatOptions) {
    this.#options = options;
  }

  /** Renews the key now, and then at intervals. */
  async beat(): Promise<void> {
    if (this.#isStopped) return;
    this.#beating ??= this.#renew();
    await this.#beating;
  }

  async #renew(): Promise<void> {
    const { processId, redis, keys, timers, expireAfterMs, onLost } = this.#options;
    const args = [keys.heartbeat(processId), 1, 'PX', expireAfterMs];
    const isMissing = (await redis.sendCommand('set', [...args, 'XX'])) === null;
    const isLost = isMissing && this.#gapMs <= this.#maxGapMs;
    if (isMissing) await redis.sendCommand('set', args);
    this.#recordBeat();
    this.#beating = undefined;
    if (this.#isStopped) return;
    this.#cancelTimer();
    this.#cancelTimer = timers.after(Math.ceil(expireAfterMs / 3), () => void this.beat());
    if (isLost) onLost();
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
    this.#isStopped = true;
    this.#cancelTimer();
    const { processId, redis, keys } = this.#options;
    await redis.sendCommand('del', [keys.heartbeat(processId)]);
  }

  get #isStable(): boolean {
    const { timers, expireAfterMs } = this.#options;
    return this.#gapMs <= this.#maxGapMs && timers.now() - this.#stableSince >= expireAfterMs;
  }

  /** Time since the latest heartbeat. The clock of the timers stands still while the machine is suspended, and the wall
   *  clock may be set back: the longer time counts. */
  get #gapMs(): number {
    const { timers, now } = this.#options;
    return Math.max(timers.now() - this.#lastBeat.at, now() - this.#lastBeat.time);
  }

  /** Redis can be unreachable for this long before heartbeats of live processes expire. */
  get #maxGapMs(): number {
    return (this.#options.expireAfterMs * 2) / 3;
  }

  #recordBeat(): void {
    const { timers, now } = this.#options;
    if (this.#gapMs > this.#maxGapMs) this.#stableSince = timers.now();
    this.#lastBeat = { at: timers.now(), time: now() };
  }
}
