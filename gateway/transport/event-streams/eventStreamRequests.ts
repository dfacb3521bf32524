import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission, AdmissionResult, CompleteResult } from '../../admission/admission.ts';
import type { HeaderMap } from '../../admission/apolloPipeline.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import { negotiateFormats } from '../http/negotiateFormats.ts';
import { readGetParameters } from '../http/readGetParameters.ts';
import { type ResponseHeaders, writeResponse } from '../http/writeResponse.ts';
import type { MultiplexedOperation } from '../streams/multiplexedOperation.ts';
import type { EventStream } from './eventStream.ts';
import type { EventStreamRegistry } from './eventStreamRegistry.ts';

/** One HTTP request about an event stream, and how it is answered. */
export interface EventStreamExchange {
  readonly method: string;
  /** The query string with its `?`, or empty. */
  readonly search: string;
  readonly accept: string | undefined;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Aborted when the client is gone, or the gateway cannot wait any longer. */
  readonly signal: AbortSignal;
  /** Who asks, for limits. */
  readonly clientKey: string;
  readonly clientAddress: string | undefined;
  /** The client's headers for Apollo Server and for subgraphs. */
  readonly clientHeaders: HeaderMap;
  /** Headers of every answer, and those of this one. */
  headers(own: Readonly<Record<string, string>>): ResponseHeaders;
  readBody(): Promise<unknown>;
  /** Answers as HTTP answers an operation. */
  writeComplete(answer: CompleteResult): void;
  /** `signal`: of the operation. */
  formatFailure(reason: unknown, signal: AbortSignal): GraphQLFormattedError;
}

interface EventStreamRequestsOptions {
  readonly admission: Admission;
  readonly eventStreams: EventStreamRegistry;
}

/** Answers the requests of graphql-sse's "single connection mode": PUT reserves a stream, GET opens it, operations that
 *  name it are accepted (202) and answered on it, DELETE ends one of them. */
export class EventStreamRequests {
  readonly #options: EventStreamRequestsOptions;

  constructor(options: EventStreamRequestsOptions) {
    this.#options = options;
  }

  /** `token`: of the stream that the request is about. Throws a `Refusal`, and what executing threw. */
  async handle(exchange: EventStreamExchange, token: string | undefined): Promise<void> {
    const { method, response } = exchange;
    const { admission, eventStreams } = this.#options;
    if (method === 'PUT') {
      admission.checkReady();
      const reserved = eventStreams.reserve(exchange.clientKey);
      const headers = exchange.headers({ 'content-type': 'text/plain; charset=utf-8' });
      return writeResponse(response, 201, headers, reserved);
    }
    if (token === undefined) throw missingTokenError();
    const stream = eventStreams.find(token);
    if (method === 'DELETE') {
      const id = new URLSearchParams(exchange.search).get('operationId');
      if (id === null) throw new HttpError(400, 'Say which operation is to end: ?operationId=…');
      stream.endOperation(id);
      return writeResponse(response, 200, exchange.headers({}), '');
    }
    if (negotiateFormats(exchange.accept).prefersEvents) {
      return stream.open(response, exchange.headers({}), exchange.signal);
    }
    admission.checkReady();
    await this.#execute(exchange, stream);
  }

  async #execute(exchange: EventStreamExchange, stream: EventStream): Promise<void> {
    const { method, search, signal } = exchange;
    const body = method === 'GET' ? readGetParameters(search) : await exchange.readBody();
    const operation: MultiplexedOperation = stream.startOperation(operationIdOf(body), (reason) =>
      exchange.formatFailure(reason, operation.signal),
    );
    // Until it is accepted, it is the request's as well.
    const abort = (): void => operation.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const client = clientRequestOf(exchange, operation.signal);
    const settle = (): void => {
      client.releaseSupergraph();
      stream.notifyOperationEnd();
    };
    let isDelivered = false;
    try {
      const answer = await this.#admit(exchange, client, body);
      if (answer.kind === 'complete' && answer.status >= 300) {
        operation.signal.throwIfAborted();
        operation.discard();
        return exchange.writeComplete(answer);
      }
      respondAccepted(exchange);
      // The request ends here; parts and events come on the stream.
      isDelivered = true;
      void operation.deliver(answer).then(settle);
    } catch (error) {
      if (!operation.signal.aborted) {
        operation.discard();
        throw error;
      }
      // The client has ended it, or its stream; or the gateway ends, which is told where the answer was to come.
      operation.fail(operation.signal.reason);
      if (!(signal.reason instanceof ClientDisconnectedError)) respondAccepted(exchange);
    } finally {
      signal.removeEventListener('abort', abort);
      if (!isDelivered) settle();
    }
  }

  #admit(
    { method, search, clientHeaders: headers }: EventStreamExchange,
    client: ClientRequest,
    body: unknown,
  ): Promise<AdmissionResult> {
    return this.#options.admission.admit(
      method === 'GET'
        ? { method, search, body: undefined, headers, acceptsArrays: false }
        : { method: 'POST', search: '', body, headers, acceptsArrays: false },
      client,
    );
  }
}

function respondAccepted(exchange: EventStreamExchange): void {
  writeResponse(exchange.response, 202, exchange.headers({}), '');
}

function clientRequestOf(exchange: EventStreamExchange, signal: AbortSignal): ClientRequest {
  return new ClientRequest({
    headers: exchange.clientHeaders,
    // The header is about the answer to this request: there is one format for the stream unless another is named.
    incremental: negotiateFormats(exchange.accept).incremental ?? 'deferSpec=20220824',
    acceptsSubscriptions: true,
    isReadOnly: exchange.method === 'GET',
    lastEventId: undefined,
    clientAddress: exchange.clientAddress,
    requestId: exchange.requestId,
    signal,
  });
}

function operationIdOf(body: unknown): string {
  const { extensions } = (body ?? {}) as { readonly extensions?: { readonly operationId?: unknown } | null };
  const id = extensions?.operationId;
  if (typeof id === 'string' && id !== '') return id;
  throw new HttpError(
    400,
    'An operation of an event stream needs an id, by which its events are told from those of others: {"query": "…", "extensions": {"operationId": "…"}}.',
  );
}

function missingTokenError(): HttpError {
  return new HttpError(
    400,
    'Say which event stream this is about, with the token that PUT has answered: x-graphql-event-stream-token.',
  );
}
