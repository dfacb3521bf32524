import { ClientDisconnectedError } from '../../admission/httpError.ts';
import { MultiplexedOperation, type MultiplexedOperationOptions } from './multiplexedOperation.ts';
import { UnreadBytes } from './unreadBytes.ts';

/** The operations that run on one connection, by the ids that its client gave them. */
export class ConnectionOperations {
  readonly #operations = new Map<string, MultiplexedOperation>();
  readonly #unread: UnreadBytes;
  readonly #onDrained: () => void;
  #isDraining = false;

  /** `onDrained`: called after `drain` when no query or mutation runs, possibly more than once. */
  constructor(maxUnreadBytes: number, onDrained: () => void) {
    this.#unread = new UnreadBytes(maxUnreadBytes);
    this.#onDrained = onDrained;
  }

  get size(): number {
    return this.#operations.size;
  }

  has(id: string): boolean {
    return this.#operations.has(id);
  }

  /** Adds an operation, which stays until its end. */
  add(
    id: string,
    options: Omit<MultiplexedOperationOptions, 'unread' | 'onSubscription' | 'onEnd'>,
  ): MultiplexedOperation {
    const operation = new MultiplexedOperation({
      ...options,
      unread: this.#unread,
      onSubscription: () => this.checkDrained(),
      onEnd: () => {
        // The client may have ended the operation and started another one with the same id.
        if (this.#operations.get(id) === operation) this.#operations.delete(id);
      },
    });
    this.#operations.set(id, operation);
    return operation;
  }

  /** Ends an operation without a message. Does nothing for an unknown id. */
  end(id: string): void {
    this.#operations.get(id)?.abort(new ClientDisconnectedError());
    this.#operations.delete(id);
    this.checkDrained();
  }

  /** Ends all operations without a message. */
  endAll(): void {
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation.abort(new ClientDisconnectedError());
  }

  /** Ends all operations with an error. */
  abortAll(reason: Error): void {
    for (const operation of [...this.#operations.values()]) operation.abort(reason);
  }

  /** Ends the operations whose responses have several payloads or events with an error. */
  abortStreams(reason: Error): void {
    for (const operation of [...this.#operations.values()]) if (operation.isStream) operation.abort(reason);
  }

  /** From now on, `onDrained` is called as soon as no query or mutation runs: a client would send these again. */
  drain(): void {
    this.#isDraining = true;
    this.checkDrained();
  }

  /** To be called after each operation, however it ended. */
  checkDrained(): void {
    if (this.isDrained) this.#onDrained();
  }

  /** Whether no query or mutation runs after `drain`. */
  get isDrained(): boolean {
    if (!this.#isDraining) return false;
    for (const operation of this.#operations.values()) if (!operation.isSubscription) return false;
    return true;
  }
}
