import { GatewayError } from '../errors.ts';
import { cursorExtension } from '../response/cursorExtension.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import { EventQueue, type EventQueueOptions, type OverflowPolicy } from './eventQueue.ts';
import { type Feed, RunSource } from './runSource.ts';
import type { SourceEvent } from './sources/subscriptionSource.ts';

/** Whoever gets what comes of a subscription. Nothing is called after an end, nor after it left. */
export interface Subscriber {
  /** `whenFull`: what becomes of it where many wait already. */
  onPayload(payload: SubscriptionPayload, whenFull: OverflowPolicy): void;
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
  /** Past events are over: from now on it gets the same as equal ones. */
  onCaughtUp(): void;
  /** All events that have come were sent. */
  onIdle(): void;
  /** What clients are told of an error with which the subgraph's subscription has ended. */
  tellError(error: GatewayError): GatewayError;
  /** Nobody listens any more, or there is nothing more to listen to. Called once. */
  onEnd(): void;
}

/** An event that waits, and what completes it. */
interface Waiting {
  readonly event: SourceEvent;
  readonly feed: Feed | undefined;
  readonly size: number;
}

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
    this.#queue = new EventQueue(options.queue);
    this.#source = new RunSource({
      isBehind: options.isBehind,
      onEvent: (event, feed) => this.#take({ event, feed, size: event.size }),
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
    if (!this.#options.tellsInterruptions) return;
    this.#take({ event: { ...nothing, failure }, feed: undefined, size: 0 });
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
      await this.#sendAll(waiting);
      if (this.#isEnded) return;
      const { onTaken } = waiting.event;
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

  async #sendAll({ event, feed }: Waiting): Promise<void> {
    if (event.failure !== undefined) this.#send(notice(event.failure));
    if (event.failure !== undefined || feed === undefined) return;
    try {
      for await (const payload of feed.complete(event, this.#stop.signal)) this.#send(payload);
    } catch (error) {
      if (this.#isEnded) return;
      const failure =
        error instanceof GatewayError
          ? error
          : new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: error });
      this.#send(failed(event, failure));
    }
  }

  #send(payload: SubscriptionPayload): void {
    for (const subscriber of [...this.#subscribers]) subscriber.onPayload(payload, this.#whenFull);
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

const nothing = { data: undefined, errors: undefined, extensions: undefined, size: 0 };

/** Tells of something that is no event. */
function notice(cause: GatewayError): SubscriptionPayload {
  return { text: JSON.stringify({ errors: [cause.toFormatted()] }) };
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

function askedAnew(): GatewayError {
  return new GatewayError(
    'EVENTS_MISSED',
    'The schema has changed, and the subgraph was subscribed at anew: around here events may be missing, or come twice. Read on what you need by a query.',
  );
}
