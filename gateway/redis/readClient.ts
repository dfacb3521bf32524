import type { Timers } from '../time/timers.ts';
import { ReadCircuitBreaker } from './readCircuitBreaker.ts';
import { scheduleReadTimeout } from './readTimeout.ts';
import { type RedisArgument, RedisClient, type RedisScript } from './redisClient.ts';
import { RedisFailure } from './redisFailure.ts';
import type { RedisConfig } from './redisOptions.ts';

interface ReadClientOptions {
  readonly config: RedisConfig;
  readonly timers: Timers;
  /** A connection failed. */
  onFailure(failure: RedisFailure): void;
}

/** A connection for commands that a request waits for. No command waits longer than `redis.timeouts.read`, and none is sent
 *  while Redis does not answer in time. */
export class ReadClient {
  readonly #options: ReadClientOptions;
  readonly #client: RedisClient;
  readonly #breaker: ReadCircuitBreaker;
  #commandsInFlight = 0;

  constructor(options: ReadClientOptions) {
    const { config, timers, onFailure } = options;
    this.#options = options;
    this.#breaker = new ReadCircuitBreaker({
      timers,
      probeIntervalMs: config.timeouts.socket,
      probe: async () =>
        !((await this.#beforeTimeout(this.#client.sendCommand('ping', []))) instanceof Error),
    });
    this.#client = new RedisClient({ config, onReady: () => this.#breaker.reset(), onFailure });
  }

  /** Resolves with the reply, strings as buffers.
   *  @throws {Error} if Redis does not answer in time, or with an error. */
  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#send(() => this.#client.sendCommand(command, args));
  }

  /** See `sendCommand`. */
  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#send(() => this.#client.runScript(script, keys, args));
  }

  close(): void {
    this.#breaker.reset();
    this.#client.close();
  }

  async #send(send: () => Promise<unknown>): Promise<unknown> {
    const { disconnection } = this.#client;
    if (disconnection !== undefined) throw disconnection.cause;
    if (this.#breaker.isOpen) throw new Error('Redis did not answer in time before.');
    if (this.#commandsInFlight >= this.#options.config.maxInFlight) {
      throw new Error('Too many commands are in flight (redis.maxInFlight).');
    }
    this.#commandsInFlight += 1;
    const running = send().finally(() => {
      this.#commandsInFlight -= 1;
    });
    const reply = await this.#beforeTimeout(running);
    if (reply instanceof Error) {
      this.#breaker.recordFailure();
      throw reply;
    }
    if (reply instanceof RedisFailure) throw reply.cause;
    this.#breaker.recordSuccess();
    return reply;
  }

  /** Resolves with the reply, or with an error after the read timeout. */
  #beforeTimeout(reply: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const cancel = scheduleReadTimeout(this.#options, () =>
        resolve(new Error('Redis did not answer in time (redis.timeouts.read).')),
      );
      void reply.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }
}
