import type { GraphQLFormattedError } from 'graphql';
import type { AdmissionResult, CompleteResult } from '../../admission/admissionResult.ts';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import {
  contentToText,
  type IncrementalOutcome,
  type ResponseContent,
  type SubscriptionOutcome,
  sizeOfContent,
} from '../../response/executionOutcome.ts';
import type { DirectWriter } from '../../response/subscriptionEvents.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import { AbortableIterator } from './abortableIterator.ts';
import { hasNext } from './payloadEncoding.ts';
import { isCounted, type UnreadBytes } from './unreadBytes.ts';

export type WireMessage = string | Buffer;

/** Puts a payload between two texts. Chunks become one message. */
export function wrapPayload(before: string, payload: ResponseContent, after: string): WireMessage {
  if (typeof payload === 'string') return `${before}${payload}${after}`;
  const parts = Buffer.isBuffer(payload) ? [payload] : payload;
  return Buffer.concat([Buffer.from(before), ...parts, Buffer.from(after)]);
}

/** Maximum number of characters of an operation's id: it stays in memory with the operation, and is part of each message. */
export const maxOperationIdLength = 1_000;

/** The outgoing messages of a connection that several operations share. */
export interface MessageOutbox {
  /** More bytes wait for the client than the buffer may hold. */
  readonly isFull: boolean;
  /** Resolves when the client has read enough, or the connection is closed. */
  waitForDrain(): Promise<void>;
  /** Sends messages in one write, even if the outbox is full. */
  send(...messages: WireMessage[]): void;
}

/** Encodes the response to one operation as messages of the connection's protocol. */
export interface OperationMessages {
  next(payload: ResponseContent): WireMessage;
  complete(): WireMessage;
  /** The messages that end an operation with errors when no payload can carry them. */
  fail(errors: readonly GraphQLFormattedError[]): readonly WireMessage[];
}

export interface MultiplexedOperationOptions {
  /** Omitted where nothing is recorded. The caller finishes it. */
  readonly record?: RequestRecord | undefined;
  readonly messages: OperationMessages;
  readonly outbox: MessageOutbox;
  /** Of the connection. */
  readonly unread: UnreadBytes;
  /** Creates what sends the events of a subscription without the outbox while the client reads fast enough. */
  readonly createDirectWriter?: () => DirectWriter;
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
  /** Called when the operation is a subscription, which may run indefinitely. */
  readonly onSubscription: () => void;
  /** Called once when the operation has ended for any reason, before the final messages are sent. */
  readonly onEnd: () => void;
}

/** One of several operations on a connection: sends its response, and ends it exactly once. */
export class MultiplexedOperation {
  readonly #options: MultiplexedOperationOptions;
  readonly #controller = new AbortController();
  #isSubscription = false;
  #isStream = false;
  #hasEnded = false;

  constructor(options: MultiplexedOperationOptions) {
    this.#options = options;
  }

  get isSubscription(): boolean {
    return this.#isSubscription;
  }

  /** Whether the response consists of several payloads or events. */
  get isStream(): boolean {
    return this.#isStream;
  }

  /** Aborted by `abort`; execution must stop then. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the operation: without a message when `reason` is a `ClientDisconnectedError`, otherwise with an error. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Waits until the client has read enough.
   *  @throws the signal's reason when the operation is aborted. */
  waitUntilWritable(): Promise<void> {
    return this.#sendWhenWritable(0, () => undefined);
  }

  /** Sends the response, until its end. Never rejects. */
  async deliver(result: AdmissionResult): Promise<void> {
    this.#isStream = result.kind === 'stream';
    try {
      if (result.kind === 'complete') await this.#sendComplete(result);
      else if (result.outcome.kind === 'incremental') await this.#sendPayloads(result.outcome);
      else await this.#sendEvents(result.outcome);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the operation with an error; without a message if the client has ended it. */
  fail(error: unknown): void {
    const { messages, formatFailure, record } = this.#options;
    if (!this.#isDisconnected) record?.fail(error);
    this.#end(...messages.fail([formatFailure(error)]));
  }

  /** Ends the operation without a message. */
  discard(): void {
    this.#end();
  }

  async #sendComplete({ content, isExecuted }: CompleteResult): Promise<void> {
    const { messages, record } = this.#options;
    const size = sizeOfContent(content);
    await this.#sendWhenWritable(size, () => {
      record?.addPayload(size);
      if (!isExecuted) {
        const { data, errors } = JSON.parse(contentToText(content)) as {
          data?: unknown;
          errors?: readonly GraphQLFormattedError[];
        };
        if (data === undefined) {
          this.#end(...messages.fail(errors ?? []));
          return;
        }
      }
      this.#end(messages.next(content), messages.complete());
    });
  }

  async #sendPayloads({ payloads }: IncrementalOutcome): Promise<void> {
    const { messages, outbox, formatFailure, record } = this.#options;
    let hasStarted = false;
    const steps = new AbortableIterator(payloads[Symbol.asyncIterator](), this.signal);
    try {
      for (;;) {
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        const batch = step.done === true ? [JSON.stringify({ hasNext: false })] : step.value;
        if (batch.length === 0) continue;
        const sizes = batch.map(sizeOfContent);
        const isLast = !hasNext(batch.at(-1) as string);
        const send = (): void => {
          hasStarted = true;
          for (const size of sizes) record?.addPayload(size);
          const nexts = batch.map((payload) => messages.next(payload));
          if (isLast) this.#end(...nexts, messages.complete());
          else outbox.send(...nexts);
        };
        await this.#sendWhenWritable(
          sizes.reduce((sum, size) => sum + size, 0),
          send,
        );
        if (isLast) {
          steps.end();
          return;
        }
        await this.waitUntilWritable();
      }
    } catch (error) {
      steps.end();
      if (!hasStarted) throw error;
      // A payload, not an error message: on an error message the client would discard the data it has.
      if (!this.#isDisconnected) record?.fail(error);
      const last = JSON.stringify({ errors: [formatFailure(error)], hasNext: false });
      this.#end(messages.next(last), messages.complete());
    } finally {
      steps.release();
    }
  }

  async #sendEvents({ events }: SubscriptionOutcome): Promise<void> {
    const { messages, outbox, record, createDirectWriter } = this.#options;
    const steps = new AbortableIterator(events[Symbol.asyncIterator](), this.signal);
    if (createDirectWriter !== undefined) events.setDirectWriter?.(createDirectWriter());
    this.#isSubscription = true;
    this.#options.onSubscription();
    try {
      for (;;) {
        await this.waitUntilWritable();
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        if (step.done === true) {
          await this.#sendWhenWritable(0, () => this.#end(messages.complete()));
          return;
        }
        const { text } = step.value;
        await this.#sendWhenWritable(text.length, () => {
          record?.checkEvent(text);
          record?.addPayload(Buffer.byteLength(text));
          outbox.send(messages.next(text));
        });
      }
    } catch (error) {
      steps.end();
      throw error;
    } finally {
      steps.release();
    }
  }

  /** Calls `send` when the client has read enough, at the moment of the check: otherwise all operations that wait would send at
   *  once, although the first one fills the outbox again. `size`: of what waits until the client has read it, in bytes.
   *  @throws the signal's reason when the operation is aborted.
   *  @throws {GatewayError} As `UnreadBytes.add`. */
  async #sendWhenWritable(size: number, send: () => void): Promise<void> {
    const { outbox, unread } = this.#options;
    const release = isCounted(size) ? unread.add(size) : undefined;
    try {
      while (outbox.isFull && !this.signal.aborted) await outbox.waitForDrain();
      this.signal.throwIfAborted();
      send();
    } finally {
      if (release !== undefined && outbox.isFull) void outbox.waitForDrain().then(release);
      else release?.();
    }
  }

  get #isDisconnected(): boolean {
    return this.signal.aborted && this.signal.reason instanceof ClientDisconnectedError;
  }

  #end(...messages: WireMessage[]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isDisconnected = this.#isDisconnected;
    if (isDisconnected) this.#options.record?.abort();
    // Before the messages: the client may use the id again as soon as it reads them.
    this.#options.onEnd();
    if (!isDisconnected && messages.length > 0) this.#options.outbox.send(...messages);
  }
}
