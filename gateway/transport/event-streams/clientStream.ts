import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { AnswerContent } from '../../response/outcome.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { Heartbeat } from '../heartbeat.ts';
import type { AnswerHeaders } from '../http/answer.ts';
import { subscriptionEvents } from '../http/eventStream.ts';
import { writeStreamHead } from '../http/payloadStream.ts';
import {
  MultiplexedOperation,
  type OperationMessages,
  type WireMessage,
} from '../multiplexed/multiplexedOperation.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import { StreamOutbox } from './streamOutbox.ts';

export interface ClientStreamSettings {
  /** Most operations at a time. */
  readonly operationsPerStream: number;
  /** Bytes that may wait for a client that reads slowly, or that has not opened the stream yet. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of them loses its connection. */
  readonly readTimeout: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeat: number;
  /** Milliseconds in which a reserved stream has to be opened. */
  readonly reservationTimeout: number;
  readonly timers: Timers;
}

export interface ClientStreamOptions extends ClientStreamSettings {
  /** It is over, or was never opened. Called once. */
  readonly onEnd: () => void;
}

type State =
  | { readonly kind: 'reserved'; readonly cancelExpiry: CancelTimer }
  | { readonly kind: 'open'; readonly response: ServerResponse; readonly heartbeat: Heartbeat }
  | { readonly kind: 'over' };

/** The stream of events for all operations of one client, as graphql-sse's "single connection mode" has it: reserved
 *  first, opened once, and over with its connection. */
export class ClientStream {
  readonly #options: ClientStreamOptions;
  readonly #operations = new Map<string, MultiplexedOperation>();
  readonly #outbox: StreamOutbox;
  readonly #over = Promise.withResolvers<void>();
  #state: State;
  #isDraining = false;

  constructor(options: ClientStreamOptions) {
    const { bufferSize, readTimeout, reservationTimeout, timers } = options;
    this.#options = options;
    this.#outbox = new StreamOutbox({ bufferSize, readTimeout, onSend: () => this.#noteLife() });
    this.#state = {
      kind: 'reserved',
      cancelExpiry: timers.after(reservationTimeout, () => this.#end()),
    };
  }

  /** Opens it as the answer to a request. Resolves when it is over. `signal`: ends it, silently where the client is
   *  gone, else with an error for each operation. Throws a `Refusal` (409) where it is open already. */
  async open(response: ServerResponse, headers: AnswerHeaders, signal: AbortSignal): Promise<void> {
    if (this.#state.kind !== 'reserved') {
      throw new Refusal(409, 'This event stream is open already. Reserve another one with PUT.');
    }
    this.#state.cancelExpiry();
    const { timers, heartbeat } = this.#options;
    writeStreamHead(response, subscriptionEvents, headers);
    response.write(subscriptionEvents.opening);
    this.#state = {
      kind: 'open',
      response,
      heartbeat: new Heartbeat({
        timers,
        intervalMs: heartbeat,
        onQuiet: () => {
          // For one who does not read, it would only be more that waits.
          if (!response.writableNeedDrain) response.write(subscriptionEvents.opening);
        },
      }),
    };
    this.#outbox.open(response);
    const abort = (): void => this.#abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    this.#endIfDrained();
    await this.#over.promise;
    signal.removeEventListener('abort', abort);
  }

  /** Begins an operation, which the caller admits, and hands to `deliver` or ends. Throws a `Refusal` for an id that is
   *  in use (409), and where there are as many operations as may be (503). */
  begin(id: string, formatFailure: (reason: unknown) => GraphQLFormattedError): MultiplexedOperation {
    const { operationsPerStream } = this.#options;
    if (this.#operations.has(id)) {
      throw new Refusal(
        409,
        'There is an operation with this extensions.operationId already. Take another one, or end that one with DELETE.',
      );
    }
    if (this.#operations.size >= operationsPerStream) {
      throw new Refusal(
        503,
        `There are ${operationsPerStream} operations on this event stream, the most that are allowed (limits.operationsPerSocket). End one, or reserve another stream.`,
        { code: 'OVERLOADED' },
      );
    }
    const operation: MultiplexedOperation = new MultiplexedOperation({
      messages: messagesOf(id),
      outbox: this.#outbox,
      formatFailure,
      onEndless: () => this.#endIfDrained(),
      onEnd: () => {
        // The client may have ended it, and begun another one with this id.
        if (this.#operations.get(id) === operation) this.#operations.delete(id);
      },
    });
    this.#operations.set(id, operation);
    return operation;
  }

  /** After an operation, whatever came of it. */
  settled(): void {
    this.#endIfDrained();
  }

  /** Ends an operation without a word, if it is still there. */
  endOperation(id: string): void {
    this.#operations.get(id)?.abort(new ClientGone());
    this.#operations.delete(id);
    this.#endIfDrained();
  }

  /** Ends as soon as no query or mutation runs on it: the client would send them again. */
  drain(): void {
    this.#isDraining = true;
    this.#endIfDrained();
  }

  #abort(reason: Error): void {
    if (reason instanceof ClientGone) this.#end();
    else for (const operation of [...this.#operations.values()]) operation.abort(reason);
  }

  #noteLife(): void {
    if (this.#state.kind === 'open') this.#state.heartbeat.note();
  }

  #endIfDrained(): void {
    if (!this.#isDraining) return;
    for (const operation of this.#operations.values()) if (!operation.isEndless) return;
    this.#end();
  }

  // Without a `complete` for what goes on: that makes clients come back.
  #end(): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#state = { kind: 'over' };
    if (state.kind === 'reserved') state.cancelExpiry();
    else state.heartbeat.stop();
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation.abort(new ClientGone());
    this.#outbox.close();
    if (state.kind === 'open') state.response.end();
    this.#options.onEnd();
    this.#over.resolve();
  }
}

function messagesOf(id: string): OperationMessages {
  const idText = JSON.stringify(id);
  const complete = `event: complete\ndata: {"id":${idText}}\n\n`;
  const next = (payload: AnswerContent): WireMessage => {
    const before = `event: next\ndata: {"id":${idText},"payload":`;
    if (typeof payload === 'string') return `${before}${payload}}\n\n`;
    const parts = Buffer.isBuffer(payload) ? [payload] : payload;
    return Buffer.concat([Buffer.from(before), ...parts, Buffer.from('}\n\n')]);
  };
  return {
    next,
    complete: () => complete,
    failed: (errors) => [next(JSON.stringify({ errors })), complete],
  };
}
