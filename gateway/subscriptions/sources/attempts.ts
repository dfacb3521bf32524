import type { GatewayError } from '../../errors.ts';
import { Delivery } from './delivery.ts';
import { isPassing, Reconnection, type ReconnectionOptions } from './reconnection.ts';
import type { SourceEvent, SourceReceiver } from './subscriptionSource.ts';

export interface AttemptsOptions extends ReconnectionOptions {
  readonly receiver: SourceReceiver;
  /** Makes another attempt. The first one is made by whoever makes this. */
  again(): void;
  /** Ends the present attempt, if there is one. */
  endAttempt(): void;
  /** The subscription is over, by whatever. Called once, before its receiver is told. */
  onOver(): void;
}

/** The attempts at one subscription, one at a time, and what its receiver is told of them. */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #delivery: Delivery;
  readonly #reconnection: Reconnection;
  #wasSubscribed = false;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#delivery = new Delivery(options.receiver);
    this.#reconnection = new Reconnection(options);
  }

  get isOver(): boolean {
    return this.#delivery.isOver;
  }

  /** By this attempt or an earlier one. */
  get wasSubscribed(): boolean {
    return this.#wasSubscribed;
  }

  subscribed(): void {
    this.#wasSubscribed = true;
    this.#reconnection.connected();
    this.#delivery.subscribed();
  }

  event(event: SourceEvent): void {
    this.#reconnection.succeeded();
    this.#delivery.event(event);
  }

  complete(): void {
    this.#over();
    this.#delivery.complete();
  }

  /** The present attempt has come to nothing: there is another one, if there may be. What never was to be had is
   *  over. */
  lose(error: GatewayError): void {
    const { endAttempt, again } = this.#options;
    endAttempt();
    const mayReturn = this.#wasSubscribed && isPassing(error) && this.#reconnection.schedule(again);
    if (mayReturn) this.#delivery.interrupted(error);
    else this.fail(error);
  }

  fail(error: GatewayError): void {
    this.#over();
    this.#delivery.error(error);
  }

  /** Without a word to the receiver. Idempotent. */
  cancel(): void {
    if (this.isOver) return;
    this.#delivery.cancel();
    this.#over();
  }

  #over(): void {
    this.#options.endAttempt();
    this.#reconnection.stop();
    this.#options.onOver();
  }
}
