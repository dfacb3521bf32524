import type { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/executionOutcome.ts';
import type { SourceEvent, SourceReceiver, SourceSubscription } from './sources/subscriptionSource.ts';

/** What a subgraph is asked for, and what becomes of its events. */
export interface EventFeed {
  /** Subscribes at the subgraph. `isBehind`: events were left there, and are to come first. */
  subscribe(receiver: SourceReceiver, isBehind: boolean): SourceSubscription;
  /** Completes an event: its payloads. */
  complete(event: SourceEvent, signal: AbortSignal): AsyncIterable<SubscriptionPayload>;
}

interface UpstreamSubscriptionOptions {
  /** Its first events are from the past. */
  readonly isBehind: boolean;
  onEvent(event: SourceEvent, feed: EventFeed): void;
  /** Past events are over. */
  onCaughtUp(): void;
  /** Another feed has taken over: around here events may be missing, or come twice. */
  onReplaced(): void;
  onInterrupted(cause: GatewayError): void;
  onComplete(): void;
  onError(error: GatewayError): void;
}

/** Where the events of a run come from, and whether it is where the source is. A feed that is to be replaced goes on
 *  until the first event of the other one, so that none is lost while the subgraph is asked. */
export class UpstreamSubscription {
  readonly #options: UpstreamSubscriptionOptions;
  #current: SourceSubscription | undefined;
  #next: SourceSubscription | undefined;
  #isPaused = false;
  #isBehind: boolean;

  constructor(options: UpstreamSubscriptionOptions) {
    this.#options = options;
    this.#isBehind = options.isBehind;
  }

  start(feed: EventFeed): void {
    this.#current = this.#subscribe(feed);
  }

  replace(feed: EventFeed): void {
    this.#next?.cancel();
    const next = this.#subscribe(feed);
    this.#next = next;
    // What the two share at the source goes on, since the new one is there before the old one leaves.
    if (next.startsImmediately === true || this.#current === undefined) this.#promoteNext();
  }

  /** Whether it can be stopped. */
  get isPausable(): boolean {
    return this.#current?.flowControl !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whatever it sends next is what happens next, and nothing from the past. */
  get isLive(): boolean {
    return !this.#isPaused && !this.#isBehind && this.#next === undefined;
  }

  pause(): void {
    this.#isPaused = true;
    this.#isBehind = true;
    this.#current?.flowControl?.pause();
    this.#next?.flowControl?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // Others come back to where the source is by a word of their own.
    if (this.#current?.flowControl?.replaysOnResume !== true) this.#isBehind = false;
    this.#current?.flowControl?.resume();
    this.#next?.flowControl?.resume();
  }

  cancel(): void {
    this.#current?.cancel();
    this.#next?.cancel();
    this.#current = undefined;
    this.#next = undefined;
  }

  #subscribe(feed: EventFeed): SourceSubscription {
    const { onEvent, onCaughtUp, onInterrupted, onComplete, onError } = this.#options;
    // Nothing is called before it is there.
    const isNext = (): boolean => subscription === this.#next;
    // The other one is there for what comes.
    const isSpare = (): boolean => !isNext() && this.#next !== undefined;
    const subscription: SourceSubscription = feed.subscribe(
      {
        onEvent: (event) => {
          if (isNext()) this.#switchToNext();
          onEvent(event, feed);
        },
        onCaughtUp: () => {
          this.#isBehind = false;
          onCaughtUp();
        },
        onInterrupted,
        onResumed: () => {},
        onComplete: () => (isSpare() ? this.#switchToNext() : onComplete()),
        onError: (error) => (isSpare() ? this.#switchToNext() : onError(error)),
      },
      this.#isBehind,
    );
    if (this.#isPaused) subscription.flowControl?.pause();
    return subscription;
  }

  /** From one subscription to another that knows nothing of it. */
  #switchToNext(): void {
    this.#promoteNext();
    this.#options.onReplaced();
  }

  #promoteNext(): void {
    const before = this.#current;
    this.#current = this.#next;
    this.#next = undefined;
    before?.cancel();
  }
}
