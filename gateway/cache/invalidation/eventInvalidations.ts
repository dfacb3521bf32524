import { messageOf } from '../../errors.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStreamReader.ts';
import { isStreamId } from '../../redis/streamIds.ts';
import type { Timers } from '../../time/timers.ts';
import type { InvalidationResult } from '../store/cacheStore.ts';
import type { StoreProblems } from '../store/storeProblems.ts';
import { EventPosition } from './eventPosition.ts';
import type { ParsedInvalidationRequest } from './invalidationRequest.ts';

interface EventInvalidationsOptions {
  readonly config: RedisConfig;
  /** The key of the stream, without `redis.keyPrefix`. */
  readonly stream: string;
  readonly problems: StoreProblems;
  /** Parses the JSON of an event. The next events wait for the promise, for example until a supergraph is loaded. */
  parse(body: unknown): ParsedInvalidationRequest | Promise<ParsedInvalidationRequest>;
  invalidate(tags: readonly string[]): Promise<InvalidationResult>;
  /** Resolves with the tags that invalidate everything that a missed event may have named. */
  tagsOfEverything(): Promise<readonly string[]>;
  readonly timers: Timers;
}

const payloadField = 'invalidate';

// Tags of incomplete invalidations. With more, reading pauses until they complete.
const maxPendingTags = 10_000;

/** Invalidates the cache by the events of a Redis stream. Every process reads every event: each has its own in-memory
 *  copies, and another process may have failed. */
export class EventInvalidations {
  readonly #options: EventInvalidationsOptions;
  readonly #position: EventPosition;
  /** Tags of incomplete invalidations. Their events are not acknowledged before all entries with them are deleted. */
  readonly #pendingTags = new Set<string>();
  readonly #onFailure: (failure: RedisFailure) => void;
  #reader: RedisStreamReader | undefined;
  #isClosed = false;

  constructor(options: EventInvalidationsOptions) {
    this.#options = options;
    const { config, stream, problems, timers } = options;
    const onFailure = ({ kind, cause }: RedisFailure): void => problems.report(kind, cause.message);
    this.#onFailure = onFailure;
    this.#position = new EventPosition({
      config,
      stream,
      onFailure,
      timers,
    });
    void this.#start();
  }

  /** Does not wait for running invalidations. Their events are read again at the next start. */
  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
    this.#position.close();
  }

  async #start(): Promise<void> {
    const { config, stream, timers } = this.#options;
    const saved = await this.#position.load();
    if (this.#isClosed) return;
    // An invalid position is unusable: all events may have been missed.
    const after = saved === undefined || isStreamId(saved) ? saved : '0-0';
    this.#reader = new RedisStreamReader({
      config,
      stream,
      ...(after === undefined ? {} : { after }),
      onStart: ({ id }) => this.#position.save(id),
      onEntries: (entries) => this.#invalidate(entries),
      onGap: (gap) => this.#onGap(gap),
      onFailure: this.#onFailure,
      timers,
    });
  }

  async #invalidate(entries: readonly StreamEntry[]): Promise<void> {
    for (const entry of entries) {
      const event = await this.#parseEntry(entry);
      if (this.#isClosed) return;
      if (event.kind === 'tags') for (const tag of event.tags) this.#pendingTags.add(tag);
      else this.#reportInvalid(entry, event.reasons);
    }
    await this.#invalidatePending(entries.at(-1)?.id ?? '');
  }

  /** `handledId`: position after the events that the pending tags are from. */
  async #invalidatePending(handledId: string): Promise<void> {
    const { isPending } = await this.#options.invalidate([...this.#pendingTags]);
    if (isPending) {
      if (this.#pendingTags.size > maxPendingTags)
        throw new Error(`More than ${maxPendingTags} tags wait for Redis to delete their entries.`);
      return;
    }
    this.#pendingTags.clear();
    this.#position.save(handledId);
  }

  async #parseEntry({ fields }: StreamEntry): Promise<ParsedInvalidationRequest> {
    const text = fields.get(payloadField);
    if (text === undefined)
      return { kind: 'invalid', reasons: [`the event has no field \`${payloadField}\``] };
    try {
      return await this.#options.parse(parseExactJson(text));
    } catch (error) {
      const reason = messageOf(error);
      return { kind: 'invalid', reasons: [`\`${payloadField}\`: ${reason}`] };
    }
  }

  #reportInvalid({ id }: StreamEntry, reasons: readonly string[]): void {
    const { problems, stream } = this.#options;
    problems.report('unreadable event', `event ${id} of ${stream}: ${reasons.join('; ')}`);
  }

  async #onGap({ lastReadId, next }: StreamGap): Promise<void> {
    const { problems, stream, tagsOfEverything } = this.#options;
    problems.report(
      'events missed',
      `Events of ${stream} after ${lastReadId} were deleted before they were read.`,
    );
    for (const tag of await tagsOfEverything()) this.#pendingTags.add(tag);
    if (!this.#isClosed) await this.#invalidatePending(next.id);
  }
}
