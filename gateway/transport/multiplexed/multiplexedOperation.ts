import type { GraphQLFormattedError } from 'graphql';
import {
  type AnswerContent,
  type IncrementalOutcome,
  type SubscriptionOutcome,
  textOf,
} from '../../response/outcome.ts';
import { AbortableSteps } from '../abortableSteps.ts';
import type { Admitted, CompleteAdmission } from '../admission/admission.ts';
import { hasNext } from '../http/payloadEncoding.ts';
import { ClientGone } from '../refusal.ts';

export type WireMessage = string | Buffer;

/** What goes to a client over a connection that several operations share. */
export interface SharedOutbox {
  /** The client has enough to read. */
  readonly isFull: boolean;
  /** Resolves when the client has read enough for more, or nobody has to wait any longer. */
  drained(): Promise<void>;
  /** Sends messages in one write, whatever waits already. */
  send(...messages: WireMessage[]): void;
}

/** How one operation's answer looks among those of others. */
export interface OperationMessages {
  next(payload: AnswerContent): WireMessage;
  complete(): WireMessage;
  /** All that comes of an operation that has ended by errors, where its last payload cannot have them. */
  failed(errors: readonly GraphQLFormattedError[]): readonly WireMessage[];
}

export interface MultiplexedOperationOptions {
  readonly messages: OperationMessages;
  readonly outbox: SharedOutbox;
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
  /** It is a subscription, and goes on for as long as there are events. */
  readonly onEndless: () => void;
  /** Called once, before the client is told, whatever came of it. */
  readonly onEnd: () => void;
}

/** One operation of several on a connection: its end, and the way of its answer to the client. */
export class MultiplexedOperation {
  readonly #options: MultiplexedOperationOptions;
  readonly #controller = new AbortController();
  #isEndless = false;
  #hasEnded = false;

  constructor(options: MultiplexedOperationOptions) {
    this.#options = options;
  }

  get isEndless(): boolean {
    return this.#isEndless;
  }

  /** Ends all that is done for it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends it: silently when the reason is `ClientGone`, else with an error. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Sends what was admitted, to its end. Never rejects. */
  async deliver(answer: Admitted): Promise<void> {
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
    this.#end(...messages.failed([formatFailure(error)]));
  }

  /** Ends it without a word. */
  drop(): void {
    this.#end();
  }

  async #sendComplete({ content, isExecuted }: CompleteAdmission): Promise<void> {
    const { messages } = this.#options;
    await this.#whenWritable();
    if (!isExecuted) {
      const { data, errors } = JSON.parse(textOf(content)) as {
        data?: unknown;
        errors?: readonly GraphQLFormattedError[];
      };
      if (data === undefined) {
        this.#end(...messages.failed(errors ?? []));
        return;
      }
    }
    this.#end(messages.next(content), messages.complete());
  }

  async #sendPayloads({ payloads }: IncrementalOutcome): Promise<void> {
    const { messages, outbox, formatFailure } = this.#options;
    let hasBegun = false;
    const steps = new AbortableSteps(payloads[Symbol.asyncIterator](), this.signal);
    try {
      for (;;) {
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        const batch = step.done === true ? [JSON.stringify({ hasNext: false })] : step.value;
        if (batch.length === 0) continue;
        await this.#whenWritable();
        hasBegun = true;
        const nexts = batch.map((payload) => messages.next(payload));
        if (!hasNext(batch.at(-1) as string)) {
          this.#end(...nexts, messages.complete());
          steps.end();
          return;
        }
        outbox.send(...nexts);
        await this.#whenWritable();
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
    const steps = new AbortableSteps(events[Symbol.asyncIterator](), this.signal);
    this.#isEndless = true;
    this.#options.onEndless();
    try {
      for (;;) {
        await this.#whenWritable();
        const step = await steps.next();
        if (step === 'aborted') throw this.signal.reason;
        await this.#whenWritable();
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
  async #whenWritable(): Promise<void> {
    const { outbox } = this.#options;
    while (outbox.isFull && !this.signal.aborted) await outbox.drained();
    this.signal.throwIfAborted();
  }

  #end(...messages: WireMessage[]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isHeard = !(this.signal.aborted && this.signal.reason instanceof ClientGone);
    // First, so that the client may use the id again as soon as it hears of the end.
    this.#options.onEnd();
    if (isHeard && messages.length > 0) this.#options.outbox.send(...messages);
  }
}
