import type { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import type { SourceEvent, SourceReceiver, SourceSubscription } from './sources/subscriptionSource.ts';

/** What a subgraph is asked for, and what becomes of its events. */
export interface Feed {
  /** Subscribes at the subgraph. `isBehind`: events were left there, and are to come first. */
  subscribe(receiver: SourceReceiver, isBehind: boolean): SourceSubscription;
  /** Completes an event: its payloads. */
  complete(event: SourceEvent, signal: AbortSignal): AsyncIterable<SubscriptionPayload>;
}

export interface RunSourceOptions {
  /** Its first events are from the past. */
  readonly isBehind: boolean;
  onEvent(event: SourceEvent, feed: Feed): void;
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
export class RunSource {
  readonly #options: RunSourceOptions;
  #present: SourceSubscription | undefined;
  #next: SourceSubscription | undefined;
  #isPaused = false;
  #isBehind: boolean;

  constructor(options: RunSourceOptions) {
    this.#options = options;
    this.#isBehind = options.isBehind;
  }

  start(feed: Feed): void {
    this.#present = this.#subscribe(feed);
  }

  replace(feed: Feed): void {
    this.#next?.cancel();
    const next = this.#subscribe(feed);
    this.#next = next;
    // What the two share at the source goes on, since the new one is there before the old one leaves.
    if (next.beginsAtOnce === true || this.#present === undefined) this.#takeOver();
  }

  /** Whether it can be stopped. */
  get hasFlow(): boolean {
    return this.#present?.flow !== undefined;
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
    this.#present?.flow?.pause();
    this.#next?.flow?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // Others come back to where the source is by a word of their own.
    if (this.#present?.flow?.catchesUp !== true) this.#isBehind = false;
    this.#present?.flow?.resume();
    this.#next?.flow?.resume();
  }

  cancel(): void {
    this.#present?.cancel();
    this.#next?.cancel();
    this.#present = undefined;
    this.#next = undefined;
  }

  #subscribe(feed: Feed): SourceSubscription {
    const { onEvent, onCaughtUp, onInterrupted, onComplete, onError } = this.#options;
    // Nothing is called before it is there.
    const isNext = (): boolean => subscription === this.#next;
    // The other one is there for what comes.
    const isSpare = (): boolean => !isNext() && this.#next !== undefined;
    const subscription: SourceSubscription = feed.subscribe(
      {
        onEvent: (event) => {
          if (isNext()) this.#switch();
          onEvent(event, feed);
        },
        onCaughtUp: () => {
          this.#isBehind = false;
          onCaughtUp();
        },
        onInterrupted,
        onResumed: () => {},
        onComplete: () => (isSpare() ? this.#switch() : onComplete()),
        onError: (error) => (isSpare() ? this.#switch() : onError(error)),
      },
      this.#isBehind,
    );
    if (this.#isPaused) subscription.flow?.pause();
    return subscription;
  }

  /** From one subscription to another that knows nothing of it. */
  #switch(): void {
    this.#takeOver();
    this.#options.onReplaced();
  }

  #takeOver(): void {
    const before = this.#present;
    this.#present = this.#next;
    this.#next = undefined;
    before?.cancel();
  }
}
