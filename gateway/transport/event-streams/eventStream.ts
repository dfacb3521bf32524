import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { subscriptionEventEncoding } from '../http/serverSentEvents.ts';
import { writeStreamHead } from '../http/writePayloads.ts';
import type { ResponseHeaders } from '../http/writeResponse.ts';
import { HeartbeatTimer } from '../streams/heartbeatTimer.ts';
import {
  MultiplexedOperation,
  type OperationMessages,
  type WireMessage,
} from '../streams/multiplexedOperation.ts';
import { EventStreamOutbox } from './eventStreamOutbox.ts';

export interface EventStreamSettings {
  /** Most operations at a time. */
  readonly maxOperations: number;
  /** Bytes that may wait for a client that reads slowly, or that has not opened the stream yet. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of them loses its connection. */
  readonly readTimeoutMs: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds in which a reserved stream has to be opened. */
  readonly reservationTimeoutMs: number;
  readonly timers: Timers;
}

interface EventStreamOptions extends EventStreamSettings {
  /** It is over, or was never opened. Called once. */
  readonly onEnd: () => void;
}

type StreamState =
  | { readonly kind: 'reserved'; readonly cancelExpiry: CancelTimer }
  | { readonly kind: 'open'; readonly response: ServerResponse; readonly heartbeat: HeartbeatTimer }
  | { readonly kind: 'over' };

/** The stream of events for all operations of one client, as graphql-sse's "single connection mode" has it: reserved
 *  first, opened once, and over with its connection. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #operations = new Map<string, MultiplexedOperation>();
  readonly #outbox: EventStreamOutbox;
  readonly #closed = Promise.withResolvers<void>();
  #state: StreamState;
  #isDraining = false;

  constructor(options: EventStreamOptions) {
    const { bufferSize, readTimeoutMs, reservationTimeoutMs, timers } = options;
    this.#options = options;
    this.#outbox = new EventStreamOutbox({
      bufferSize,
      readTimeoutMs,
      onSend: () => this.#recordActivity(),
    });
    this.#state = {
      kind: 'reserved',
      cancelExpiry: timers.after(reservationTimeoutMs, () => this.#close()),
    };
  }

  /** Opens it as the answer to a request. Resolves when it is over. `signal`: ends it, silently where the client is
   *  gone, else with an error for each operation. Throws a `Refusal` (409) where it is open already. */
  async open(response: ServerResponse, headers: ResponseHeaders, signal: AbortSignal): Promise<void> {
    if (this.#state.kind !== 'reserved') {
      throw new HttpError(409, 'This event stream is open already. Reserve another one with PUT.');
    }
    this.#state.cancelExpiry();
    const { timers, heartbeatIntervalMs } = this.#options;
    writeStreamHead(response, subscriptionEventEncoding, headers);
    response.write(subscriptionEventEncoding.opening);
    this.#state = {
      kind: 'open',
      response,
      heartbeat: new HeartbeatTimer({
        timers,
        intervalMs: heartbeatIntervalMs,
        onIdle: () => {
          // For one who does not read, it would only be more that waits.
          if (!response.writableNeedDrain) response.write(subscriptionEventEncoding.opening);
        },
      }),
    };
    this.#outbox.open(response);
    const abort = (): void => this.#abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    this.#endIfDrained();
    await this.#closed.promise;
    signal.removeEventListener('abort', abort);
  }

  /** Begins an operation, which the caller admits, and hands to `deliver` or ends. Throws a `Refusal` for an id that is
   *  in use (409), and where there are as many operations as may be (503). */
  startOperation(
    id: string,
    formatFailure: (reason: unknown) => GraphQLFormattedError,
  ): MultiplexedOperation {
    const { maxOperations } = this.#options;
    if (this.#operations.has(id)) {
      throw new HttpError(
        409,
        'There is an operation with this extensions.operationId already. Take another one, or end that one with DELETE.',
      );
    }
    if (this.#operations.size >= maxOperations) {
      throw new HttpError(
        503,
        `There are ${maxOperations} operations on this event stream, the most that are allowed (limits.operationsPerSocket). End one, or reserve another stream.`,
        { code: 'OVERLOADED' },
      );
    }
    const operation: MultiplexedOperation = new MultiplexedOperation({
      messages: messagesOf(id),
      outbox: this.#outbox,
      formatFailure,
      onSubscription: () => this.#endIfDrained(),
      onEnd: () => {
        // The client may have ended it, and begun another one with this id.
        if (this.#operations.get(id) === operation) this.#operations.delete(id);
      },
    });
    this.#operations.set(id, operation);
    return operation;
  }

  /** After an operation, whatever came of it. */
  notifyOperationEnd(): void {
    this.#endIfDrained();
  }

  /** Ends an operation without a word, if it is still there. */
  endOperation(id: string): void {
    this.#operations.get(id)?.abort(new ClientDisconnectedError());
    this.#operations.delete(id);
    this.#endIfDrained();
  }

  /** Ends as soon as no query or mutation runs on it: the client would send them again. */
  drain(): void {
    this.#isDraining = true;
    this.#endIfDrained();
  }

  #abort(reason: Error): void {
    if (reason instanceof ClientDisconnectedError) this.#close();
    else for (const operation of [...this.#operations.values()]) operation.abort(reason);
  }

  #recordActivity(): void {
    if (this.#state.kind === 'open') this.#state.heartbeat.recordActivity();
  }

  #endIfDrained(): void {
    if (!this.#isDraining) return;
    for (const operation of this.#operations.values()) if (!operation.isSubscription) return;
    this.#close();
  }

  // Without a `complete` for what goes on: that makes clients come back.
  #close(): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#state = { kind: 'over' };
    if (state.kind === 'reserved') state.cancelExpiry();
    else state.heartbeat.stop();
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation.abort(new ClientDisconnectedError());
    this.#outbox.close();
    if (state.kind === 'open') state.response.end();
    this.#options.onEnd();
    this.#closed.resolve();
  }
}

function messagesOf(id: string): OperationMessages {
  const idText = JSON.stringify(id);
  const complete = `event: complete\ndata: {"id":${idText}}\n\n`;
  const next = (payload: ResponseContent): WireMessage => {
    const before = `event: next\ndata: {"id":${idText},"payload":`;
    if (typeof payload === 'string') return `${before}${payload}}\n\n`;
    const parts = Buffer.isBuffer(payload) ? [payload] : payload;
    return Buffer.concat([Buffer.from(before), ...parts, Buffer.from('}\n\n')]);
  };
  return {
    next,
    complete: () => complete,
    fail: (errors) => [next(JSON.stringify({ errors })), complete],
  };
}
