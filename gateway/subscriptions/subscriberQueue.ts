import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import { EventQueue, type EventQueueOptions, type OverflowPolicy } from './eventQueue.ts';
import type { Subscriber } from './subscriptionRun.ts';

interface Waiting extends SubscriptionPayload {
  readonly size: number;
}

/** What waits for one client to take it. */
export class SubscriberQueue implements Subscriber {
  readonly #queue: EventQueue<Waiting>;
  readonly #onEnd: () => void;
  #end: { readonly error: GatewayError | undefined } | undefined;
  #wake: (() => void) | undefined;
  readonly #untilTaken: (() => void)[] = [];
  readonly #untilRoom: (() => void)[] = [];

  /** `onEnd`: the client has left, or could not keep up. Called at most once. */
  constructor(options: EventQueueOptions, onEnd: () => void) {
    this.#queue = new EventQueue(options);
    this.#onEnd = onEnd;
  }

  onPayload(payload: SubscriptionPayload, whenFull: OverflowPolicy): void {
    if (this.#end !== undefined) return;
    if (this.#queue.push({ ...payload, size: payload.text.length }, whenFull)) {
      this.#wake?.();
      return;
    }
    this.#queue.clear();
    this.#finish(tooSlow());
    this.#onEnd();
  }

  onComplete(): void {
    this.#finish(undefined);
  }

  onError(error: GatewayError): void {
    this.#finish(error);
  }

  whenTaken(): Promise<void> {
    if (this.#end !== undefined || this.#queue.length === 0) return Promise.resolve();
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
          const payload = this.#queue.shift();
          if (payload !== undefined) {
            if (this.#queue.isHalfEmpty) tell(this.#untilRoom);
            if (this.#queue.length === 0) tell(this.#untilTaken);
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
    this.#finish(undefined);
    this.#onEnd();
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

function tooSlow(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    'This client takes events more slowly than they come. Subscribe again, and read on what was missed by a query.',
  );
}
