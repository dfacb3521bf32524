/** What happens to an event for which there is no room. */
export type OverflowPolicy = 'drop-oldest' | 'close' | 'wait';

export interface EventQueueOptions {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly policy: OverflowPolicy;
}

export interface EventQueueEntry {
  /** Bytes, about. */
  readonly size: number;
  /** It is no event, but says that some may be missing in its place: it needs no room, and is not dropped. */
  readonly isNotice: boolean;
}

/** Events that wait, bounded in number and in bytes, and notices between them: in one place there is one at most. */
export class EventQueue<Entry extends EventQueueEntry> {
  readonly #options: EventQueueOptions;
  readonly #onDropped: () => Entry | undefined;
  #entries: Entry[] = [];
  #eventCount = 0;
  #byteCount = 0;

  /** `onDropped`: an event was dropped. Returns the notice that takes its place, if there is to be one. */
  constructor(options: EventQueueOptions, onDropped: () => Entry | undefined) {
    this.#options = options;
    this.#onDropped = onDropped;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether it has so many that no more should come. */
  get isFull(): boolean {
    return this.#eventCount >= this.#options.maxEvents || this.#byteCount >= this.#options.maxBytes;
  }

  /** Whether there is room again for some that come together. */
  get isHalfEmpty(): boolean {
    return this.#eventCount <= this.#options.maxEvents / 2 && this.#byteCount <= this.#options.maxBytes / 2;
  }

  /** False where there is no room and nothing may be dropped. An event is never too large by itself. With `wait` there
   *  is room: nothing more is read from where events come from, and those that were on their way are few. */
  push(entry: Entry, policy = this.#options.policy): boolean {
    if (entry.isNotice) {
      if (!this.#isNoticeAt(this.#entries.length - 1)) this.#entries.push(entry);
      return true;
    }
    this.#entries.push(entry);
    this.#eventCount += 1;
    return this.growNewest(entry.size, policy);
  }

  /** The last event has become larger. The rest as for `push`. */
  growNewest(bytes: number, policy = this.#options.policy): boolean {
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
    const place = this.#entries.findIndex(({ isNotice }) => !isNotice);
    for (const entry of this.#entries.splice(place, 1)) this.#uncount(entry);
    const notice = this.#onDropped();
    const [isAfterNotice, isBeforeNotice] = [this.#isNoticeAt(place - 1), this.#isNoticeAt(place)];
    if (isAfterNotice && isBeforeNotice) this.#entries.splice(place, 1);
    else if (!isAfterNotice && !isBeforeNotice && notice !== undefined)
      this.#entries.splice(place, 0, notice);
  }

  #uncount({ isNotice, size }: Entry): void {
    if (isNotice) return;
    this.#eventCount -= 1;
    this.#byteCount -= size;
  }

  #isNoticeAt(place: number): boolean {
    return this.#entries[place]?.isNotice === true;
  }
}
