import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { type RedisArgument, RedisClient, type RedisScript } from './redisClient.ts';
import { RedisFailure } from './redisFailure.ts';
import type { RedisConfig } from './redisOptions.ts';

export interface RetryingRedisClientOptions {
  readonly config: RedisConfig;
  /** Redis is connected again, before any command is sent to it, or a command has succeeded that had found no server: one
   *  master of a Cluster may be another one now. */
  onReconnected?(): void;
  /** See `RedisClient`. */
  onNodeLost?(): void;
  onFailure(failure: RedisFailure): void;
  readonly timers: Timers;
}

/** A connection that retries commands with backoff until Redis has executed them. Commands must be idempotent. */
export class RetryingRedisClient {
  readonly #options: RetryingRedisClientOptions;
  readonly #timers: Timers;
  readonly #client: RedisClient;
  readonly #waiters = new Set<() => void>();
  readonly #onceUnreachable: (() => void)[] = [];
  #wasReady = false;
  #isClosed = false;

  constructor(options: RetryingRedisClientOptions) {
    this.#options = options;
    this.#timers = options.timers;
    this.#client = new RedisClient({
      config: options.config,
      writeMoment: 'end of callback',
      onReady: () => {
        if (this.#wasReady) options.onReconnected?.();
        this.#wasReady = true;
        this.#wakeAll();
      },
      onClose: () => this.#resolveUnreachable(),
      onNodeLost: () => options.onNodeLost?.(),
      onFailure: (failure) => this.#report(failure),
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** See `RedisClient.failedConnection`. */
  get failedConnection(): RedisFailure | undefined {
    return this.#client.failedConnection;
  }

  /** Resolves with the reply, strings as buffers. Resolves with `undefined` when the client is closed, or when the command
   *  is invalid. Never rejects. */
  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#retryUntilDone(() => this.#client.sendCommand(command, args), undefined);
  }

  /** As `sendCommand`. Resolves with `undefined` also when `signal` is aborted. */
  runScript(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.#retryUntilDone(() => this.#client.runScript(script, keys, args), signal);
  }

  /** Resolves with why the server of this key cannot be used; with `undefined` if it has answered. A connection that hangs is
   *  closed after `redis.timeouts.socket`, which happens only while a command is in flight. */
  async probe(key: string): Promise<RedisFailure | undefined> {
    if (!this.#client.isReady && this.failedConnection === undefined) {
      // An attempt to connect is under way.
      await this.#wait((wake) => {
        this.#onceUnreachable.push(wake);
        return () => {};
      }, undefined);
    }
    const reply = await this.#client.sendCommand('exists', [key]);
    return this.failedConnection ?? (reply instanceof RedisFailure ? reply : undefined);
  }

  /** Resolves when Redis is not connected, at once if it is not connected now, or when a command has found no server. A
   *  connection that hangs is only noticed while a command is in flight. */
  whenUnreachable(): Promise<void> {
    if (!this.#client.isReady) return Promise.resolve();
    return new Promise((resolve) => this.#onceUnreachable.push(resolve));
  }

  /** Resolves after the backoff delay of this attempt, counted from 1, or when the client is closed. */
  backOff(attempt: number): Promise<void> {
    return this.#waitForBackoff(attempt, undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
    this.#wakeAll();
  }

  async #retryUntilDone(send: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    const isOver = (): boolean => this.#isClosed || signal?.aborted === true;
    let foundServer = true;
    for (let attempt = 1; !isOver(); ) {
      if (!this.#client.isReady) {
        await this.#wait(() => () => {}, signal);
        continue;
      }
      const reply = await send();
      if (isOver()) break;
      if (!(reply instanceof RedisFailure)) {
        if (!foundServer) this.#options.onReconnected?.();
        return reply;
      }
      this.#report(reply);
      // Without one of its masters, a Cluster is still connected.
      if (reply.kind === 'unreachable' || reply.kind === 'cluster') {
        foundServer = false;
        this.#resolveUnreachable();
      }
      if (reply.isPermanent) break;
      await this.#waitForBackoff(attempt, signal);
      attempt += 1;
    }
    return undefined;
  }

  #waitForBackoff(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const { reconnect } = this.#options.config;
    return this.#wait((wake) => this.#timers.after(backoffDelayMs(attempt, reconnect), wake), signal);
  }

  /** Resolves at the next connection, when the client is closed, when `signal` is aborted, or when `begin` calls `wake`. */
  #wait(begin: (wake: () => void) => CancelTimer, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isClosed || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      let cancel: CancelTimer = () => {};
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal?.removeEventListener('abort', wake);
        cancel();
        resolve();
      };
      this.#waiters.add(wake);
      signal?.addEventListener('abort', wake);
      cancel = begin(wake);
    });
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #resolveUnreachable(): void {
    for (const resolve of this.#onceUnreachable.splice(0)) resolve();
  }

  #report(failure: RedisFailure): void {
    if (!this.#isClosed) this.#options.onFailure(failure);
  }
}
