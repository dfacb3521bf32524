import type { GatewayError } from '../../errors.ts';
import type { SourceEvent, SourceReceiver } from './subscriptionSource.ts';

/** Wraps a receiver: nothing is delivered after an end or a cancel, and an interruption is reported once until the
 *  subgraph accepts the subscription again. An exception of the receiver becomes a process warning, and affects nothing
 *  else. */
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

  /** The subgraph accepted the subscription, perhaps after an interruption. The next interruption is another one. */
  markSubscribed(): void {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    this.#notify((receiver) => receiver.onResubscribed?.());
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

  #notify(notify: (receiver: SourceReceiver) => void): void {
    if (this.#receiver !== undefined) callSafely(this.#receiver, notify);
  }
}

function callSafely(receiver: SourceReceiver, notify: (receiver: SourceReceiver) => void): void {
  try {
    notify(receiver);
  } catch (error) {
    process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
