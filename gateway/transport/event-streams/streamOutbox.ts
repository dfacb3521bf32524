import type { ServerResponse } from 'node:http';
import type { SharedOutbox, WireMessage } from '../multiplexed/multiplexedOperation.ts';

export interface StreamOutboxOptions {
  /** Bytes that may wait for the client before operations have to. */
  readonly bufferSize: number;
  /** Milliseconds that they may wait without any of them being taken; then the connection is closed. */
  readonly readTimeout: number;
  /** Something is sent. */
  readonly onSend: () => void;
}

/** What goes to a client of an event stream, which may not have opened it yet, or may read slowly. */
export class StreamOutbox implements SharedOutbox {
  readonly #options: StreamOutboxOptions;
  #response: ServerResponse | undefined;
  /** What came before the stream was opened. */
  #early: WireMessage[] = [];
  #earlyBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  constructor(options: StreamOutboxOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#drained !== undefined;
  }

  async drained(): Promise<void> {
    await this.#drained?.promise;
  }

  /** Nothing when the stream is over. */
  send(...messages: WireMessage[]): void {
    if (this.#isClosed) return;
    if (this.#response === undefined) this.#keep(messages);
    else this.#write(this.#response, messages);
  }

  /** The stream is there: what has waited for it goes first. */
  open(response: ServerResponse): void {
    this.#response = response;
    const early = this.#early;
    this.#early = [];
    this.#resume();
    if (early.length > 0) this.#write(response, early);
  }

  /** The stream is over: nobody has to wait any longer. */
  close(): void {
    this.#isClosed = true;
    this.#early = [];
    this.#resume();
  }

  #keep(messages: readonly WireMessage[]): void {
    for (const message of messages) {
      this.#early.push(message);
      this.#earlyBytes += message.length;
    }
    if (this.#earlyBytes > this.#options.bufferSize) this.#drained ??= Promise.withResolvers();
  }

  #write(response: ServerResponse, messages: readonly WireMessage[]): void {
    const { bufferSize, readTimeout, onSend } = this.#options;
    onSend();
    response.cork();
    for (const message of messages) response.write(message);
    response.uncork();
    if (this.#drained !== undefined || !response.writableNeedDrain || response.writableLength <= bufferSize) {
      return;
    }
    this.#drained = Promise.withResolvers();
    // A reader that takes nothing for that long is gone.
    response.socket?.setTimeout(readTimeout);
    response.once('drain', () => {
      response.socket?.setTimeout(0);
      this.#resume();
    });
  }

  #resume(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
