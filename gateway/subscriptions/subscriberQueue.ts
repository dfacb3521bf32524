import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/executionOutcome.ts';
import { EventQueue, type EventQueueOptions } from './eventQueue.ts';
import { createNotice, droppedEventsError } from './missedEventErrors.ts';
import type { PayloadOrigin, Subscriber } from './sharedSubscription.ts';

/** What came of one event, or tells of one: it is taken as a whole, or dropped as a whole. */
interface PayloadBatch {
  readonly origin: PayloadOrigin;
  readonly payloads: SubscriptionPayload[];
  readonly isNotice: boolean;
  size: number;
}

interface SubscriberQueueOptions {
  readonly queue: EventQueueOptions;
  /** Whether the client is told in the place of events that were dropped. */
  readonly reportsDroppedEvents: boolean;
  onDropped(): void;
  /** The client has left, or could not keep up. Called at most once. */
  onEnd(): void;
}

/** What waits for one client to take it. */
export class SubscriberQueue implements Subscriber {
  readonly #options: SubscriberQueueOptions;
  readonly #queue: EventQueue<PayloadBatch>;
  /** The client has some of it and gets the rest, which may still come. */
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

  onPayload(payload: SubscriptionPayload, sent: PayloadOrigin): void {
    if (this.#end !== undefined) return;
    if (this.#add(payload, sent)) {
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

  /** The payloads, as they are taken. */
  events(): AsyncIterable<SubscriptionPayload> {
    // Not a generator: `return()` of a generator that waits is itself put off until the wait is over.
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

  /** False where there is no room for it. */
  #add(payload: SubscriptionPayload, sent: PayloadOrigin): boolean {
    const size = payload.text.length;
    const newest = this.#newestBatch;
    if (newest?.origin !== sent) {
      const { isNotice, overflowPolicy } = sent;
      this.#newestBatch = { origin: sent, payloads: [payload], isNotice, size };
      return this.#queue.push(this.#newestBatch, overflowPolicy);
    }
    newest.payloads.push(payload);
    newest.size += size;
    return newest === this.#currentBatch || this.#queue.growNewest(size, sent.overflowPolicy);
  }

  #shift(): SubscriptionPayload | undefined {
    const rest = this.#currentBatch?.payloads.shift();
    if (rest !== undefined) return rest;
    const next = this.#queue.shift();
    // What was begun before may have more to come where there is no other.
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

function resolveAll(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
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
    'This client takes events more slowly than they come. Subscribe again, and read on what was missed by a query.',
  );
}
