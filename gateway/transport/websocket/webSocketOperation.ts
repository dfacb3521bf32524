import { MessageType } from 'graphql-ws';
import type { Admission } from '../../admission/admission.ts';
import { formatFailure, type HeaderMap } from '../../admission/apolloPipeline.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { HttpError } from '../../admission/httpError.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import {
  MultiplexedOperation,
  type OperationMessages,
  type WireMessage,
} from '../streams/multiplexedOperation.ts';
import type { WebSocketOutbox } from './webSocketOutbox.ts';

interface WebSocketOperationOptions {
  readonly id: string;
  /** The body that a POST request with the operation would have. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: HeaderMap;
  readonly connectionParams: Readonly<Record<string, unknown>>;
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  readonly incremental: IncrementalFormat | undefined;
  readonly admission: Admission;
  readonly outbox: WebSocketOutbox;
  readonly log: TransportLog;
  /** Called when the operation is a subscription, which may run indefinitely. */
  readonly onSubscription: () => void;
  /** Called once when the operation has ended for any reason, before the final messages are sent. */
  readonly onEnd: () => void;
}

/** One operation on a client's WebSocket. */
export class WebSocketOperation {
  readonly #options: WebSocketOperationOptions;
  readonly #operation: MultiplexedOperation;

  constructor(options: WebSocketOperationOptions) {
    const { id, requestId, outbox, log, onSubscription, onEnd } = options;
    this.#options = options;
    this.#operation = new MultiplexedOperation({
      messages: messagesOf(id),
      outbox,
      formatFailure: (reason) =>
        reason instanceof HttpError
          ? reason.toFormatted()
          : formatFailure(reason, { requestId, signal: this.#operation.signal }, log),
      onSubscription,
      onEnd,
    });
  }

  get isSubscription(): boolean {
    return this.#operation.isSubscription;
  }

  /** Ends the operation: without a message when `reason` is a `ClientDisconnectedError`, otherwise with an error. */
  abort(reason: Error): void {
    this.#operation.abort(reason);
  }

  /** Executes the operation and sends its response. Never rejects. */
  async run(): Promise<void> {
    const { admission, body, headers, incremental, connectionParams, clientAddress, requestId } =
      this.#options;
    const client = new ClientRequest({
      headers,
      incremental,
      acceptsSubscriptions: true,
      isReadOnly: false,
      lastEventId: undefined,
      connectionParams,
      clientAddress,
      requestId,
      signal: this.#operation.signal,
    });
    try {
      admission.checkReady();
      const request = { method: 'POST', search: '', body, headers, acceptsArrays: false };
      await this.#operation.deliver(await admission.admit(request, client));
    } catch (error) {
      this.#operation.fail(error);
    } finally {
      client.releaseSupergraph();
    }
  }
}

function messagesOf(id: string): OperationMessages {
  return {
    next: (payload) => message(id, MessageType.Next, payload),
    complete: () => JSON.stringify({ id, type: MessageType.Complete }),
    fail: (errors) => [message(id, MessageType.Error, JSON.stringify(errors))],
  };
}

function message(id: string, type: MessageType, payload: ResponseContent): WireMessage {
  const before = `{"id":${JSON.stringify(id)},"type":"${type}","payload":`;
  if (typeof payload === 'string') return `${before}${payload}}`;
  const parts = Buffer.isBuffer(payload) ? [payload] : payload;
  return Buffer.concat([Buffer.from(before), ...parts, Buffer.from('}')]);
}
