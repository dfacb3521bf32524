import type { Timers } from '../time/timers.ts';
import type { RedisFailure } from './redisFailure.ts';
import type { RedisConfig } from './redisOptions.ts';
import { RetryingRedisClient } from './retryingRedisClient.ts';
import { firstStreamId, isStreamId, nextId } from './streamIds.ts';
import {
  findGap,
  parseStreamProbe,
  positionAfter,
  positionAfterGap,
  positionAt,
  positionAtStart,
  type StreamEntry,
  type StreamPosition,
  streamProbeScript,
} from './streamProbe.ts';

export type { StreamEntry };

/** Entries may have been deleted before they were read. */
export interface StreamGap {
  /** The id of the last entry that was read. */
  readonly lastReadId: string;
  /** Whether entries that were read are lost, too. */
  readonly isRestored: boolean;
  /** Reading continues here. */
  readonly next: StreamPosition;
}

export interface RedisStreamReaderOptions {
  readonly config: RedisConfig;
  /** The key of the stream, which need not exist yet. */
  readonly stream: string;
  /** Reading begins after this id; `0-0` for the first entry. If omitted, it begins with the entries that are added from now
   *  on, also before the first connection: see `positionAtStart`. */
  readonly after?: string;
  /** The maximum number of entries of one batch, which large entries make smaller. */
  readonly batchSize?: number;
  /** Handles entries in order. The next batch is read when it resolves. If it rejects, the same entries are passed again
   *  after a delay. */
  onEntries(entries: readonly StreamEntry[]): Promise<void>;
  /** Entries were trimmed or deleted before they were read, or the stream lost its last entries. False alarms are possible
   *  if Redis does not report enough (before version 7, or after a start). Reading continues when it resolves. If it
   *  rejects, it is called again after a delay. */
  onGap(gap: StreamGap): Promise<void>;
  /** Called once, with the position at which reading begins. */
  onStart?(position: StreamPosition): void;
  /** The failed command will be retried. */
  onFailure(failure: RedisFailure): void;
  readonly timers: Timers;
}

const defaultBatchSize = 100;

/** Reads one stream until it is closed, on its own connection, which reconnects by itself. Passes every entry to the handler
 *  in order, and only once unless the handler rejects. */
export class RedisStreamReader {
  readonly #options: RedisStreamReaderOptions;
  readonly #redis: RetryingRedisClient;
  readonly #batchSize: number;
  readonly #blockMs: number;
  readonly #createdAtMs: number;
  #position: StreamPosition | undefined;
  #hasStarted = false;

  /** @throws {RangeError} if `after` is not a stream id. */
  constructor(options: RedisStreamReaderOptions) {
    const { config, after, onFailure, timers } = options;
    this.#options = options;
    this.#batchSize = options.batchSize ?? defaultBatchSize;
    this.#createdAtMs = timers.now();
    if (after !== undefined) {
      if (!isStreamId(after)) throw new RangeError(`"${after}" is not the id of a Redis stream entry.`);
      // It may be where another reader began.
      this.#position = positionAt(after, false);
    }
    const { timeouts } = config;
    this.#blockMs = Math.max(1, Math.floor(timeouts.socket / 2));
    // A command that blocks is answered later, also by a Redis that is slow.
    const socket = timeouts.socket + this.#blockMs;
    this.#redis = new RetryingRedisClient({
      config: { ...config, timeouts: { ...timeouts, socket } },
      onFailure,
      timers,
    });
    void this.#readLoop();
  }

  /** No handler is called any more. Does not wait for a running one. */
  close(): void {
    this.#redis.close();
  }

  async #readLoop(): Promise<void> {
    for (let attempt = 1; !this.#redis.isClosed; ) {
      try {
        await this.#readBatch();
        attempt = 1;
      } catch {
        // A handler rejected, which has reported the reason, or Redis refused the command, which was reported.
        await this.#redis.backOff(attempt);
        attempt += 1;
      }
    }
  }

  async #readBatch(): Promise<void> {
    const { stream, onEntries, onGap, timers } = this.#options;
    const from = this.#position === undefined ? '' : nextId(this.#position.id);
    const args = [from, this.#batchSize, this.#position?.id ?? firstStreamId];
    const reply = await this.#redis.runScript(streamProbeScript, [stream], args);
    if (this.#redis.isClosed) return;
    if (reply === undefined) throw commandRejectedError();
    const probe = parseStreamProbe(reply);
    const isFirst = this.#position === undefined;
    let position = this.#position ?? positionAtStart(probe, timers.now() - this.#createdAtMs);
    this.#position = position;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.#options.onStart?.(position);
    }
    // This probe has no entries.
    if (isFirst) return;
    const gap = findGap(position, probe);
    if (gap !== undefined) {
      const next = positionAfterGap(position, probe, gap);
      await onGap({ lastReadId: position.id, isRestored: gap === 'restored', next });
      if (this.#redis.isClosed) return;
      position = next;
      this.#position = next;
    }
    const { entries } = probe;
    if (entries.length > 0) await onEntries(entries);
    this.#position = positionAfter(position, probe);
    if (entries.length === 0) await this.#awaitEntry(this.#position.id);
  }

  /** Resolves when there may be new entries. Does not block for long, so that a hanging connection is detected. */
  async #awaitEntry(after: string): Promise<void> {
    const args = ['COUNT', 1, 'BLOCK', this.#blockMs, 'STREAMS', this.#options.stream, after];
    const reply = await this.#redis.sendCommand('xread', args);
    if (reply === undefined) throw commandRejectedError();
  }
}

function commandRejectedError(): Error {
  return new Error('Redis refused the command.');
}
