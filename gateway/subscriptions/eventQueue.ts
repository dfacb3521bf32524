/** What happens to an event for which there is no room. */
export type OverflowPolicy = 'drop-oldest' | 'close';

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

  /** False where there is no room and nothing may be dropped. An event is never too large by itself. */
  push(event: Event): boolean {
    this.#events.push(event);
    this.#bytes += event.size;
    while (this.#events.length > 1 && this.#isFull) {
      if (this.#options.policy === 'close') return false;
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

  get #isFull(): boolean {
    return this.#events.length > this.#options.maxEvents || this.#bytes > this.#options.maxBytes;
  }
}
