import type { GatewayError } from '../../errors.ts';
import type { SourceEvent, SourceReceiver } from './subscriptionSource.ts';

/** What a subscription's receiver is told: nothing after an end or a cancel, one interruption at a time. A receiver
 *  that throws ends nothing but its own call. */
export class SafeReceiver {
  #receiver: SourceReceiver | undefined;
  #isInterrupted = false;

  constructor(receiver: SourceReceiver) {
    this.#receiver = receiver;
  }

  get isEnded(): boolean {
    return this.#receiver === undefined;
  }

  next(event: SourceEvent): void {
    this.#notify((receiver) => receiver.onEvent(event));
  }

  interrupt(cause: GatewayError): void {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#notify((receiver) => receiver.onInterrupted(cause));
  }

  /** Subscribed; for the receiver only news where it was interrupted. */
  markSubscribed(): void {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    this.#notify((receiver) => receiver.onResumed());
  }

  complete(): void {
    const receiver = this.cancel();
    if (receiver !== undefined) callSafely(receiver, () => receiver.onComplete());
  }

  error(error: GatewayError): void {
    const receiver = this.cancel();
    if (receiver !== undefined) callSafely(receiver, () => receiver.onError(error));
  }

  cancel(): SourceReceiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  #notify(news: (receiver: SourceReceiver) => void): void {
    if (this.#receiver !== undefined) callSafely(this.#receiver, news);
  }
}

function callSafely(receiver: SourceReceiver, news: (receiver: SourceReceiver) => void): void {
  try {
    news(receiver);
  } catch (fault) {
    process.emitWarning(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
  }
}
