import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/executionOutcome.ts';
import { EventQueue, type EventQueueOptions } from './eventQueue.ts';
import { createNotice, droppedEventsError } from './missedEventErrors.ts';
import type { PayloadOrigin, Subscriber } from './sharedSubscription.ts';

/** All payloads of one event, or one notice. A client receives or loses them together. */
interface PayloadBatch {
  readonly origin: PayloadOrigin;
  readonly payloads: SubscriptionPayload[];
  readonly isNotice: boolean;
  size: number;
}

interface SubscriberQueueOptions {
  readonly queue: EventQueueOptions;
  /** Whether a notice replaces dropped events. */
  readonly reportsDroppedEvents: boolean;
  onDropped(): void;
  /** Called at most once, when the client left or was too slow. */
  onEnd(): void;
}

/** The payloads that wait for one client to read them. */
export class SubscriberQueue implements Subscriber {
  readonly #options: SubscriberQueueOptions;
  readonly #queue: EventQueue<PayloadBatch>;
  /** The batch that the client has received in part. It gets the remaining payloads, which may still arrive. */
  #currentBatch: PayloadBatch | undefined;
  #newestBatch: PayloadBatch | undefined;
  #end: { readonly error: GatewayError | undefined } | undefined;
  #wake: (() => void) | undefined;
  readonly #drainWaiters: (() => void)[] = [];
  readonly #roomWaiters: (() => void)[] = [];

  constructor(options: SubscriberQueueOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.queue, () => {
      options.onDropped();
      return options.reportsDroppedEvents ? createDroppedEventsBatch() : undefined;
    });
  }

  onPayload(payload: SubscriptionPayload, origin: PayloadOrigin): void {
    if (this.#end !== undefined) return;
    if (this.#add(payload, origin)) {
      this.#wake?.();
      return;
    }
    this.#queue.clear();
    this.#finish(slowClientError());
    this.#options.onEnd();
  }

  onComplete(): void {
    this.#finish(undefined);
  }

  onError(error: GatewayError): void {
    this.#finish(error);
  }

  waitForDrain(): Promise<void> {
    if (this.#end !== undefined || this.#isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  waitForRoom(): Promise<void> {
    if (this.#end !== undefined || !this.#queue.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** The payloads, in order. `return()` unsubscribes. */
  events(): AsyncIterable<SubscriptionPayload> {
    // Not a generator: `return()` of a waiting generator does not take effect before the wait ends.
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<SubscriptionPayload> = {
      next: async () => {
        for (;;) {
          const payload = this.#shift();
          if (payload !== undefined) {
            if (this.#queue.isHalfEmpty) resolveAll(this.#roomWaiters);
            if (this.#isEmpty) resolveAll(this.#drainWaiters);
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
        this.unsubscribe();
        return done;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  unsubscribe(): void {
    if (this.#end !== undefined) return;
    this.#queue.clear();
    this.#currentBatch = undefined;
    this.#finish(undefined);
    this.#options.onEnd();
  }

  /** Returns false when the queue has no room. */
  #add(payload: SubscriptionPayload, origin: PayloadOrigin): boolean {
    const size = payload.text.length;
    const newest = this.#newestBatch;
    if (newest?.origin !== origin) {
      const { isNotice, overflowPolicy } = origin;
      this.#newestBatch = { origin, payloads: [payload], isNotice, size };
      return this.#queue.push(this.#newestBatch, overflowPolicy);
    }
    newest.payloads.push(payload);
    newest.size += size;
    return newest === this.#currentBatch || this.#queue.growNewest(size, origin.overflowPolicy);
  }

  #shift(): SubscriptionPayload | undefined {
    const continued = this.#currentBatch?.payloads.shift();
    if (continued !== undefined) return continued;
    const next = this.#queue.shift();
    // Without a next batch, the current one stays current: more of its payloads may arrive.
    if (next !== undefined) this.#currentBatch = next;
    return next?.payloads.shift();
  }

  get #isEmpty(): boolean {
    return this.#queue.isEmpty && (this.#currentBatch?.payloads.length ?? 0) === 0;
  }

  #finish(error: GatewayError | undefined): void {
    this.#end ??= { error };
    this.#wake?.();
    resolveAll(this.#roomWaiters);
    resolveAll(this.#drainWaiters);
  }
}

function resolveAll(waiters: (() => void)[]): void {
  for (const resolve of waiters.splice(0)) resolve();
}

function createDroppedEventsBatch(): PayloadBatch {
  const isNotice = true;
  return {
    origin: { overflowPolicy: 'wait', isNotice },
    payloads: [createNotice(droppedEventsError())],
    isNotice,
    size: 0,
  };
}

function slowClientError(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    'This client reads events more slowly than they arrive (subscriptions.queue). Subscribe again, and query the current state.',
  );
}
