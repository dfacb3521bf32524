import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { toLabelValue } from '../telemetry/registerCounter.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { createRedisScript, RedisClient } from './redisClient.ts';
import { RedisFailure } from './redisFailure.ts';
import { registerRedisMetrics } from './redisMetrics.ts';
import { describeAddress, isRedisConfigured, type RedisConfig } from './redisOptions.ts';

interface RedisMonitorOptions {
  readonly config: RedisConfig;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly timers: Timers;
  readonly metrics: Pick<Metrics, 'registry'>;
}

/** A connection that hangs is only noticed while a command is in flight. */
const writeIntervalMs = 1_000;
const keyTtlMs = 5_000;
const emptyScript = createRedisScript('return 1');

/** Reports whether this process can use Redis, by small writes on a connection of its own: the features that use Redis have
 *  connections that come and go, and reconnect by themselves. */
class RedisMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #client: RedisClient;
  readonly #address: string;
  #evictionPolicy = 'noeviction';
  /** The newest failure of the current outage, which ends when a write succeeds. */
  #outage: RedisFailure | undefined;
  #cancelWrite: CancelTimer = () => {};
  #isClosed = false;

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    const { config, metrics } = options;
    this.#address = describeAddress(config);
    this.#client = new RedisClient({
      config,
      onReady: () => {
        void this.#write();
        void this.#checkEvictionPolicy();
      },
      onFailure: (failure) => {
        // A Cluster is connected while one of its nodes fails.
        if (!this.#client.isReady) this.#reportFailure(failure);
      },
    });
    registerRedisMetrics(metrics.registry, () => this.#outage !== undefined);
  }

  get readinessNotes(): readonly { readonly code: string; readonly message: string }[] {
    if (this.#outage === undefined) return [];
    const { kind, cause } = this.#outage;
    const problem =
      kind === 'out of memory'
        ? 'Redis stores nothing, and nothing new is shared with other processes'
        : 'Redis cannot be used, and nothing is shared with other processes';
    return [{ code: 'REDIS_UNAVAILABLE', message: `${problem}: ${cause.message}` }];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWrite();
    this.#client.close();
  }

  /** A write, because a server that is full or read only answers PING. Then a script, which needs a permission of its own:
   *  every feature with data in Redis has scripts. */
  async #write(): Promise<void> {
    this.#cancelWrite();
    const key = `${this.#options.config.keyPrefix}monitor`;
    const written = await this.#client.sendCommand('set', [key, 1, 'PX', keyTtlMs]);
    const reply =
      written instanceof RedisFailure ? written : await this.#client.runScript(emptyScript, [key], []);
    if (this.#isClosed) return;
    if (!(reply instanceof RedisFailure)) this.#reportSuccess();
    // Redis refused the command. Failures of a connection, or of one node of a Cluster, are reported by the client.
    else if (reply.kind !== 'unreachable' && reply.kind !== 'cluster') {
      this.#reportFailure(new RedisFailure(reply.cause, this.#address));
    }
    this.#cancelWrite();
    // At the next connection, `onReady` writes again.
    if (!this.#client.isReady) return;
    this.#cancelWrite = this.#options.timers.after(writeIntervalMs, () => this.#write());
  }

  /** A Redis that evicts keys loses tokens and jobs without any error. */
  async #checkEvictionPolicy(): Promise<void> {
    const reply = await this.#client.sendCommand('info', ['memory']);
    // Without permission for INFO the policy is unknown.
    const policy = /^maxmemory_policy:(\S+)/m.exec(String(reply))?.[1] ?? this.#evictionPolicy;
    const isNew = policy !== this.#evictionPolicy;
    this.#evictionPolicy = policy;
    if (!isNew || policy === 'noeviction' || this.#isClosed) return;
    this.#options.log.warn(
      { policy },
      'Redis evicts keys when it is full, such as enrichment jobs and their tokens: set its maxmemory-policy to noeviction',
    );
  }

  #reportSuccess(): void {
    if (this.#outage !== undefined) this.#options.log.info('Redis can be used again');
    this.#outage = undefined;
  }

  #reportFailure(failure: RedisFailure): void {
    const isNew = this.#outage === undefined;
    this.#outage = failure;
    if (!isNew) return;
    const { kind, cause } = failure;
    this.#options.log.warn(
      { problem: toLabelValue(kind), message: cause.message },
      kind === 'out of memory'
        ? 'Redis stores nothing: nothing new is shared with other processes'
        : 'Redis cannot be used: nothing is shared with other processes',
    );
  }
}

/** `undefined` if Redis is not configured. */
export function createRedisMonitor(options: RedisMonitorOptions): RedisMonitor | undefined {
  return isRedisConfigured(options.config) ? new RedisMonitor(options) : undefined;
}
