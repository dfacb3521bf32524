import { GatewayError } from '../errors.ts';
import { cursorExtension } from '../response/cursorExtension.ts';
import type { SubscriptionPayload } from '../response/executionOutcome.ts';
import {
  EventQueue,
  type EventQueueEntry,
  type EventQueueOptions,
  type OverflowPolicy,
} from './eventQueue.ts';
import { createNotice, droppedEventsError, resubscribedError } from './missedEventErrors.ts';
import type { SourceEvent } from './sources/subscriptionSource.ts';
import { type EventFeed, UpstreamSubscription } from './upstreamSubscription.ts';

/** What payloads are of: those of one event have the same one. */
export interface PayloadOrigin {
  /** What becomes of it where many wait already. */
  readonly overflowPolicy: OverflowPolicy;
  /** It says that events may be missing. */
  readonly isNotice: boolean;
}

/** Whoever gets what comes of a subscription. Nothing is called after an end, nor after it left. */
export interface Subscriber {
  onPayload(payload: SubscriptionPayload, sent: PayloadOrigin): void;
  /** Resolves when there is room for more payloads. */
  waitForRoom(): Promise<void>;
  /** Resolves when no payload waits to be taken any more. */
  waitForDrain(): Promise<void>;
  onComplete(): void;
  onError(error: GatewayError): void;
}

interface SharedSubscriptionOptions {
  readonly queue: EventQueueOptions;
  /** Whether clients are told that events may be missing. */
  readonly reportsInterruptions: boolean;
  /** Its first events are from the past. */
  readonly isBehind: boolean;
  /** An event was dropped, since more wait than may. */
  onDropped(): void;
  /** Past events are over: from now on it gets the same as equal ones. */
  onCaughtUp(): void;
  /** All events that have come were sent. */
  onIdle(): void;
  /** What clients are told of an error with which the subgraph's subscription has ended. */
  toClientError(error: GatewayError): GatewayError;
  /** Nobody listens any more, or there is nothing more to listen to. Called once. */
  onEnd(): void;
}

/** An event that waits, and what completes it; or an error in the place of some. */
type QueuedEvent = EventQueueEntry &
  (
    | { readonly isNotice: false; readonly event: SourceEvent; readonly feed: EventFeed }
    | { readonly isNotice: true; readonly failure: GatewayError }
  );

/** One subscription at a subgraph, and those who listen to it. Its events are completed one after the other, and each
 *  is sent to all. */
export class SharedSubscription {
  readonly #options: SharedSubscriptionOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #queue: EventQueue<QueuedEvent>;
  readonly #upstream: UpstreamSubscription;
  readonly #abortController = new AbortController();
  #isProcessing = false;
  #isEnded = false;
  /** How it ends once the events that wait have been sent. */
  #finalNotification: ((subscriber: Subscriber) => void) | undefined;
  #mergedInto: SharedSubscription | undefined;

  constructor(options: SharedSubscriptionOptions) {
    this.#options = options;
    this.#queue = new EventQueue<QueuedEvent>(options.queue, () => {
      options.onDropped();
      return options.reportsInterruptions ? toQueuedNotice(droppedEventsError()) : undefined;
    });
    this.#upstream = new UpstreamSubscription({
      isBehind: options.isBehind,
      onEvent: (event, feed) => this.#enqueue(toQueuedEvent(event, feed)),
      onCaughtUp: () => options.onCaughtUp(),
      onReplaced: () => this.#enqueueNotice(resubscribedError()),
      onInterrupted: (cause) => this.#enqueueNotice(cause),
      onComplete: () => this.#endAfterEvents((subscriber) => subscriber.onComplete()),
      onError: (error) => {
        const told = options.toClientError(error);
        this.#endAfterEvents((subscriber) => subscriber.onError(told));
      },
    });
  }

  start(feed: EventFeed): void {
    this.#upstream.start(feed);
  }

  /** Subscribes at the subgraph anew; events that wait are still completed by what they were asked with. */
  resubscribe(feed: EventFeed): void {
    if (!this.#isEnded && this.#finalNotification === undefined) this.#upstream.replace(feed);
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  /** Returns what ends it for this subscriber; the last one ends it for the subgraph, at once. */
  join(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#leave(subscriber);
  }

  /** Everything that has happened so far was sent, and more may come. */
  get isIdle(): boolean {
    return (
      this.#upstream.isLive && !this.#isProcessing && !this.#isEnded && this.#finalNotification === undefined
    );
  }

  /** Its subscribers get what comes of another one from now on, and this one ends. */
  mergeInto(other: SharedSubscription): void {
    this.#mergedInto = other;
    for (const subscriber of this.#subscribers) other.join(subscriber);
    this.#subscribers.clear();
    this.#end();
  }

  #leave(subscriber: Subscriber): void {
    if (this.#mergedInto !== undefined) this.#mergedInto.#leave(subscriber);
    else if (this.#subscribers.delete(subscriber) && this.#subscribers.size === 0) this.#end();
  }

  /** Ends it for everybody. */
  fail(error: GatewayError): void {
    this.#finish((subscriber) => subscriber.onError(error));
  }

  #enqueue(waiting: QueuedEvent): void {
    if (this.#isEnded) return;
    if (!this.#queue.push(waiting, this.#overflowPolicy)) {
      this.fail(slowCompletionError());
      return;
    }
    if (this.#overflowPolicy === 'wait' && this.#queue.isFull) this.#upstream.pause();
    if (!this.#isProcessing) void this.#processQueue();
  }

  /** Clients are told at the place where it happened. */
  #enqueueNotice(failure: GatewayError): void {
    if (this.#options.reportsInterruptions) this.#enqueue(toQueuedNotice(failure));
  }

  /** A source that cannot be stopped would fill the memory. */
  get #overflowPolicy(): OverflowPolicy {
    const { policy } = this.#options.queue;
    return policy === 'wait' && !this.#upstream.isPausable ? 'close' : policy;
  }

  #resumeIfRoom(): void {
    if (this.#upstream.isPaused && this.#queue.isHalfEmpty) this.#upstream.resume();
  }

  async #processQueue(): Promise<void> {
    this.#isProcessing = true;
    for (let waiting = this.#queue.shift(); waiting !== undefined; waiting = this.#queue.shift()) {
      if (this.#overflowPolicy === 'wait') {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.waitForRoom()));
        if (this.#isEnded) return;
        this.#resumeIfRoom();
      }
      if (waiting.isNotice) this.#sendNotice(waiting.failure);
      else await this.#complete(waiting.event, waiting.feed);
      if (this.#isEnded) return;
      const onTaken = waiting.isNotice ? undefined : waiting.event.onConsumed;
      if (onTaken !== undefined) {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.waitForDrain()));
        if (this.#isEnded) return;
        onTaken();
      }
    }
    this.#isProcessing = false;
    if (this.#finalNotification !== undefined) this.#finish(this.#finalNotification);
    else this.#options.onIdle();
  }

  async #complete(event: SourceEvent, feed: EventFeed): Promise<void> {
    const send = this.#createSender(false);
    try {
      for await (const payload of feed.complete(event, this.#abortController.signal)) send(payload);
    } catch (error) {
      if (this.#isEnded) return;
      const failure =
        error instanceof GatewayError
          ? error
          : new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: error });
      send(createFailurePayload(event, failure));
    }
  }

  #sendNotice(failure: GatewayError): void {
    this.#createSender(true)(createNotice(failure));
  }

  /** Sends what belongs together, to those who are there from its beginning. */
  #createSender(isNotice: boolean): (payload: SubscriptionPayload) => void {
    const sent: PayloadOrigin = { overflowPolicy: this.#overflowPolicy, isNotice };
    const subscribers = [...this.#subscribers];
    return (payload) => {
      for (const subscriber of subscribers) {
        if (this.#subscribers.has(subscriber)) subscriber.onPayload(payload, sent);
      }
    };
  }

  #endAfterEvents(last: (subscriber: Subscriber) => void): void {
    this.#finalNotification ??= last;
    if (!this.#isProcessing) this.#finish(this.#finalNotification);
  }

  #finish(last: (subscriber: Subscriber) => void): void {
    if (this.#isEnded) return;
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    this.#end();
    for (const subscriber of subscribers) last(subscriber);
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#queue.clear();
    this.#abortController.abort(
      new GatewayError('REQUEST_ABORTED', 'Nobody listens to this subscription any more.'),
    );
    this.#upstream.cancel();
    this.#options.onEnd();
  }
}

function toQueuedEvent(event: SourceEvent, feed: EventFeed): QueuedEvent {
  const { failure, size } = event;
  return failure === undefined ? { isNotice: false, event, feed, size } : toQueuedNotice(failure);
}

function toQueuedNotice(failure: GatewayError): QueuedEvent {
  return { isNotice: true, failure, size: 0 };
}

function createFailurePayload({ cursor }: SourceEvent, failure: GatewayError): SubscriptionPayload {
  const extensions = cursor === undefined ? undefined : cursorExtension(cursor);
  return { text: JSON.stringify({ data: null, errors: [failure.toFormatted()], extensions }), cursor };
}

function slowCompletionError(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    'Events come faster than they can be completed. Subscribe again, or select fields that take less time.',
  );
}
