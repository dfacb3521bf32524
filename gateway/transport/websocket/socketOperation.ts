import type { GraphQLFormattedError } from 'graphql';
import { MessageType } from 'graphql-ws';
import type { IncrementalFormat } from '../../operation/request.ts';
import {
  type AnswerContent,
  type IncrementalOutcome,
  type SubscriptionOutcome,
  textOf,
} from '../../response/outcome.ts';
import { AbortableSteps } from '../abortableSteps.ts';
import type { Admission, CompleteAdmission } from '../admission/admission.ts';
import { formatFailure, type HeaderMap } from '../admission/apolloServer.ts';
import { ClientRequest } from '../admission/clientRequest.ts';
import { hasNext } from '../http/payloadEncoding.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import type { TransportLog } from '../transportLog.ts';
import type { Outbox } from './outbox.ts';

export interface SocketOperationOptions {
  readonly id: string;
  /** What HTTP would have as its body. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: HeaderMap;
  readonly requestId: string;
  readonly incremental: IncrementalFormat | undefined;
  readonly admission: Admission;
  readonly outbox: Outbox;
  readonly log: TransportLog;
  /** It is a subscription, and goes on for as long as there are events. */
  readonly onEndless: () => void;
  /** Called once, before the client is told, whatever came of it. */
  readonly onEnd: () => void;
}

/** One operation on a socket. */
export class SocketOperation {
  readonly #options: SocketOperationOptions;
  readonly #controller = new AbortController();
  #isEndless = false;
  #hasEnded = false;

  constructor(options: SocketOperationOptions) {
    this.#options = options;
  }

  get isEndless(): boolean {
    return this.#isEndless;
  }

  /** Ends it: silently when the reason is `ClientGone`, else with an error. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Executes the operation and sends what comes of it. Never rejects. */
  async run(): Promise<void> {
    const { admission, body, headers, incremental, requestId } = this.#options;
    const client = new ClientRequest({
      headers,
      incremental,
      takesSubscriptions: true,
      isReadOnly: false,
      lastEventId: undefined,
      requestId,
      signal: this.#signal,
    });
    try {
      admission.checkReady();
      const answer = await admission.admit(
        { method: 'POST', search: '', body, headers, takesArrays: false },
        client,
      );
      if (answer.kind === 'complete') await this.#sendComplete(answer);
      else if (answer.outcome.kind === 'incremental') await this.#sendPayloads(answer.outcome);
      else await this.#sendEvents(answer.outcome);
    } catch (error) {
      this.#end(this.#message(MessageType.Error, JSON.stringify([this.#format(error)])));
    } finally {
      client.releaseSupergraph();
    }
  }

  get #signal(): AbortSignal {
    return this.#controller.signal;
  }

  async #sendComplete({ content, isExecuted }: CompleteAdmission): Promise<void> {
    await this.#whenWritable();
    if (!isExecuted) {
      const { data, errors } = JSON.parse(textOf(content)) as { data?: unknown; errors?: unknown };
      if (data === undefined) {
        this.#end(this.#message(MessageType.Error, JSON.stringify(errors)));
        return;
      }
    }
    this.#end(this.#message(MessageType.Next, content), this.#complete);
  }

  async #sendPayloads({ payloads }: IncrementalOutcome): Promise<void> {
    let hasBegun = false;
    const steps = new AbortableSteps(payloads[Symbol.asyncIterator](), this.#signal);
    try {
      for (;;) {
        const step = await steps.next();
        if (step === 'aborted') throw this.#signal.reason;
        const batch = step.done === true ? [JSON.stringify({ hasNext: false })] : step.value;
        if (batch.length === 0) continue;
        await this.#whenWritable();
        hasBegun = true;
        const messages = batch.map((payload) => this.#message(MessageType.Next, payload));
        if (!hasNext(batch.at(-1) as string)) {
          this.#end(...messages, this.#complete);
          steps.end();
          return;
        }
        this.#options.outbox.send(...messages);
        await this.#whenWritable();
      }
    } catch (error) {
      steps.end();
      if (!hasBegun) throw error;
      // The client keeps the data that it has; an error message would have it thrown away.
      const last = JSON.stringify({ errors: [this.#format(error)], hasNext: false });
      this.#end(this.#message(MessageType.Next, last), this.#complete);
    } finally {
      steps.release();
    }
  }

  async #sendEvents({ events }: SubscriptionOutcome): Promise<void> {
    const steps = new AbortableSteps(events[Symbol.asyncIterator](), this.#signal);
    this.#isEndless = true;
    this.#options.onEndless();
    try {
      for (;;) {
        await this.#whenWritable();
        const step = await steps.next();
        if (step === 'aborted') throw this.#signal.reason;
        await this.#whenWritable();
        if (step.done === true) return this.#end(this.#complete);
        this.#options.outbox.send(this.#message(MessageType.Next, step.value.text));
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
    while (outbox.isFull && !this.#signal.aborted) await outbox.drained();
    this.#signal.throwIfAborted();
  }

  #end(...messages: (string | Buffer)[]): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const isHeard = !(this.#signal.aborted && this.#signal.reason instanceof ClientGone);
    // First, so that the client may use the id again as soon as it hears of the end.
    this.#options.onEnd();
    if (isHeard) this.#options.outbox.send(...messages);
  }

  get #complete(): string {
    return JSON.stringify({ id: this.#options.id, type: MessageType.Complete });
  }

  #message(type: MessageType, payload: AnswerContent): string | Buffer {
    const before = `{"id":${JSON.stringify(this.#options.id)},"type":"${type}","payload":`;
    if (typeof payload === 'string') return `${before}${payload}}`;
    const parts = Buffer.isBuffer(payload) ? [payload] : payload;
    return Buffer.concat([Buffer.from(before), ...parts, Buffer.from('}')]);
  }

  #format(error: unknown): GraphQLFormattedError {
    if (error instanceof Refusal) return error.toFormatted();
    const { requestId, log } = this.#options;
    return formatFailure(error, { requestId, signal: this.#signal }, log);
  }
}
