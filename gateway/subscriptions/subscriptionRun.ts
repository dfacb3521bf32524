import { GatewayError } from '../errors.ts';
import { cursorExtension } from '../response/cursorExtension.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import { EventQueue, type EventQueueOptions, type OverflowPolicy, type Queued } from './eventQueue.ts';
import { askedAnew, eventsDropped, noticeOf } from './missedEvents.ts';
import { type Feed, RunSource } from './runSource.ts';
import type { SourceEvent } from './sources/subscriptionSource.ts';

/** What payloads are of: those of one event have the same one. */
export interface Sent {
  /** What becomes of it where many wait already. */
  readonly whenFull: OverflowPolicy;
  /** It says that events may be missing. */
  readonly isNotice: boolean;
}

/** Whoever gets what comes of a subscription. Nothing is called after an end, nor after it left. */
export interface Subscriber {
  onPayload(payload: SubscriptionPayload, sent: Sent): void;
  /** Resolves when there is room for more payloads. */
  whenRoom(): Promise<void>;
  /** Resolves when no payload waits to be taken any more. */
  whenTaken(): Promise<void>;
  onComplete(): void;
  onError(error: GatewayError): void;
}

export interface SubscriptionRunOptions {
  readonly queue: EventQueueOptions;
  /** Whether clients are told that events may be missing. */
  readonly tellsInterruptions: boolean;
  /** Its first events are from the past. */
  readonly isBehind: boolean;
  /** An event was dropped, since more wait than may. */
  onDropped(): void;
  /** Past events are over: from now on it gets the same as equal ones. */
  onCaughtUp(): void;
  /** All events that have come were sent. */
  onIdle(): void;
  /** What clients are told of an error with which the subgraph's subscription has ended. */
  tellError(error: GatewayError): GatewayError;
  /** Nobody listens any more, or there is nothing more to listen to. Called once. */
  onEnd(): void;
}

/** An event that waits, and what completes it; or an error in the place of some. */
type Waiting = Queued &
  (
    | { readonly isNotice: false; readonly event: SourceEvent; readonly feed: Feed }
    | { readonly isNotice: true; readonly failure: GatewayError }
  );

/** One subscription at a subgraph, and those who listen to it. Its events are completed one after the other, and each
 *  is sent to all. */
export class SubscriptionRun {
  readonly #options: SubscriptionRunOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #queue: EventQueue<Waiting>;
  readonly #source: RunSource;
  readonly #stop = new AbortController();
  #isBusy = false;
  #isEnded = false;
  /** How it ends once the events that wait have been sent. */
  #last: ((subscriber: Subscriber) => void) | undefined;
  #movedTo: SubscriptionRun | undefined;

  constructor(options: SubscriptionRunOptions) {
    this.#options = options;
    this.#queue = new EventQueue<Waiting>(options.queue, () => {
      options.onDropped();
      return options.tellsInterruptions ? noticed(eventsDropped()) : undefined;
    });
    this.#source = new RunSource({
      isBehind: options.isBehind,
      onEvent: (event, feed) => this.#take(waiting(event, feed)),
      onCaughtUp: () => options.onCaughtUp(),
      onReplaced: () => this.#mayMiss(askedAnew()),
      onInterrupted: (cause) => this.#mayMiss(cause),
      onComplete: () => this.#endAfterEvents((subscriber) => subscriber.onComplete()),
      onError: (error) => {
        const told = options.tellError(error);
        this.#endAfterEvents((subscriber) => subscriber.onError(told));
      },
    });
  }

  start(feed: Feed): void {
    this.#source.start(feed);
  }

  /** Subscribes at the subgraph anew; events that wait are still completed by what they were asked with. */
  resubscribe(feed: Feed): void {
    if (!this.#isEnded && this.#last === undefined) this.#source.replace(feed);
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Returns what ends it for this subscriber; the last one ends it for the subgraph, at once. */
  join(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#leave(subscriber);
  }

  /** Everything that has happened so far was sent, and more may come. */
  get isIdle(): boolean {
    return this.#source.isLive && !this.#isBusy && !this.#isEnded && this.#last === undefined;
  }

  /** Its subscribers get what comes of another one from now on, and this one ends. */
  moveTo(other: SubscriptionRun): void {
    this.#movedTo = other;
    for (const subscriber of this.#subscribers) other.join(subscriber);
    this.#subscribers.clear();
    this.#end();
  }

  #leave(subscriber: Subscriber): void {
    if (this.#movedTo !== undefined) this.#movedTo.#leave(subscriber);
    else if (this.#subscribers.delete(subscriber) && this.#subscribers.size === 0) this.#end();
  }

  /** Ends it for everybody. */
  fail(error: GatewayError): void {
    this.#finish((subscriber) => subscriber.onError(error));
  }

  #take(waiting: Waiting): void {
    if (this.#isEnded) return;
    if (!this.#queue.push(waiting, this.#whenFull)) {
      this.fail(tooSlow());
      return;
    }
    if (this.#whenFull === 'wait' && this.#queue.isFull) this.#source.pause();
    if (!this.#isBusy) void this.#work();
  }

  /** Clients are told at the place where it happened. */
  #mayMiss(failure: GatewayError): void {
    if (this.#options.tellsInterruptions) this.#take(noticed(failure));
  }

  /** A source that cannot be stopped would fill the memory. */
  get #whenFull(): OverflowPolicy {
    const { policy } = this.#options.queue;
    return policy === 'wait' && !this.#source.hasFlow ? 'close' : policy;
  }

  #resumeIfRoom(): void {
    if (this.#source.isPaused && this.#queue.isHalfEmpty) this.#source.resume();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let waiting = this.#queue.shift(); waiting !== undefined; waiting = this.#queue.shift()) {
      if (this.#whenFull === 'wait') {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.whenRoom()));
        if (this.#isEnded) return;
        this.#resumeIfRoom();
      }
      if (waiting.isNotice) this.#sendNotice(waiting.failure);
      else await this.#complete(waiting.event, waiting.feed);
      if (this.#isEnded) return;
      const onTaken = waiting.isNotice ? undefined : waiting.event.onTaken;
      if (onTaken !== undefined) {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.whenTaken()));
        if (this.#isEnded) return;
        onTaken();
      }
    }
    this.#isBusy = false;
    if (this.#last !== undefined) this.#finish(this.#last);
    else this.#options.onIdle();
  }

  async #complete(event: SourceEvent, feed: Feed): Promise<void> {
    const send = this.#sender(false);
    try {
      for await (const payload of feed.complete(event, this.#stop.signal)) send(payload);
    } catch (error) {
      if (this.#isEnded) return;
      const failure =
        error instanceof GatewayError
          ? error
          : new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: error });
      send(failed(event, failure));
    }
  }

  #sendNotice(failure: GatewayError): void {
    this.#sender(true)(noticeOf(failure));
  }

  /** Sends what belongs together, to those who are there from its beginning. */
  #sender(isNotice: boolean): (payload: SubscriptionPayload) => void {
    const sent: Sent = { whenFull: this.#whenFull, isNotice };
    const subscribers = [...this.#subscribers];
    return (payload) => {
      for (const subscriber of subscribers) {
        if (this.#subscribers.has(subscriber)) subscriber.onPayload(payload, sent);
      }
    };
  }

  #endAfterEvents(last: (subscriber: Subscriber) => void): void {
    this.#last ??= last;
    if (!this.#isBusy) this.#finish(this.#last);
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
    this.#stop.abort(new GatewayError('REQUEST_ABORTED', 'Nobody listens to this subscription any more.'));
    this.#source.cancel();
    this.#options.onEnd();
  }
}

function waiting(event: SourceEvent, feed: Feed): Waiting {
  const { failure, size } = event;
  return failure === undefined ? { isNotice: false, event, feed, size } : noticed(failure);
}

function noticed(failure: GatewayError): Waiting {
  return { isNotice: true, failure, size: 0 };
}

function failed({ cursor }: SourceEvent, failure: GatewayError): SubscriptionPayload {
  const extensions = cursor === undefined ? undefined : cursorExtension(cursor);
  return { text: JSON.stringify({ data: null, errors: [failure.toFormatted()], extensions }), cursor };
}

function tooSlow(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    'Events come faster than they can be completed. Subscribe again, or select fields that take less time.',
  );
}
