import type { GatewayError } from '../../errors.ts';
import type { SourceEvent, SourceReceiver } from './subscriptionSource.ts';

/** What a subscription's receiver is told: nothing after an end or a cancel, one interruption at a time. A receiver
 *  that throws ends nothing but its own call. */
export class Delivery {
  #receiver: SourceReceiver | undefined;
  #isInterrupted = false;

  constructor(receiver: SourceReceiver) {
    this.#receiver = receiver;
  }

  get isOver(): boolean {
    return this.#receiver === undefined;
  }

  event(event: SourceEvent): void {
    this.#tell((receiver) => receiver.onEvent(event));
  }

  interrupted(cause: GatewayError): void {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#tell((receiver) => receiver.onInterrupted(cause));
  }

  /** Subscribed; for the receiver only news where it was interrupted. */
  subscribed(): void {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    this.#tell((receiver) => receiver.onResumed());
  }

  complete(): void {
    const receiver = this.cancel();
    if (receiver !== undefined) call(receiver, () => receiver.onComplete());
  }

  error(error: GatewayError): void {
    const receiver = this.cancel();
    if (receiver !== undefined) call(receiver, () => receiver.onError(error));
  }

  cancel(): SourceReceiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  #tell(news: (receiver: SourceReceiver) => void): void {
    if (this.#receiver !== undefined) call(this.#receiver, news);
  }
}

function call(receiver: SourceReceiver, news: (receiver: SourceReceiver) => void): void {
  try {
    news(receiver);
  } catch (fault) {
    process.emitWarning(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
  }
}
