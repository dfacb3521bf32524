import { type GatewayError, internalServerError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';
import { type BackoffLimits, backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { isTransientError } from './sources/reconnectBackoff.ts';
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

/** How subscriptions that the subgraph has not accepted yet are sent again. */
export interface SubscribeRetryLimits extends BackoffLimits {
  /** Maximum attempts in a row while no subscription is left. A replacement is retried as long as the old one continues. */
  readonly attempts: number;
  /** How long the first subscription is retried. */
  readonly connectTimeoutMs: number;
}

interface UpstreamSubscriptionOptions {
  /** Whether the source first replays past events. */
  readonly isBehind: boolean;
  readonly retryLimits: SubscribeRetryLimits;
  readonly timers: Timers;
  onEvent(event: SourceEvent, feed: EventFeed): void;
  /** The source has replayed all past events. */
  onCaughtUp(): void;
  /** The replacement became current: events may be missing here, or arrive twice. */
  onReplaced(): void;
  /** A replacement could not be established. The old subscription continues, and another attempt follows. */
  onReplacementFailed(cause: GatewayError): void;
  onInterrupted(cause: GatewayError): void;
  /** The interruption is over: events may be missing up to here. */
  onResubscribed(): void;
  onComplete(): void;
  onError(error: GatewayError): void;
}

/** The subscription at the subgraph or topic that feeds a shared subscription. When its feed is replaced, the old
 *  subscription continues until the first event of the new one, so that no event is lost while the new one is being
 *  established. A source reconnects only what the subgraph accepted before: while the subgraph is unavailable, the first
 *  subscription and replacements are retried here. */
export class UpstreamSubscription {
  readonly #options: UpstreamSubscriptionOptions;
  #current: SourceSubscription | undefined;
  /** The replacement, until its first event. */
  #next: SourceSubscription | undefined;
  /** Set while a replacement waits for its next attempt. */
  #cancelRetry: CancelTimer | undefined;
  /** Attempts at the replacement that have failed, counted anew when the old subscription ends. */
  #failedAttempts = 0;
  /** Until when the current subscription is sent again if its source ends it: the past after its first event, and always if it
   *  replaces one that has ended. */
  #retriedUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether `onInterrupted` was called for a failed attempt, and no event has arrived since. */
  #isInterrupted = false;
  #isPaused = false;
  /** Whether the next events are past ones, which equal subscriptions already have. Stays true after a pause of a source
   *  without cursors, which is neither replayed nor merged. */
  #isBehind: boolean;

  constructor(options: UpstreamSubscriptionOptions) {
    this.#options = options;
    this.#isBehind = options.isBehind;
  }

  start(feed: EventFeed): void {
    const { timers, retryLimits } = this.#options;
    this.#retriedUntilMs = timers.now() + retryLimits.connectTimeoutMs;
    this.#current = this.#subscribe(feed);
  }

  /** The operation changed, but not its text for the subgraph. */
  notifyOperationChanged(): void {
    this.#current?.onOperationChanged?.();
    this.#next?.onOperationChanged?.();
  }

  replace(feed: EventFeed): void {
    this.#failedAttempts = 0;
    this.#subscribeNext(feed);
  }

  #subscribeNext(feed: EventFeed): void {
    this.#cancelNext();
    const next = this.#subscribe(feed);
    this.#next = next;
    // Both share a reader at the source, which continues because the new subscription joins before the old one leaves.
    if (next.startsImmediately === true || this.#current === undefined) this.#promoteNext();
  }

  get isPausable(): boolean {
    return this.#current?.flowControl !== undefined;
  }

  /** See `FlowControl`. */
  get acknowledgesEvents(): boolean {
    return this.#current?.flowControl?.acknowledgesEvents === true;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the next event will be a new one, not a replayed one. */
  get isLive(): boolean {
    return !this.#isBehind && !this.#isBeingReplaced;
  }

  pause(): void {
    this.#isPaused = true;
    this.#isBehind = true;
    this.#current?.flowControl?.pause();
    this.#next?.flowControl?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#current?.flowControl?.resume();
    this.#next?.flowControl?.resume();
  }

  cancel(): void {
    this.#current?.cancel();
    this.#current = undefined;
    this.#cancelNext();
  }

  #cancelNext(): void {
    this.#next?.cancel();
    this.#next = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  get #isBeingReplaced(): boolean {
    return this.#next !== undefined || this.#cancelRetry !== undefined;
  }

  #subscribe(feed: EventFeed): SourceSubscription {
    const { onEvent, onCaughtUp, onInterrupted, onResubscribed, onComplete, onError } = this.#options;
    const isNext = (): boolean => subscription === this.#next;
    const isBeingReplaced = (): boolean => !isNext() && this.#isBeingReplaced;
    const subscription: SourceSubscription = feed.subscribe(
      {
        onEvent: (event) => {
          if (isNext()) this.#switchToNext();
          this.#establish();
          onEvent(event, feed);
        },
        onCaughtUp: () => {
          this.#isBehind = false;
          onCaughtUp();
        },
        // No event is missing while the old subscription continues. The switch itself is reported.
        onInterrupted: (cause) => {
          if (isNext()) return;
          // The subgraph had accepted it: the source makes all further attempts, and reports the end of the interruption.
          this.#retriedUntilMs = Number.NEGATIVE_INFINITY;
          this.#isInterrupted = false;
          onInterrupted(cause);
        },
        onResubscribed: () => {
          if (!isNext()) onResubscribed();
        },
        onComplete: () => (isBeingReplaced() ? this.#switchToNext() : onComplete()),
        onError: (error) => {
          if (isBeingReplaced()) this.#switchToNext();
          else if (isTransientError(error) && (isNext() || this.#mayRetry)) this.#retry(feed, error);
          else onError(error);
        },
      },
      this.#isBehind,
    );
    if (this.#isPaused) subscription.flowControl?.pause();
    return subscription;
  }

  get #mayRetry(): boolean {
    const { timers, retryLimits } = this.#options;
    return this.#failedAttempts < retryLimits.attempts && timers.now() < this.#retriedUntilMs;
  }

  /** Called when the replacement has failed, or else the current subscription. */
  #retry(feed: EventFeed, cause: GatewayError): void {
    const { timers, retryLimits, onError } = this.#options;
    this.#failedAttempts += 1;
    let delayMs = backoffDelayMs(this.#failedAttempts, retryLimits);
    if (this.#next === undefined) {
      this.#current = undefined;
      // The last attempt is made at the end of the time.
      delayMs = Math.min(delayMs, this.#retriedUntilMs - timers.now());
    }
    this.#next = undefined;
    this.#cancelRetry = timers.after(delayMs, () => {
      try {
        this.#subscribeNext(feed);
      } catch (error) {
        onError(internalServerError(error));
      }
    });
    this.#reportRetry(cause);
  }

  #reportRetry(cause: GatewayError): void {
    const { onReplacementFailed, onInterrupted } = this.#options;
    if (this.#current !== undefined) {
      onReplacementFailed(cause);
    } else if (this.#retriedUntilMs === Number.POSITIVE_INFINITY && !this.#isInterrupted) {
      this.#isInterrupted = true;
      onInterrupted(cause);
    }
  }

  #establish(): void {
    this.#retriedUntilMs = Number.NEGATIVE_INFINITY;
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    this.#options.onResubscribed();
  }

  /** Also when the old subscription ends before the next attempt at the new one. */
  #switchToNext(): void {
    this.#failedAttempts = 0;
    this.#retriedUntilMs = Number.POSITIVE_INFINITY;
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
