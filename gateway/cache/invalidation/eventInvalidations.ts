import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisStreamReader, type StreamEntry, type StreamGap } from '../../redis/redisStreamReader.ts';
import { isStreamId } from '../../redis/streamIds.ts';
import type { Timers } from '../../time/timers.ts';
import type { InvalidationResult } from '../store/cacheStore.ts';
import type { StoreProblems } from '../store/storeProblems.ts';
import { EventPosition } from './eventPosition.ts';

/** What an event says is to be invalidated, or why that cannot be told. */
export type ParsedEvent =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | { readonly kind: 'mistakes'; readonly reasons: readonly string[] };

interface EventInvalidationsOptions {
  readonly config: RedisConfig;
  /** The whole key of the stream. */
  readonly stream: string;
  readonly problems: StoreProblems;
  /** What the JSON of an event asks for. Events wait while its promise does, such as until a supergraph is there. */
  parse(body: unknown): ParsedEvent | Promise<ParsedEvent>;
  invalidate(tags: readonly string[]): Promise<InvalidationResult>;
  /** Invalidates whatever an event may have named. Awaited before events are read on; asked again after a while if it
   *  rejects. */
  onGap(): Promise<InvalidationResult>;
  readonly timers?: Timers;
}

const payloadField = 'invalidate';

// Of invalidations that could not reach everything. With more, no further events are read for now.
const maxPendingTags = 10_000;

/** Invalidates by the events of a Redis stream. Every process does it for itself: another one may have failed to, and
 *  each has copies of its own. */
export class EventInvalidations {
  readonly #options: EventInvalidationsOptions;
  readonly #position: EventPosition;
  /** Tags whose events count as handled only when everything that has them is gone. */
  readonly #pendingTags = new Set<string>();
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
    void this.#start();
  }

  /** Invalidations that are under way are not waited for; their events are read again at the next start. */
  close(): void {
    this.#isClosed = true;
    this.#reader?.close();
    this.#position.close();
  }

  async #start(): Promise<void> {
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
      const event = await this.#parseEntry(entry);
      if (this.#isClosed) return;
      if (event.kind === 'tags') for (const tag of event.tags) this.#pendingTags.add(tag);
      else this.#reportInvalid(entry, event.reasons);
    }
    const { isPending } = await this.#options.invalidate([...this.#pendingTags]);
    if (isPending) {
      if (this.#pendingTags.size > maxPendingTags) throw new Error('too many tags are pending');
      return;
    }
    this.#pendingTags.clear();
    this.#position.save(entries.at(-1)?.id ?? '');
  }

  async #parseEntry({ fields }: StreamEntry): Promise<ParsedEvent> {
    const text = fields.get(payloadField);
    if (text === undefined) return { kind: 'mistakes', reasons: [`has no field \`${payloadField}\``] };
    try {
      return await this.#options.parse(JSON.parse(text));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: 'mistakes', reasons: [`\`${payloadField}\`: ${reason}`] };
    }
  }

  #reportInvalid({ id }: StreamEntry, reasons: readonly string[]): void {
    const { problems, stream } = this.#options;
    problems.report('unreadable event', {
      err: new Error(`event ${id} of ${stream}: ${reasons.join('; ')}`),
    });
  }

  async #onGap({ lastReadId, resumeAfterId }: StreamGap): Promise<void> {
    const { problems, stream, onGap } = this.#options;
    problems.report('events missed', { err: new Error(`events of ${stream} after ${lastReadId}`) });
    const { isPending } = await onGap();
    if (isPending || this.#isClosed) return;
    this.#pendingTags.clear();
    this.#position.save(resumeAfterId);
  }
}
