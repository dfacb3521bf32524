import type { Timers } from '../time/timers.ts';
import { PatientRedis } from './patientRedis.ts';
import type { RedisFailure } from './redisFailure.ts';
import type { RedisConfig } from './redisOptions.ts';
import { firstStreamId, isStreamId, nextId } from './streamIds.ts';
import {
  hasGap,
  lookAtStream,
  placeAfter,
  placeAfterGap,
  readLook,
  type StreamEntry,
  type StreamLook,
  type StreamPlace,
} from './streamLook.ts';

export type { StreamEntry };

/** Entries may be gone that were not read. */
export interface StreamGap {
  /** The last one that was read. */
  readonly after: string;
  /** Reading goes on after this one. */
  readonly next: string;
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

const usualBatchSize = 100;

/** Reads one stream as long as it takes, on a connection of its own, which comes back by itself. Every entry is given
 *  to the handler, in order and once unless the handler rejects. Throws `RangeError` for an `after` that is no id. */
export class RedisStreamReader {
  readonly #options: RedisStreamReaderOptions;
  readonly #redis: PatientRedis;
  readonly #batchSize: number;
  #place: StreamPlace | undefined;
  #hasStarted = false;

  constructor(options: RedisStreamReaderOptions) {
    const { config, after, onFailure, timers } = options;
    this.#options = options;
    this.#batchSize = options.batchSize ?? usualBatchSize;
    if (after !== undefined) {
      if (!isStreamId(after)) throw new RangeError(`${after} is not the id of a stream's entry`);
      this.#place = { id: after, added: undefined, toldDeleted: firstStreamId };
    }
    this.#redis = new PatientRedis({ config, onFailure, ...(timers === undefined ? {} : { timers }) });
    void this.#readOn();
  }

  /** No handler is called any more; one that is running is not waited for. */
  close(): void {
    this.#redis.close();
  }

  async #readOn(): Promise<void> {
    for (let attempt = 1; !this.#redis.isClosed; ) {
      try {
        await this.#readSome();
        attempt = 1;
      } catch {
        // A handler has rejected, and says itself why; or Redis does not take the request, which was told.
        await this.#redis.pause(attempt);
        attempt += 1;
      }
    }
  }

  async #readSome(): Promise<void> {
    const { stream, onEntries, onGap } = this.#options;
    const from = this.#place === undefined ? '' : nextId(this.#place.id);
    const reply = await this.#redis.run(lookAtStream, [stream], [from, this.#batchSize]);
    if (this.#redis.isClosed) return;
    if (reply === undefined) throw notTaken();
    const look = readLook(reply);
    const place = this.#start(look);
    if (hasGap(place, look)) {
      const next = placeAfterGap(place, look);
      await onGap({ after: place.id, next: next.id });
      if (this.#redis.isClosed) return;
      this.#place = next;
    }
    if (look.entries.length > 0) {
      await onEntries(look.entries);
      this.#place = this.#placeAfter(look);
      return;
    }
    this.#place = this.#placeAfter(look);
    await this.#awaitEntry();
  }

  #start(look: StreamLook): StreamPlace {
    const place = this.#place ?? { id: look.lastId, added: look.added, toldDeleted: firstStreamId };
    this.#place = place;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.#options.onStart?.(place.id);
    }
    return place;
  }

  /** Where reading goes on when all of these entries have been handled. */
  #placeAfter(look: StreamLook): StreamPlace | undefined {
    return this.#place === undefined ? undefined : placeAfter(this.#place, look, this.#batchSize);
  }

  /** Resolves when there may be something to read. An answer comes well before `timeouts.socket` is over, so that a
   *  connection that hangs is found out. */
  async #awaitEntry(): Promise<void> {
    const { stream, config } = this.#options;
    const longest = Math.max(1, Math.floor(config.timeouts.socket / 2));
    const after = this.#place?.id ?? firstStreamId;
    const reply = await this.#redis.ask('xread', ['COUNT', 1, 'BLOCK', longest, 'STREAMS', stream, after]);
    if (reply === undefined) throw notTaken();
  }
}

function notTaken(): Error {
  return new Error('Redis does not take the request.');
}
