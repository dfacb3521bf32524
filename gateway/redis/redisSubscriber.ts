import { Redis } from 'ioredis';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';
import { backoffDelayMs } from './backoffDelayMs.ts';
import { RedisFailure } from './redisFailure.ts';
import { connectionOptions, parseAddress, type RedisConfig, serverOptions } from './redisOptions.ts';

interface RedisSubscriberOptions {
  readonly config: RedisConfig;
  readonly channel: string;
  onMessage(message: string): void;
  /** From now on messages come; those sent before, since the last connection was lost, are lost too. */
  onSubscribed(): void;
  onFailure(failure: RedisFailure): void;
  readonly timers?: Timers;
}

/** Hears what is published on a channel, as long as it takes. A Cluster passes messages on to all its nodes, so one
 *  of them is enough; when it is lost, the next one is tried. */
export class RedisSubscriber {
  readonly #options: RedisSubscriberOptions;
  readonly #timers: Timers;
  #redis: Redis | undefined;
  #attempt = 0;
  #cancelTimer: CancelTimer = () => {};
  #isClosed = false;

  constructor(options: RedisSubscriberOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#redis?.disconnect();
  }

  #connect(): void {
    const { config, channel, onMessage, onSubscribed, onFailure } = this.#options;
    const { nodes } = config.cluster;
    const node = nodes[this.#attempt % nodes.length];
    this.#attempt += 1;
    const redis = new Redis({
      ...connectionOptions(config),
      ...(node === undefined ? serverOptions(config) : parseAddress(node)),
      // Each connection is one of its own, so that it is known which messages were lost.
      retryStrategy: () => null,
    });
    this.#redis = redis;
    redis.on('error', (error) => onFailure(new RedisFailure(error)));
    redis.on('message', (_, message: string) => onMessage(message));
    redis.once('end', () => this.#reconnect());
    redis.once('ready', () => {
      redis.subscribe(channel).then(
        () => {
          if (redis.status !== 'ready') return;
          this.#attempt = nodes.length === 0 ? 0 : this.#attempt % nodes.length;
          onSubscribed();
          this.#schedulePing(redis);
        },
        () => redis.disconnect(),
      );
    });
  }

  /** A connection that hangs looks like one on which nothing is said; a PING that is not answered within
   *  `timeouts.socket` ends it. */
  #schedulePing(redis: Redis): void {
    this.#cancelTimer = this.#timers.after(this.#options.config.timeouts.heartbeat, () => {
      redis.ping().then(
        () => {
          if (redis.status === 'ready') this.#schedulePing(redis);
        },
        () => redis.disconnect(),
      );
    });
  }

  #reconnect(): void {
    this.#cancelTimer();
    if (this.#isClosed) return;
    const delay = backoffDelayMs(Math.max(1, this.#attempt), this.#options.config.reconnect);
    this.#cancelTimer = this.#timers.after(delay, () => this.#connect());
  }
}
