import type { GatewayError } from '../../errors.ts';
import { isTransientError, ReconnectBackoff, type ReconnectBackoffOptions } from './reconnectBackoff.ts';
import { SafeReceiver } from './safeReceiver.ts';
import type { SourceEvent, SourceReceiver } from './subscriptionSource.ts';

interface SubscriptionLifecycleOptions extends ReconnectBackoffOptions {
  readonly receiver: SourceReceiver;
  /** Makes another attempt. The first one is made by whoever makes this. */
  startAttempt(): void;
  /** Ends the present attempt, if there is one. */
  endAttempt(): void;
  /** The subscription is over, by whatever. Called once, before its receiver is told. */
  onEnd(): void;
}

/** The attempts at one subscription, one at a time, and what its receiver is told of them. */
export class SubscriptionLifecycle {
  readonly #options: SubscriptionLifecycleOptions;
  readonly #receiver: SafeReceiver;
  readonly #backoff: ReconnectBackoff;
  #wasSubscribed = false;

  constructor(options: SubscriptionLifecycleOptions) {
    this.#options = options;
    this.#receiver = new SafeReceiver(options.receiver);
    this.#backoff = new ReconnectBackoff(options);
  }

  get isEnded(): boolean {
    return this.#receiver.isEnded;
  }

  /** By this attempt or an earlier one. */
  get wasSubscribed(): boolean {
    return this.#wasSubscribed;
  }

  markSubscribed(): void {
    this.#wasSubscribed = true;
    this.#backoff.markConnected();
    this.#receiver.markSubscribed();
  }

  next(event: SourceEvent): void {
    this.#backoff.reset();
    this.#receiver.next(event);
  }

  complete(): void {
    this.#end();
    this.#receiver.complete();
  }

  /** The present attempt has come to nothing: there is another one, if there may be. What never was to be had is
   *  over. */
  retryOrFail(error: GatewayError): void {
    const { endAttempt, startAttempt } = this.#options;
    endAttempt();
    const mayReturn = this.#wasSubscribed && isTransientError(error) && this.#backoff.schedule(startAttempt);
    if (mayReturn) this.#receiver.interrupt(error);
    else this.fail(error);
  }

  fail(error: GatewayError): void {
    this.#end();
    this.#receiver.error(error);
  }

  /** Without a word to the receiver. Idempotent. */
  cancel(): void {
    if (this.isEnded) return;
    this.#receiver.cancel();
    this.#end();
  }

  #end(): void {
    this.#options.endAttempt();
    this.#backoff.stop();
    this.#options.onEnd();
  }
}
