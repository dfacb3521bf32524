import { GatewayError } from '../errors.ts';
import { cursorExtension } from '../response/cursorExtension.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';
import { waitForTurn } from '../time/eventLoopTurn.ts';
import type { Timers } from '../time/timers.ts';
import {
  EventQueue,
  type EventQueueEntry,
  type EventQueueOptions,
  type OverflowPolicy,
} from './eventQueue.ts';
import { FanOut } from './fanOut.ts';
import {
  createNotice,
  droppedEventsError,
  endOfInterruptionError,
  resubscribedError,
} from './missedEventErrors.ts';
import type { SourceEvent } from './sources/subscriptionSource.ts';
import type { PayloadOrigin, Subscriber } from './subscriber.ts';
import { type EventFeed, type SubscribeRetryLimits, UpstreamSubscription } from './upstreamSubscription.ts';

interface SharedSubscriptionOptions {
  readonly queue: EventQueueOptions;
  /** `subscriptions.interruptions: reported`: clients get a notice where events may be missing. */
  readonly reportsInterruptions: boolean;
  /** Whether the source first replays past events. */
  readonly isBehind: boolean;
  readonly retryLimits: SubscribeRetryLimits;
  readonly timers: Timers;
  /** Called for each event that was dropped because the queue was full. */
  onDropped(): void;
  /** Called when the source has replayed all past events. From now on this subscription gets the same events as equal
   *  ones. */
  onCaughtUp(): void;
  /** Called when all events that have arrived were sent. */
  onIdle(): void;
  /** A subscriber reads replayed events much slower than others, and was removed. It has received the latest event. */
  onSlowSubscriber(subscriber: Subscriber): void;
  /** The error that clients see when the subscription at the subgraph failed. */
  toClientError(error: GatewayError): GatewayError;
  /** The same when it was interrupted. Called also without `reportsInterruptions`. */
  toClientInterruption(error: GatewayError): GatewayError;
  /** Called when an attempt of `resubscribe` has failed, and another one follows. */
  onResubscribeFailed(error: GatewayError): void;
  /** Reports a fault of the gateway, and returns the error that clients see instead of an event. */
  toInternalError(cause: unknown): GatewayError;
  /** Called once, when the last subscriber left or the source ended. */
  onEnd(): void;
}

/** A queued event with the feed that completes it. */
interface QueuedSourceEvent extends EventQueueEntry {
  readonly isNotice: false;
  readonly event: SourceEvent;
  readonly feed: EventFeed;
}

type QueuedEvent =
  | QueuedSourceEvent
  | (EventQueueEntry & { readonly isNotice: true; readonly failure: GatewayError });

type State =
  | { readonly kind: 'open' }
  /** The source has ended. `notify` tells a subscriber so, after all queued events were sent. */
  | { readonly kind: 'draining'; readonly notify: (subscriber: Subscriber) => void }
  | { readonly kind: 'ended' };

/** The present subscription of each subscriber, which may move to another one. The function with which it leaves does not
 *  keep its first one: that would keep a replaced supergraph in memory. */
const sharedBySubscriber = new WeakMap<Subscriber, SharedSubscription>();

/** One subscription at a subgraph or topic with all its subscribers. Events are completed one after the other, and the
 *  payloads of each are sent to every subscriber. The next event is completed while a payload is being sent. */
export class SharedSubscription {
  readonly #options: SharedSubscriptionOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #fanOut = new FanOut(this.#subscribers, () => this.#settle());
  readonly #queue: EventQueue<QueuedEvent>;
  readonly #upstream: UpstreamSubscription;
  readonly #abortController = new AbortController();
  #isCompleting = false;
  #state: State = { kind: 'open' };

  constructor(options: SharedSubscriptionOptions) {
    this.#options = options;
    this.#queue = new EventQueue<QueuedEvent>(options.queue, () => {
      options.onDropped();
      return options.reportsInterruptions ? toQueuedNotice(droppedEventsError) : undefined;
    });
    this.#upstream = new UpstreamSubscription({
      isBehind: options.isBehind,
      retryLimits: options.retryLimits,
      timers: options.timers,
      onEvent: (event, feed) => this.#enqueue(toQueuedEvent(event, feed)),
      onCaughtUp: () => options.onCaughtUp(),
      onReplaced: () => this.#enqueueNotice(resubscribedError),
      onReplacementFailed: (cause) => options.onResubscribeFailed(cause),
      onInterrupted: (cause) => this.#enqueueNotice(options.toClientInterruption(cause)),
      onResubscribed: () => this.#enqueueNotice(endOfInterruptionError),
      onComplete: () => this.#endAfterEvents((subscriber) => subscriber.onComplete()),
      onError: (error) => {
        const clientError = options.toClientError(error);
        this.#endAfterEvents((subscriber) => subscriber.onError(clientError));
      },
    });
  }

  start(feed: EventFeed): void {
    this.#upstream.start(feed);
  }

  /** Subscribes at the subgraph again. While it is unavailable, the subscription continues as before. Queued events are
   *  still completed by the feed that they arrived with. */
  resubscribe(feed: EventFeed): void {
    if (this.isOpen) this.#upstream.replace(feed);
  }

  /** The operation changed, but not its text for the subgraph. */
  notifyOperationChanged(): void {
    this.#upstream.notifyOperationChanged();
  }

  /** Whether more events may arrive. */
  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  get subscribers(): ReadonlySet<Subscriber> {
    return this.#subscribers;
  }

  /** Returns a function that removes the subscriber. When the last one leaves, the subscription at the subgraph ends at
   *  once. */
  join(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    sharedBySubscriber.set(subscriber, this);
    return () => (sharedBySubscriber.get(subscriber) as SharedSubscription).#leave(subscriber);
  }

  /** Whether everything that arrived was sent, and the source is live. Not meant for a subscription that has ended. */
  get isIdle(): boolean {
    return this.#upstream.isLive && !this.#isProcessing;
  }

  get #isProcessing(): boolean {
    return this.#isCompleting || !this.#fanOut.isIdle;
  }

  /** Moves all subscribers to an equal subscription, and ends this one. */
  mergeInto(target: SharedSubscription): void {
    for (const subscriber of this.#subscribers) target.join(subscriber);
    this.#subscribers.clear();
    this.#end();
  }

  #leave(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    this.#fanOut.notifyLeft();
    if (this.#subscribers.size === 0) this.#end();
  }

  /** Ends the subscription with an error for all subscribers. */
  fail(error: GatewayError): void {
    this.#finish((subscriber) => subscriber.onError(error));
  }

  #enqueue(queued: QueuedEvent): void {
    const policy = this.#completionPolicy;
    if (!this.#queue.push(queued, policy)) {
      this.fail(slowCompletionError());
      return;
    }
    if (policy === 'wait' && this.#queue.isFull) this.#upstream.pause();
    if (!this.#isCompleting) void this.#processQueue();
  }

  /** The notice has a position among the events, so that clients see where events may be missing. */
  #enqueueNotice(failure: GatewayError): void {
    if (this.#options.reportsInterruptions) this.#enqueue(toQueuedNotice(failure));
  }

  /** `wait` needs a source that can be paused: any other would fill the memory. */
  get #overflowPolicy(): OverflowPolicy {
    const { policy } = this.#options.queue;
    return policy === 'wait' && !this.#upstream.isPausable ? 'close' : policy;
  }

  /** What happens when too many events wait for completion. A subgraph that waits for the response to each event is slowed
   *  down also with `close`, which would end the subscription for all clients, however fast they read. */
  get #completionPolicy(): OverflowPolicy {
    const policy = this.#overflowPolicy;
    return policy === 'close' && this.#upstream.acknowledgesEvents ? 'wait' : policy;
  }

  /** A subgraph that waits for a response gets it when one event fits: after a timeout, it may send the event again. Other
   *  sources resume for a batch. */
  get #hasRoom(): boolean {
    return this.#upstream.acknowledgesEvents ? !this.#queue.isFull : this.#queue.isHalfEmpty;
  }

  async #processQueue(): Promise<void> {
    this.#isCompleting = true;
    for (let queued = this.#queue.shift(); queued !== undefined; queued = this.#queue.shift()) {
      if (this.#isSentBeforeNext(queued)) await this.#fanOut.waitUntilIdle();
      if (this.#overflowPolicy === 'wait')
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.waitForRoom()));
      if (this.#upstream.isPaused && this.#hasRoom) this.#upstream.resume();
      const turn = waitForTurn();
      if (turn !== undefined) await turn;
      if (this.#isEnded) return;
      if (queued.isNotice) await this.#createSender(queued)(createNotice(queued.failure));
      else await this.#complete(queued);
      if (this.#isEnded) return;
      if (queued.isNotice || queued.event.onConsumed === undefined) continue;
      await this.#waitForReaders();
      if (this.#isEnded) return;
      this.#removeSlowSubscribers();
      queued.event.onConsumed();
    }
    this.#isCompleting = false;
    this.#settle();
  }

  /** Replayed events are sent as fast as the fastest client reads; with `wait`, as fast as the slowest one. */
  async #waitForReaders(): Promise<void> {
    const reads = [...this.#subscribers].map((subscriber) => subscriber.waitForDrain());
    await (this.#overflowPolicy === 'wait' ? Promise.all(reads) : Promise.race(reads));
  }

  /** The last subscriber stays. */
  #removeSlowSubscribers(): void {
    for (const subscriber of [...this.#subscribers]) {
      if (!subscriber.isSlow || this.#subscribers.size === 1) continue;
      this.#subscribers.delete(subscriber);
      this.#fanOut.notifyLeft();
      this.#options.onSlowSubscriber(subscriber);
    }
  }

  /** Whether an event is sent to all subscribers before the next one is completed: for sources that wait for clients, and
   *  for payloads that belong together. */
  #isSentBeforeNext(queued: QueuedEvent): boolean {
    if (this.#overflowPolicy === 'wait') return true;
    return !queued.isNotice && (queued.event.onConsumed !== undefined || queued.feed.hasDeferredPayloads());
  }

  async #complete(queued: QueuedSourceEvent): Promise<void> {
    const { event, feed } = queued;
    const send = this.#createSender(queued);
    try {
      for await (const payload of feed.complete(event, this.#abortController.signal)) {
        // Most subscriptions have few subscribers, and nothing to wait for.
        const rest = send(payload);
        if (rest !== undefined) await rest;
      }
    } catch (error) {
      if (this.#isEnded) return;
      const failure = error instanceof GatewayError ? error : this.#options.toInternalError(error);
      await send(createFailurePayload(event, failure));
    }
  }

  /** Sends payloads with one origin. Payloads that belong together are sent to the subscribers that are present before the
   *  first of them. The promise resolves when the next payload can be sent; `undefined` for at once. */
  #createSender(queued: QueuedEvent): (payload: SubscriptionPayload) => Promise<void> | undefined {
    const { isNotice } = queued;
    // Subscribers that read replayed events too slowly are removed instead.
    const isReplayed = !isNotice && queued.event.onConsumed !== undefined;
    const overflowPolicy = isReplayed ? 'wait' : this.#overflowPolicy;
    const origin: PayloadOrigin = { overflowPolicy, isNotice };
    if (!this.#isSentBeforeNext(queued)) return (payload) => this.#fanOut.add(payload, origin);
    const recipients = this.#fanOut.listRecipients();
    return (payload) => this.#fanOut.sendTo(recipients, payload, origin);
  }

  /** Called when events may have been sent. */
  #settle(): void {
    if (this.#isProcessing || this.#isEnded) return;
    if (this.#state.kind === 'draining') this.#finish(this.#state.notify);
    else this.#options.onIdle();
  }

  #endAfterEvents(notify: (subscriber: Subscriber) => void): void {
    if (!this.isOpen) return;
    if (this.#isProcessing) this.#state = { kind: 'draining', notify };
    else this.#finish(notify);
  }

  #finish(notify: (subscriber: Subscriber) => void): void {
    if (this.#isEnded) return;
    const subscribers = [...this.#subscribers];
    this.#subscribers.clear();
    this.#fanOut.notifyLeft();
    this.#end();
    for (const subscriber of subscribers) notify(subscriber);
  }

  get #isEnded(): boolean {
    return this.#state.kind === 'ended';
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#state = { kind: 'ended' };
    this.#queue.clear();
    this.#abortController.abort(new GatewayError('REQUEST_ABORTED', 'The subscription has ended.'));
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
    'Events arrive faster than the gateway can complete them (subscriptions.queue). Subscribe again, or select fields that take less time.',
  );
}
