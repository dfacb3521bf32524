import type { Redis } from 'ioredis';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { connectToServer } from './connectRedis.ts';
import { RedisFailure } from './redisFailure.ts';
import {
  connectionOptions,
  describeAddress,
  parseAddress,
  type RedisConfig,
  serverOptions,
} from './redisOptions.ts';

interface RedisSubscriberOptions {
  readonly config: RedisConfig;
  readonly channel: string;
  onMessage(message: string): void;
  /** Messages arrive from now on. Messages since the loss of the previous connection were missed. */
  onSubscribed(): void;
  /** No messages arrive from now on. Also called after each attempt to subscribe that has failed. */
  onUnsubscribed?(): void;
  onFailure(failure: RedisFailure): void;
  readonly timers: Timers;
}

/** Subscribes to a channel until it is closed. In a Cluster it connects to one node, because messages are forwarded to all
 *  nodes. When the connection is lost, it tries the next node. */
export class RedisSubscriber {
  readonly #options: RedisSubscriberOptions;
  readonly #timers: Timers;
  #redis: Redis | undefined;
  #attempt = 0;
  #cancelTimer: CancelTimer = () => {};
  #isClosed = false;

  constructor(options: RedisSubscriberOptions) {
    this.#options = options;
    this.#timers = options.timers;
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
    const redis = connectToServer({
      ...connectionOptions(config),
      ...(node === undefined ? serverOptions(config) : parseAddress(node)),
      // Reconnects with a new client, so that `onSubscribed` reports that messages were missed.
      retryStrategy: () => null,
    });
    this.#redis = redis;
    redis.on('error', (error) => onFailure(new RedisFailure(error, describeAddress(config))));
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
        (error: Error) => {
          // Other errors are those of a connection that has ended.
          if (error.name === 'ReplyError') onFailure(new RedisFailure(error, describeAddress(config)));
          redis.disconnect();
        },
      );
    });
  }

  /** Detects a hanging connection, which looks like a quiet one: a PING that is not answered within `redis.timeouts.socket`
   *  ends it. A refusal is an answer: Redis refuses PING while it cannot save its data. */
  #schedulePing(redis: Redis): void {
    const onAnswer = (): void => {
      if (redis.status === 'ready') this.#schedulePing(redis);
    };
    this.#cancelTimer = this.#timers.after(this.#options.config.timeouts.heartbeat, () => {
      redis.ping().then(onAnswer, ({ name }: Error) => {
        if (name === 'ReplyError') onAnswer();
        else redis.disconnect();
      });
    });
  }

  #reconnect(): void {
    this.#cancelTimer();
    if (this.#isClosed) return;
    this.#options.onUnsubscribed?.();
    const delay = backoffDelayMs(Math.max(1, this.#attempt), this.#options.config.reconnect);
    this.#cancelTimer = this.#timers.after(delay, () => this.#connect());
  }
}
