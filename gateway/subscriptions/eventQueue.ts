/** What happens when an event exceeds the limits of a queue (`subscriptions.queue.whenFull`). */
export type OverflowPolicy = 'drop-oldest' | 'close' | 'wait';

export interface EventQueueOptions {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly policy: OverflowPolicy;
}

export interface EventQueueEntry {
  /** Approximate bytes. */
  readonly size: number;
  /** Whether the entry reports missing events instead of being one. Notices do not count towards the limits and are
   *  never dropped. */
  readonly isNotice: boolean;
}

/** A queue of events, limited in number and in bytes, with notices between the events. Of adjacent notices, only
 *  the last one stays. */
export class EventQueue<Entry extends EventQueueEntry> {
  readonly #options: EventQueueOptions;
  readonly #onDropped: () => Entry | undefined;
  #entries: Entry[] = [];
  #eventCount = 0;
  #byteCount = 0;

  /** `onDropped` is called for each dropped event. It returns the notice that replaces the event, if any. */
  constructor(options: EventQueueOptions, onDropped: () => Entry | undefined) {
    this.#options = options;
    this.#onDropped = onDropped;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether the limits are reached, so that the source should pause. */
  get isFull(): boolean {
    return this.#eventCount >= this.#options.maxEvents || this.#byteCount >= this.#options.maxBytes;
  }

  /** Whether there is room for a batch of events, so that the source can resume. */
  get isHalfEmpty(): boolean {
    return this.#eventCount <= this.#options.maxEvents / 2 && this.#byteCount <= this.#options.maxBytes / 2;
  }

  /** Returns false when the limits are exceeded and the policy is `close`. A single event always fits. With `wait` the
   *  queue accepts everything: the source is paused, and few events are still in flight. */
  push(entry: Entry, policy: OverflowPolicy): boolean {
    if (entry.isNotice) {
      if (this.#isNoticeAt(this.#entries.length - 1)) this.#entries.pop();
      this.#entries.push(entry);
      return true;
    }
    this.#entries.push(entry);
    this.#eventCount += 1;
    return this.growNewest(entry.size, policy);
  }

  /** Records that the newest event grew. Returns the same as `push`. */
  growNewest(bytes: number, policy: OverflowPolicy): boolean {
    this.#byteCount += bytes;
    if (policy === 'wait') return true;
    while (this.#eventCount > 1 && this.#isOverLimit) {
      if (policy === 'close') return false;
      this.#dropOldest();
    }
    return true;
  }

  shift(): Entry | undefined {
    const entry = this.#entries.shift();
    if (entry !== undefined) this.#uncount(entry);
    return entry;
  }

  clear(): void {
    this.#entries = [];
    this.#eventCount = 0;
    this.#byteCount = 0;
  }

  get #isOverLimit(): boolean {
    return this.#eventCount > this.#options.maxEvents || this.#byteCount > this.#options.maxBytes;
  }

  #dropOldest(): void {
    const notice = this.#isNoticeAt(0) ? this.#entries.shift() : undefined;
    this.#uncount(this.#entries[0] as Entry);
    const replacement = this.#onDropped();
    const first = notice ?? replacement;
    // Of adjacent notices, the last one stays.
    if (first === undefined || this.#isNoticeAt(1)) this.#entries.shift();
    else this.#entries[0] = first;
  }

  #uncount({ isNotice, size }: Entry): void {
    if (isNotice) return;
    this.#eventCount -= 1;
    this.#byteCount -= size;
  }

  #isNoticeAt(index: number): boolean {
    return this.#entries[index]?.isNotice === true;
  }
}
