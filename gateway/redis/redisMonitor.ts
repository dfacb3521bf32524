import type { Logger } from '../telemetry/logger.ts';
import { toLabelValue } from '../telemetry/registerCounter.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { RedisClient } from './redisClient.ts';
import { isRedisConfigured, type RedisConfig } from './redisOptions.ts';

interface RedisMonitorOptions {
  readonly config: RedisConfig;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly timers: Timers;
}

/** A connection that hangs is only noticed while a command is in flight. */
const pingIntervalMs = 1_000;

/** Reports whether this process can use Redis, on a connection of its own: the features that use Redis have connections that
 *  come and go, and reconnect by themselves. */
export class RedisMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #client: RedisClient;
  #cancelPing: CancelTimer = () => {};
  #isReported = false;
  #isClosed = false;

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    const { config, log } = options;
    this.#client = new RedisClient({
      config,
      onReady: () => {
        if (this.#isReported) log.info('Redis can be used again');
        this.#isReported = false;
        this.#schedulePing();
      },
      onFailure: ({ kind, cause: { message } }) => {
        // A Cluster is connected while one of its nodes fails.
        if (this.#isReported || this.#client.isReady) return;
        this.#isReported = true;
        log.warn(
          { problem: toLabelValue(kind), message },
          'Redis cannot be used: nothing is shared with other processes',
        );
      },
    });
  }

  get readinessNotes(): readonly { readonly code: string; readonly message: string }[] {
    const { disconnection } = this.#client;
    // Without a report, the first attempt to connect is under way.
    if (disconnection === undefined || !this.#isReported) return [];
    const message = `Redis cannot be used, and nothing is shared with other processes: ${disconnection.cause.message}`;
    return [{ code: 'REDIS_UNAVAILABLE', message }];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPing();
    this.#client.close();
  }

  #schedulePing(): void {
    this.#cancelPing();
    this.#cancelPing = this.#options.timers.after(pingIntervalMs, async () => {
      await this.#client.sendCommand('ping', []);
      // ioredis is ready until its socket is closed, also after `close`.
      if (!this.#isClosed && this.#client.isReady) this.#schedulePing();
    });
  }
}

/** `undefined` if Redis is not configured. */
export function createRedisMonitor(options: RedisMonitorOptions): RedisMonitor | undefined {
  return isRedisConfigured(options.config) ? new RedisMonitor(options) : undefined;
}
