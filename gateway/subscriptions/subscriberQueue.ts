import { type GatewayError, SlowClientError } from '../errors.ts';
import type {
  Broadcast,
  DirectWriter,
  SubscriptionEvents,
  SubscriptionPayload,
} from '../response/subscriptionEvents.ts';
import { EventQueue, type EventQueueOptions } from './eventQueue.ts';
import { createNotice, droppedEventsError } from './missedEventErrors.ts';
import type { PayloadOrigin, Subscriber } from './subscriber.ts';

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
  /** Called for each broadcast. */
  readonly onActivity?: () => void;
  /** Called once, when the subscription has ended for this client. */
  onEnd(): void;
}

/** The payloads that wait for one client to read them. While none waits, a direct writer sends them without this queue. */
export class SubscriberQueue implements Subscriber {
  readonly #options: SubscriberQueueOptions;
  readonly #onActivity: (() => void) | undefined;
  readonly #queue: EventQueue<PayloadBatch>;
  /** The batch that the client has received in part. It gets the remaining payloads, which may still arrive. */
  #currentBatch: PayloadBatch | undefined;
  #newestBatch: PayloadBatch | undefined;
  #end: { readonly error: GatewayError | undefined } | undefined;
  /** Set while the reader waits for a payload, so that nothing is queued. */
  #wake: (() => void) | undefined;
  #directWriter: DirectWriter | undefined;
  /** Where the last payload came from that was sent directly. Its event may have more. */
  #directOrigin: PayloadOrigin | undefined;
  readonly #drainWaiters: (() => void)[] = [];
  readonly #roomWaiters: (() => void)[] = [];

  constructor(options: SubscriberQueueOptions) {
    this.#options = options;
    this.#onActivity = options.onActivity;
    this.#queue = new EventQueue(options.queue, () => {
      options.onDropped();
      return options.reportsDroppedEvents ? createDroppedEventsBatch() : undefined;
    });
  }

  onBroadcast(broadcast: Broadcast, origins: readonly PayloadOrigin[]): void {
    if (this.#end !== undefined) return;
    this.#onActivity?.();
    if (this.#wake !== undefined && this.#directWriter?.write(broadcast) === true) {
      this.#directOrigin = origins[origins.length - 1];
      return;
    }
    for (const [index, payload] of broadcast.payloads.entries()) {
      if (this.#add(payload, origins[index] as PayloadOrigin)) continue;
      this.#queue.clear();
      this.#finish(new SlowClientError());
      return;
    }
    this.#wakeReader();
  }

  onComplete(): void {
    this.#finish(undefined);
  }

  onError(error: GatewayError): void {
    this.#finish(error);
  }

  get isSlow(): boolean {
    return this.#end === undefined && !this.#queue.isHalfEmpty;
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
  events(): SubscriptionEvents {
    // Not a generator: `return()` of a waiting generator does not take effect before the wait ends.
    const done = { done: true, value: undefined } as const;
    const iterator: AsyncIterableIterator<SubscriptionPayload> & SubscriptionEvents = {
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
        }
      },
      return: async () => {
        this.unsubscribe();
        return done;
      },
      setDirectWriter: (writer) => {
        this.#directWriter = writer;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  unsubscribe(): void {
    this.#queue.clear();
    this.#currentBatch = undefined;
    this.#finish(undefined);
  }

  /** Returns false when the queue has no room. */
  #add(payload: SubscriptionPayload, origin: PayloadOrigin): boolean {
    const size = payload.text.length;
    const newest = this.#newestBatch;
    if (newest?.origin !== origin) {
      const { isNotice, overflowPolicy } = origin;
      const batch: PayloadBatch = { origin, payloads: [payload], isNotice, size };
      this.#newestBatch = batch;
      if (origin !== this.#directOrigin) return this.#queue.push(batch, overflowPolicy);
      this.#currentBatch = batch;
      return true;
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

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #finish(error: GatewayError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#wakeReader();
    resolveAll(this.#roomWaiters);
    resolveAll(this.#drainWaiters);
    this.#options.onEnd();
  }
}

function resolveAll(waiters: (() => void)[]): void {
  for (const resolve of waiters.splice(0)) resolve();
}

function createDroppedEventsBatch(): PayloadBatch {
  const isNotice = true;
  return {
    origin: { overflowPolicy: 'wait', isNotice },
    payloads: [createNotice(droppedEventsError)],
    isNotice,
    size: 0,
  };
}
