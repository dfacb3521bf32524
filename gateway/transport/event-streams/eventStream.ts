import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import { InactivityTimer } from '../../time/inactivityTimer.ts';
import type { RequestSignal } from '../../time/requestAbort.ts';
import type { CancelTimer } from '../../time/timers.ts';
import { subscriptionEventEncoding } from '../http/serverSentEvents.ts';
import { writeStreamHead } from '../http/writePayloads.ts';
import type { ResponseHeaders } from '../http/writeResponse.ts';
import { ConnectionOperations } from '../streams/connectionOperations.ts';
import {
  type MultiplexedOperation,
  type OperationMessages,
  type WireMessage,
  wrapPayload,
} from '../streams/multiplexedOperation.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { EventStreamOutbox } from './eventStreamOutbox.ts';

export interface EventStreamSettings extends StreamSettings {
  /** Maximum number of concurrent operations on the stream. */
  readonly maxOperations: number;
}

interface EventStreamOptions extends EventStreamSettings {
  /** Called once when the stream is closed, or its reservation has expired. */
  readonly onEnd: () => void;
}

type StreamState =
  | { readonly kind: 'reserved'; readonly cancelExpiry: CancelTimer }
  | { readonly kind: 'open'; readonly response: ServerResponse; readonly heartbeat: InactivityTimer }
  | { readonly kind: 'closed' };

/** Milliseconds within which the client has to open a reserved stream. */
const reservationTimeoutMs = 10_000;

/** The event stream for all operations of one client, in graphql-sse's "single connection mode": the client reserves it,
 *  opens it once, and it ends with its connection. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #operations: ConnectionOperations;
  readonly #outbox: EventStreamOutbox;
  readonly #closed = Promise.withResolvers<void>();
  #state: StreamState;

  constructor(options: EventStreamOptions) {
    const { bufferSize, readTimeoutMs, timers } = options;
    this.#options = options;
    this.#operations = new ConnectionOperations(options.maxUnreadBytes, () => this.#close());
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

  /** Opens the stream as the response to a request; resolves when the stream is closed. An abort of `signal` closes it
   *  when the client has disconnected, and otherwise ends each operation with an error.
   *  @throws {HttpError} 409 when the stream has been opened before. */
  async open(response: ServerResponse, headers: ResponseHeaders, signal: RequestSignal): Promise<void> {
    if (this.#state.kind !== 'reserved') {
      throw new HttpError(409, 'This event stream has been opened before. Reserve another stream with PUT.');
    }
    this.#state.cancelExpiry();
    const { timers, heartbeatIntervalMs } = this.#options;
    writeStreamHead(response, subscriptionEventEncoding, headers);
    response.write(subscriptionEventEncoding.opening);
    this.#state = {
      kind: 'open',
      response,
      heartbeat: new InactivityTimer({
        timers,
        intervalMs: heartbeatIntervalMs,
        onIdle: () => {
          // A client that does not read would only get more bytes to buffer.
          if (!response.writableNeedDrain) response.write(subscriptionEventEncoding.heartbeat);
        },
      }),
    };
    this.#outbox.open(response);
    const abort = (): void => this.#abort(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    this.#operations.checkDrained();
    await this.#closed.promise;
    signal.removeEventListener('abort', abort);
  }

  /** Registers an operation. The caller admits it, and then calls its `deliver`, `fail` or `discard`.
   *  @throws {HttpError} 404 when the stream has ended, 409 when the id is in use, 503 when the stream has `maxOperations`
   *  operations. */
  startOperation(
    id: string,
    record: RequestRecord | undefined,
    formatFailure: (reason: unknown) => GraphQLFormattedError,
  ): MultiplexedOperation {
    const { maxOperations } = this.#options;
    // The body of a request may arrive after the end of the stream that its head was for.
    if (this.#state.kind === 'closed') throw unknownStreamError();
    if (this.#operations.has(id)) {
      throw new HttpError(
        409,
        'An operation with this extensions.operationId is running on the event stream. Use another id, or end that operation with DELETE.',
      );
    }
    if (this.#operations.size >= maxOperations) {
      throw new HttpError(
        503,
        `The event stream has ${maxOperations} operations, the maximum (limits.operationsPerSocket). End an operation, or reserve another stream.`,
        { code: 'OVERLOADED' },
      );
    }
    return this.#operations.add(id, {
      record,
      messages: messagesOf(id),
      outbox: this.#outbox,
      formatFailure,
    });
  }

  /** To be called after each operation, however it ended. */
  notifyOperationEnd(): void {
    this.#operations.checkDrained();
  }

  /** Ends an operation without a message. Does nothing for an unknown id. */
  endOperation(id: string): void {
    this.#operations.end(id);
  }

  /** Closes the stream as soon as no query or mutation runs on it: a client would send these again. */
  drain(): void {
    this.#operations.drain();
  }

  #abort(reason: Error): void {
    if (reason instanceof ClientDisconnectedError) this.#close();
    else this.#operations.abortAll(reason);
  }

  #recordActivity(): void {
    if (this.#state.kind === 'open') this.#state.heartbeat.recordActivity();
  }

  // Sends no `complete` for open subscriptions, so that clients subscribe again.
  #close(): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    if (state.kind === 'reserved') state.cancelExpiry();
    else state.heartbeat.stop();
    this.#operations.endAll();
    this.#outbox.close();
    if (state.kind === 'open') state.response.end();
    this.#options.onEnd();
    this.#closed.resolve();
  }
}

/** The error for a token that belongs to no stream of the client. */
export function unknownStreamError(): HttpError {
  return new HttpError(
    404,
    'No event stream of this client has this token: the stream has ended, was not opened in time, or belongs to another client or gateway. Reserve a stream with PUT.',
  );
}

function messagesOf(id: string): OperationMessages {
  const idText = JSON.stringify(id);
  const complete = `event: complete\ndata: {"id":${idText}}\n\n`;
  const next = (payload: ResponseContent): WireMessage =>
    wrapPayload(`event: next\ndata: {"id":${idText},"payload":`, payload, '}\n\n');
  return {
    next,
    complete: () => complete,
    fail: (errors) => [next(JSON.stringify({ errors })), complete],
  };
}
