import type { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';
import type { SourceEvent, SourceReceiver, SourceSubscription } from './sources/subscriptionSource.ts';

/** Subscribes with one version of an operation, and completes the events of that subscription. */
export interface EventFeed {
  /** Subscribes at the source. `isBehind`: replay the events after the last received one first. */
  subscribe(receiver: SourceReceiver, isBehind: boolean): SourceSubscription;
  /** The payloads of an event. */
  complete(event: SourceEvent, signal: AbortSignal): AsyncIterable<SubscriptionPayload>;
  /** Whether an event can have several payloads. */
  hasDeferredPayloads(): boolean;
}

interface UpstreamSubscriptionOptions {
  /** Whether the source first replays past events. */
  readonly isBehind: boolean;
  onEvent(event: SourceEvent, feed: EventFeed): void;
  /** The source has replayed all past events. */
  onCaughtUp(): void;
  /** The replacement became current: events may be missing here, or arrive twice. */
  onReplaced(): void;
  onInterrupted(cause: GatewayError): void;
  onComplete(): void;
  onError(error: GatewayError): void;
}

/** The subscription at the subgraph or topic that feeds a shared subscription. When its feed is replaced, the old
 *  subscription continues until the first event of the new one, so that no event is lost while the new one is being
 *  established. */
export class UpstreamSubscription {
  readonly #options: UpstreamSubscriptionOptions;
  #current: SourceSubscription | undefined;
  /** The replacement, until its first event. */
  #next: SourceSubscription | undefined;
  #isPaused = false;
  /** Whether the next events are past ones, which equal subscriptions already have. */
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
    // Both share a reader at the source, which continues because the new subscription joins before the old one leaves.
    if (next.startsImmediately === true || this.#current === undefined) this.#promoteNext();
  }

  get isPausable(): boolean {
    return this.#current?.flowControl !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the next event will be a new one, not a replayed one. */
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
    // A source that replays reports the end of the replay with `onCaughtUp`.
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
    let subscription: SourceSubscription | undefined;
    const isNext = (): boolean => subscription !== undefined && subscription === this.#next;
    const isBeingReplaced = (): boolean => !isNext() && this.#next !== undefined;
    subscription = feed.subscribe(
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
        onComplete: () => (isBeingReplaced() ? this.#switchToNext() : onComplete()),
        onError: (error) => (isBeingReplaced() ? this.#switchToNext() : onError(error)),
      },
      this.#isBehind,
    );
    if (this.#isPaused) subscription.flowControl?.pause();
    return subscription;
  }

  #switchToNext(): void {
    this.#promoteNext();
    this.#options.onReplaced();
  }

  #promoteNext(): void {
    const previous = this.#current;
    this.#current = this.#next;
    this.#next = undefined;
    previous?.cancel();
  }
}
