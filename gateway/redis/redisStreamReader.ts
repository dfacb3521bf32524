import type { Timers } from '../time/timers.ts';
import type { RedisFailure } from './redisFailure.ts';
import type { RedisConfig } from './redisOptions.ts';
import { RetryingRedisClient } from './retryingRedisClient.ts';
import { firstStreamId, isStreamId, nextId } from './streamIds.ts';
import {
  hasGap,
  parseStreamProbe,
  positionAfter,
  positionAfterGap,
  type StreamEntry,
  type StreamPosition,
  type StreamProbe,
  streamProbeScript,
} from './streamProbe.ts';

export type { StreamEntry };

/** Entries may be gone that were not read. */
export interface StreamGap {
  /** The last one that was read. */
  readonly lastReadId: string;
  /** Reading goes on after this one. */
  readonly resumeAfterId: string;
}

export interface RedisStreamReaderOptions {
  readonly config: RedisConfig;
  /** Its whole key. It need not be there yet. */
  readonly stream: string;
  /** Id of an entry, after which reading begins; `0-0` for the first one. Left out: after the last one that is there
   *  when Redis can be asked. */
  readonly after?: string;
  /** Most entries in one batch. */
  readonly batchSize?: number;
  /** Entries in their order. The next ones are not read before this has resolved; if it rejects, the same ones
   *  come again after a while. */
  onEntries(entries: readonly StreamEntry[]): Promise<void>;
  /** Entries were trimmed or deleted before they were read, or the stream lost its last ones. It may be said
   *  without need where Redis does not tell enough (before version 7, or after a start). Awaited, and asked again after
   *  a while if it rejects, before anything is read on. */
  onGap(gap: StreamGap): Promise<void>;
  /** Reading begins after this id. Once. */
  onStart?(id: string): void;
  /** It is tried again. */
  onFailure(failure: RedisFailure): void;
  readonly timers?: Timers;
}

const defaultBatchSize = 100;

/** Reads one stream as long as it takes, on a connection of its own, which comes back by itself. Every entry is given
 *  to the handler, in order and once unless the handler rejects. Throws `RangeError` for an `after` that is no id. */
export class RedisStreamReader {
  readonly #options: RedisStreamReaderOptions;
  readonly #redis: RetryingRedisClient;
  readonly #batchSize: number;
  #position: StreamPosition | undefined;
  #hasStarted = false;

  constructor(options: RedisStreamReaderOptions) {
    const { config, after, onFailure, timers } = options;
    this.#options = options;
    this.#batchSize = options.batchSize ?? defaultBatchSize;
    if (after !== undefined) {
      if (!isStreamId(after)) throw new RangeError(`${after} is not the id of a stream's entry`);
      this.#position = { id: after, addedCount: undefined, reportedDeletedId: firstStreamId };
    }
    this.#redis = new RetryingRedisClient({ config, onFailure, ...(timers === undefined ? {} : { timers }) });
    void this.#readLoop();
  }

  /** No handler is called any more; one that is running is not waited for. */
  close(): void {
    this.#redis.close();
  }

  async #readLoop(): Promise<void> {
    for (let attempt = 1; !this.#redis.isClosed; ) {
      try {
        await this.#readBatch();
        attempt = 1;
      } catch {
        // A handler has rejected, and says itself why; or Redis does not take the request, which was told.
        await this.#redis.backOff(attempt);
        attempt += 1;
      }
    }
  }

  async #readBatch(): Promise<void> {
    const { stream, onEntries, onGap } = this.#options;
    const from = this.#position === undefined ? '' : nextId(this.#position.id);
    const reply = await this.#redis.runScript(streamProbeScript, [stream], [from, this.#batchSize]);
    if (this.#redis.isClosed) return;
    if (reply === undefined) throw commandRejectedError();
    const look = parseStreamProbe(reply);
    const place = this.#start(look);
    if (hasGap(place, look)) {
      const next = positionAfterGap(place, look);
      await onGap({ lastReadId: place.id, resumeAfterId: next.id });
      if (this.#redis.isClosed) return;
      this.#position = next;
    }
    if (look.entries.length > 0) {
      await onEntries(look.entries);
      this.#position = this.#positionAfter(look);
      return;
    }
    this.#position = this.#positionAfter(look);
    await this.#awaitEntry();
  }

  #start(look: StreamProbe): StreamPosition {
    const place = this.#position ?? {
      id: look.lastId,
      addedCount: look.addedCount,
      reportedDeletedId: firstStreamId,
    };
    this.#position = place;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.#options.onStart?.(place.id);
    }
    return place;
  }

  /** Where reading goes on when all of these entries have been handled. */
  #positionAfter(look: StreamProbe): StreamPosition | undefined {
    return this.#position === undefined ? undefined : positionAfter(this.#position, look, this.#batchSize);
  }

  /** Resolves when there may be something to read. An answer comes well before `timeouts.socket` is over, so that a
   *  connection that hangs is found out. */
  async #awaitEntry(): Promise<void> {
    const { stream, config } = this.#options;
    const longest = Math.max(1, Math.floor(config.timeouts.socket / 2));
    const after = this.#position?.id ?? firstStreamId;
    const reply = await this.#redis.sendCommand('xread', [
      'COUNT',
      1,
      'BLOCK',
      longest,
      'STREAMS',
      stream,
      after,
    ]);
    if (reply === undefined) throw commandRejectedError();
  }
}

function commandRejectedError(): Error {
  return new Error('Redis does not take the request.');
}
