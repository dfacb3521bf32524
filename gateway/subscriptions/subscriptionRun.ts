import { GatewayError } from '../errors.ts';
import { cursorExtension } from '../response/cursorExtension.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import { EventQueue, type EventQueueOptions, type OverflowPolicy } from './eventQueue.ts';
import type { SourceEvent, SourceReceiver, SourceSubscription } from './sources/subscriptionSource.ts';

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
  /** Subscribes at the subgraph. `isBehind`: events were left there, and are to come first. */
  subscribe(receiver: SourceReceiver, isBehind: boolean): SourceSubscription;
  /** Completes an event: its payloads. */
  complete(event: SourceEvent, signal: AbortSignal): AsyncIterable<SubscriptionPayload>;
  /** Past events are over: from now on it gets the same as equal ones. */
  onCaughtUp(): void;
  /** All events that have come were sent. */
  onIdle(): void;
  /** What clients are told of an error with which the subgraph's subscription has ended. */
  tellError(error: GatewayError): GatewayError;
  /** Nobody listens any more, or there is nothing more to listen to. Called once. */
  onEnd(): void;
}

/** One subscription at a subgraph, and those who listen to it. Its events are completed one after the other, and each
 *  is sent to all. */
export class SubscriptionRun {
  readonly #options: SubscriptionRunOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #queue: EventQueue<SourceEvent>;
  readonly #stop = new AbortController();
  #source: SourceSubscription | undefined;
  #isPaused = false;
  #isBusy = false;
  #isEnded = false;
  /** How it ends once the events that wait have been sent. */
  #last: ((subscriber: Subscriber) => void) | undefined;
  #movedTo: SubscriptionRun | undefined;

  constructor(options: SubscriptionRunOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.queue);
  }

  start(): void {
    const receiver: SourceReceiver = {
      onEvent: (event) => this.#take(event),
      onCaughtUp: () => this.#options.onCaughtUp(),
      onInterrupted: (cause) => {
        if (this.#options.tellsInterruptions) this.#send(notice(cause));
      },
      onResumed: () => {},
      onComplete: () => this.#endAfterEvents((subscriber) => subscriber.onComplete()),
      onError: (error) => {
        const told = this.#options.tellError(error);
        this.#endAfterEvents((subscriber) => subscriber.onError(told));
      },
    };
    this.#source = this.#options.subscribe(receiver, this.#isPaused);
    if (this.#isPaused) this.#source.flow?.pause();
  }

  /** Subscribes at the subgraph anew; events that wait are still completed. The old subscription ends after the new
   *  one has begun: what they share at the source goes on. */
  resubscribe(): void {
    if (this.#isEnded || this.#last !== undefined) return;
    const before = this.#source;
    this.start();
    before?.cancel();
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Returns what ends it for this subscriber; the last one ends it for the subgraph, at once. */
  join(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#leave(subscriber);
  }

  /** All events that have come were sent, and more may come. */
  get isIdle(): boolean {
    return !this.#isBusy && !this.#isEnded && this.#last === undefined;
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

  #take(event: SourceEvent): void {
    if (this.#isEnded) return;
    if (!this.#queue.push(event, this.#whenFull)) {
      this.fail(tooSlow());
      return;
    }
    if (this.#whenFull === 'wait' && this.#queue.isFull) this.#pause();
    if (!this.#isBusy) void this.#work();
  }

  /** A source that cannot be stopped would fill the memory. */
  get #whenFull(): OverflowPolicy {
    const { policy } = this.#options.queue;
    return policy === 'wait' && this.#source?.flow === undefined ? 'close' : policy;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#source?.flow?.pause();
  }

  #resumeIfRoom(): void {
    if (!this.#isPaused || !this.#queue.isHalfEmpty) return;
    this.#isPaused = false;
    this.#source?.flow?.resume();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      if (this.#whenFull === 'wait') {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.whenRoom()));
        if (this.#isEnded) return;
        this.#resumeIfRoom();
      }
      if (event.failure === undefined) await this.#complete(event);
      else this.#send(notice(event.failure));
      if (this.#isEnded) return;
      if (event.onTaken !== undefined) {
        await Promise.all([...this.#subscribers].map((subscriber) => subscriber.whenTaken()));
        if (this.#isEnded) return;
        event.onTaken();
      }
    }
    this.#isBusy = false;
    if (this.#last !== undefined) this.#finish(this.#last);
    else this.#options.onIdle();
  }

  async #complete(event: SourceEvent): Promise<void> {
    try {
      for await (const payload of this.#options.complete(event, this.#stop.signal)) this.#send(payload);
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
    this.#source?.cancel();
    this.#options.onEnd();
  }
}

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
