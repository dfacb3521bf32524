import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import { EventQueue, type EventQueueOptions } from './eventQueue.ts';
import { eventsDropped, noticeOf } from './missedEvents.ts';
import type { Sent, Subscriber } from './subscriptionRun.ts';

/** What came of one event, or tells of one: it is taken as a whole, or dropped as a whole. */
interface Unit {
  readonly sent: Sent;
  readonly payloads: SubscriptionPayload[];
  readonly isNotice: boolean;
  size: number;
}

export interface SubscriberQueueOptions {
  readonly queue: EventQueueOptions;
  /** Whether the client is told in the place of events that were dropped. */
  readonly tellsDropped: boolean;
  onDropped(): void;
  /** The client has left, or could not keep up. Called at most once. */
  onEnd(): void;
}

/** What waits for one client to take it. */
export class SubscriberQueue implements Subscriber {
  readonly #options: SubscriberQueueOptions;
  readonly #queue: EventQueue<Unit>;
  /** The client has some of it and gets the rest, which may still come. */
  #begun: Unit | undefined;
  #newest: Unit | undefined;
  #end: { readonly error: GatewayError | undefined } | undefined;
  #wake: (() => void) | undefined;
  readonly #untilTaken: (() => void)[] = [];
  readonly #untilRoom: (() => void)[] = [];

  constructor(options: SubscriberQueueOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.queue, () => {
      options.onDropped();
      return options.tellsDropped ? droppedUnit() : undefined;
    });
  }

  onPayload(payload: SubscriptionPayload, sent: Sent): void {
    if (this.#end !== undefined) return;
    if (this.#add(payload, sent)) {
      this.#wake?.();
      return;
    }
    this.#queue.clear();
    this.#finish(tooSlow());
    this.#options.onEnd();
  }

  onComplete(): void {
    this.#finish(undefined);
  }

  onError(error: GatewayError): void {
    this.#finish(error);
  }

  whenTaken(): Promise<void> {
    if (this.#end !== undefined || this.#isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#untilTaken.push(resolve));
  }

  whenRoom(): Promise<void> {
    if (this.#end !== undefined || !this.#queue.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#untilRoom.push(resolve));
  }

  /** The payloads, as they are taken. */
  events(): AsyncIterable<SubscriptionPayload> {
    // Not a generator: `return()` of a generator that waits is itself put off until the wait is over.
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<SubscriptionPayload> = {
      next: async () => {
        for (;;) {
          const payload = this.#shift();
          if (payload !== undefined) {
            if (this.#queue.isHalfEmpty) tell(this.#untilRoom);
            if (this.#isEmpty) tell(this.#untilTaken);
            return { done: false, value: payload };
          }
          if (this.#end?.error !== undefined) throw this.#end.error;
          if (this.#end !== undefined) return done;
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      },
      return: async () => {
        this.leave();
        return done;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  leave(): void {
    if (this.#end !== undefined) return;
    this.#queue.clear();
    this.#begun = undefined;
    this.#finish(undefined);
    this.#options.onEnd();
  }

  /** False where there is no room for it. */
  #add(payload: SubscriptionPayload, sent: Sent): boolean {
    const size = payload.text.length;
    const newest = this.#newest;
    if (newest?.sent !== sent) {
      const { isNotice, whenFull } = sent;
      this.#newest = { sent, payloads: [payload], isNotice, size };
      return this.#queue.push(this.#newest, whenFull);
    }
    newest.payloads.push(payload);
    newest.size += size;
    return newest === this.#begun || this.#queue.grow(size, sent.whenFull);
  }

  #shift(): SubscriptionPayload | undefined {
    const rest = this.#begun?.payloads.shift();
    if (rest !== undefined) return rest;
    const next = this.#queue.shift();
    // What was begun before may have more to come where there is no other.
    if (next !== undefined) this.#begun = next;
    return next?.payloads.shift();
  }

  get #isEmpty(): boolean {
    return this.#queue.isEmpty && (this.#begun?.payloads.length ?? 0) === 0;
  }

  #finish(error: GatewayError | undefined): void {
    this.#end ??= { error };
    this.#wake?.();
    tell(this.#untilRoom);
    tell(this.#untilTaken);
  }
}

function tell(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}

function droppedUnit(): Unit {
  const isNotice = true;
  return { sent: { whenFull: 'wait', isNotice }, payloads: [noticeOf(eventsDropped())], isNotice, size: 0 };
}

function tooSlow(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    'This client takes events more slowly than they come. Subscribe again, and read on what was missed by a query.',
  );
}
