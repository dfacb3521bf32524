import type { GraphQLFormattedError } from 'graphql';
import type { AdmissionResult, CompleteResult } from '../../admission/admission.ts';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import {
  contentToText,
  type IncrementalOutcome,
  type ResponseContent,
  type SubscriptionOutcome,
} from '../../response/executionOutcome.ts';
import { AbortableIterator } from './abortableIterator.ts';
import { hasNext } from './payloadEncoding.ts';

export type WireMessage = string | Buffer;

/** What goes to a client over a connection that several operations share. */
export interface MessageOutbox {
  /** The client has enough to read. */
  readonly isFull: boolean;
  /** Resolves when the client has read enough for more, or nobody has to wait any longer. */
  waitForDrain(): Promise<void>;
  /** Sends messages in one write, whatever waits already. */
  send(...messages: WireMessage[]): void;
}

/** How one operation's answer looks among those of others. */
export interface OperationMessages {
  next(payload: ResponseContent): WireMessage;
  complete(): WireMessage;
  /** All that comes of an operation that has ended by errors, where its last payload cannot have them. */
  fail(errors: readonly GraphQLFormattedError[]): readonly WireMessage[];
}

interface MultiplexedOperationOptions {
  readonly messages: OperationMessages;
  readonly outbox: MessageOutbox;
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
  /** It is a subscription, and goes on for as long as there are events. */
  readonly onSubscription: () => void;
  /** Called once, before the client is told, whatever came of it. */
  readonly onEnd: () => void;
}

/** One operation of several on a connection: its end, and the way of its answer to the client. */
export class MultiplexedOperation {
  readonly #options: MultiplexedOperationOptions;
  readonly #controller = new AbortController();
  #isSubscription = false;
  #hasEnded = false;

  constructor(options: MultiplexedOperationOptions) {
    this.#options = options;
  }

  get isSubscription(): boolean {
    return this.#isSubscription;
  }

  /** Ends all that is done for it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends it: silently when the reason is `ClientDisconnectedError`, else with an error. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Sends what was admitted, to its end. Never rejects. */
  async deliver(answer: AdmissionResult): Promise<void> {
    try {
      if (answer.kind === 'complete') await this.#sendComplete(answer);
      else if (answer.outcome.kind === 'incremental') await this.#sendPayloads(answer.outcome);
      else await this.#sendEvents(answer.outcome);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends it with an error; without a word where the client has ended it. */
  fail(error: unknown): void {
    const { messages, formatFailure } = this.#options;
    this.#end(...messages.fail([formatFailure(error)]));
  }

  /** Ends it without a word. */
  discard(): void {
    this.#end();
  }

  async #sendComplete({ content, isExecuted }: CompleteResult): Promise<void> {
    const { messages } = this.#options;
    await this.#waitUntilWritable();
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
  }

  async #sendPayloads({ payloads }: IncrementalOutcome): Promise<void> {
    const { messages, outbox, formatFailure } = this.#options;
    let hasBegun = false;
    const steps = new AbortableIterator(payloads[Symbol.asyncIterator](), this.signal);
    try {
      for (;;) {
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        const batch = step.done === true ? [JSON.stringify({ hasNext: false })] : step.value;
        if (batch.length === 0) continue;
        await this.#waitUntilWritable();
        hasBegun = true;
        const nexts = batch.map((payload) => messages.next(payload));
        if (!hasNext(batch.at(-1) as string)) {
          this.#end(...nexts, messages.complete());
          steps.end();
          return;
        }
        outbox.send(...nexts);
        await this.#waitUntilWritable();
      }
    } catch (error) {
      steps.end();
      if (!hasBegun) throw error;
      // The client keeps the data that it has; an error message would have it thrown away.
      const last = JSON.stringify({ errors: [formatFailure(error)], hasNext: false });
      this.#end(messages.next(last), messages.complete());
    } finally {
      steps.release();
    }
  }

  async #sendEvents({ events }: SubscriptionOutcome): Promise<void> {
    const { messages, outbox } = this.#options;
    const steps = new AbortableIterator(events[Symbol.asyncIterator](), this.signal);
    this.#isSubscription = true;
    this.#options.onSubscription();
    try {
      for (;;) {
        await this.#waitUntilWritable();
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        await this.#waitUntilWritable();
        if (step.done === true) return this.#end(messages.complete());
        outbox.send(messages.next(step.value.text));
      }
    } catch (error) {
      steps.end();
      throw error;
    } finally {
      steps.release();
    }
  }

  /** Waits for a client that reads slowly. Throws where the operation is ended meanwhile. */
  async #waitUntilWritable(): Promise<void> {
    const { outbox } = this.#options;
    while (outbox.isFull && !this.signal.aborted) await outbox.waitForDrain();
    this.signal.throwIfAborted();
  }

  #end(...messages: WireMessage[]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isHeard = !(this.signal.aborted && this.signal.reason instanceof ClientDisconnectedError);
    // First, so that the client may use the id again as soon as it hears of the end.
    this.#options.onEnd();
    if (isHeard && messages.length > 0) this.#options.outbox.send(...messages);
  }
}
