/** What happens to an event for which there is no room. */
export type OverflowPolicy = 'drop-oldest' | 'close' | 'wait';

export interface EventQueueOptions {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly policy: OverflowPolicy;
}

interface Sized {
  readonly size: number;
}

/** Events that wait, bounded in number and in bytes. */
export class EventQueue<Event extends Sized> {
  dropped = 0;
  readonly #options: EventQueueOptions;
  #events: Event[] = [];
  #bytes = 0;

  constructor(options: EventQueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#events.length;
  }

  /** Whether it has so many that no more should come. */
  get isFull(): boolean {
    return this.#events.length >= this.#options.maxEvents || this.#bytes >= this.#options.maxBytes;
  }

  /** Whether there is room again for some that come together. */
  get isHalfEmpty(): boolean {
    return this.#events.length <= this.#options.maxEvents / 2 && this.#bytes <= this.#options.maxBytes / 2;
  }

  /** False where there is no room and nothing may be dropped. An event is never too large by itself. With `wait` there
   *  is room: nothing more is read from where events come from, and those that were on their way are few. */
  push(event: Event, policy = this.#options.policy): boolean {
    this.#events.push(event);
    this.#bytes += event.size;
    if (policy === 'wait') return true;
    while (this.#events.length > 1 && this.#isTooLong) {
      if (policy === 'close') return false;
      this.shift();
      this.dropped += 1;
    }
    return true;
  }

  shift(): Event | undefined {
    const event = this.#events.shift();
    if (event !== undefined) this.#bytes -= event.size;
    return event;
  }

  clear(): void {
    this.#events = [];
    this.#bytes = 0;
  }

  get #isTooLong(): boolean {
    return this.#events.length > this.#options.maxEvents || this.#bytes > this.#options.maxBytes;
  }
}
