import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStream.ts';
import { isStreamId } from '../../redis/streamIds.ts';
import type { Timers } from '../../time/timers.ts';
import type { InvalidationResult } from '../store/cacheStore.ts';
import type { StoreProblems } from '../store/storeProblems.ts';
import { EventPosition } from './eventPosition.ts';

/** What an event says is to be invalidated, or why that cannot be told. */
export type ReadEvent =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

export interface EventInvalidationsOptions {
  readonly config: RedisConfig;
  /** The whole key of the stream. */
  readonly stream: string;
  readonly problems: StoreProblems;
  /** What the JSON of an event asks for. Events wait while its promise does, such as until a supergraph is there. */
  read(body: unknown): ReadEvent | Promise<ReadEvent>;
  invalidate(tags: readonly string[]): Promise<InvalidationResult>;
  /** Invalidates whatever an event may have named. Awaited before events are read on; asked again after a while if it
   *  rejects. */
  onGap(): Promise<InvalidationResult>;
  readonly timers?: Timers;
}

const field = 'invalidate';

// Of invalidations that could not reach everything. With more, no further events are read for now.
const mostPendingTags = 10_000;

/** Invalidates by the events of a Redis stream. Every process does it for itself: another one may have failed to, and
 *  each has copies of its own. */
export class EventInvalidations {
  readonly #options: EventInvalidationsOptions;
  readonly #position: EventPosition;
  /** Tags whose events count as handled only when everything that has them is gone. */
  readonly #pending = new Set<string>();
  readonly #onFailure: (failure: RedisFailure) => void;
  #reader: RedisStreamReader | undefined;
  #isClosed = false;

  constructor(options: EventInvalidationsOptions) {
    this.#options = options;
    const { config, stream, problems, timers } = options;
    this.#onFailure = ({ kind, cause }) => problems.report(kind, { err: cause });
    this.#position = new EventPosition({
      config,
      stream,
      onFailure: this.#onFailure,
      ...(timers === undefined ? {} : { timers }),
    });
    void this.#begin();
  }

  /** Invalidations that are under way are not waited for; their events are read again at the next start. */
  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
    this.#position.close();
  }

  async #begin(): Promise<void> {
    const { config, stream, timers } = this.#options;
    const saved = await this.#position.load();
    if (this.#isClosed) return;
    // What is no id says nothing: everything that was ever there may have been missed.
    const after = saved === undefined || isStreamId(saved) ? saved : '0-0';
    this.#reader = new RedisStreamReader({
      config,
      stream,
      ...(after === undefined ? {} : { after }),
      onStart: (id) => this.#position.save(id),
      onEntries: (entries) => this.#invalidate(entries),
      onGap: (gap) => this.#onGap(gap),
      onFailure: this.#onFailure,
      ...(timers === undefined ? {} : { timers }),
    });
  }

  async #invalidate(entries: readonly StreamEntry[]): Promise<void> {
    for (const entry of entries) {
      const event = await this.#read(entry);
      if (this.#isClosed) return;
      if (event.kind === 'tags') for (const tag of event.tags) this.#pending.add(tag);
      else this.#reportUnreadable(entry, event.reasons);
    }
    const { isPending } = await this.#options.invalidate([...this.#pending]);
    if (isPending) {
      if (this.#pending.size > mostPendingTags) throw new Error('too many tags are pending');
      return;
    }
    this.#pending.clear();
    this.#position.save(entries.at(-1)?.id ?? '');
  }

  async #read({ fields }: StreamEntry): Promise<ReadEvent> {
    const text = fields.get(field);
    if (text === undefined) return { kind: 'mistakes', reasons: [`has no field \`${field}\``] };
    try {
      return await this.#options.read(JSON.parse(text));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: 'mistakes', reasons: [`\`${field}\`: ${reason}`] };
    }
  }

  #reportUnreadable({ id }: StreamEntry, reasons: readonly string[]): void {
    const { problems, stream } = this.#options;
    problems.report('unreadable event', {
      err: new Error(`event ${id} of ${stream}: ${reasons.join('; ')}`),
    });
  }

  async #onGap({ after, next }: StreamGap): Promise<void> {
    const { problems, stream, onGap } = this.#options;
    problems.report('events missed', { err: new Error(`events of ${stream} after ${after}`) });
    const { isPending } = await onGap();
    if (isPending || this.#isClosed) return;
    this.#pending.clear();
    this.#position.save(next);
  }
}
