import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission } from '../../admission/admission.ts';
import type { AdmissionResult, CompleteResult } from '../../admission/admissionResult.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { readGetParameters } from '../../admission/getParameters.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { ClientIdentity } from '../../admission/identity.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { RequestSignal } from '../../time/requestAbort.ts';
import type { AcceptedFormats } from '../http/negotiateFormats.ts';
import { type ResponseHeaders, writeResponse } from '../http/writeResponse.ts';
import { type MultiplexedOperation, maxOperationIdLength } from '../streams/multiplexedOperation.ts';
import type { EventStream } from './eventStream.ts';
import type { EventStreamRegistry } from './eventStreamRegistry.ts';

/** One HTTP request about an event stream, and what is needed to respond to it. */
export interface EventStreamExchange {
  readonly method: string;
  /** The query string with its `?`, or empty. */
  readonly search: string;
  readonly accepted: AcceptedFormats;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Aborted when the client disconnects, or the gateway stops waiting for requests. */
  readonly signal: RequestSignal;
  readonly client: ClientIdentity;
  readonly clientAddress: string | undefined;
  /** The client's headers, as Apollo Server and subgraphs get them. */
  readonly clientHeaders: ReadonlyMap<string, string>;
  /** The record of the operation; `undefined` where nothing is recorded. */
  readonly record: RequestRecord | undefined;
  /** The operation's response is sent on the stream: the caller finishes its record. */
  detachRecord(): void;
  /** The headers of every response with those of this one. */
  headers(extra: Readonly<ResponseHeaders>): ResponseHeaders;
  readBody(): Promise<unknown>;
  /** Responds as to an operation without an event stream. */
  writeComplete(result: CompleteResult): Promise<void> | undefined;
  /** `signal`: the operation's. */
  formatFailure(reason: unknown, signal: RequestSignal): GraphQLFormattedError;
}

interface EventStreamRequestsOptions {
  readonly admission: Admission;
  readonly eventStreams: EventStreamRegistry;
}

/** Handles the requests of graphql-sse's "single connection mode": PUT reserves a stream, GET opens it, an operation with
 *  the stream's token is accepted (202) and answered on the stream, DELETE ends an operation. */
export class EventStreamRequests {
  readonly #options: EventStreamRequestsOptions;

  constructor(options: EventStreamRequestsOptions) {
    this.#options = options;
  }

  /** `token`: the token in the request.
   *  @throws {HttpError} for an invalid request. Errors of executing the operation are thrown as they are. */
  async handle(exchange: EventStreamExchange, token: string | undefined): Promise<void> {
    const { method, response } = exchange;
    const { admission, eventStreams } = this.#options;
    if (method === 'PUT') {
      admission.checkReady();
      const reserved = eventStreams.reserve(exchange.client);
      const headers = exchange.headers({ 'content-type': 'text/plain; charset=utf-8' });
      return writeResponse(response, 201, headers, reserved);
    }
    if (token === undefined) throw missingTokenError();
    const stream = eventStreams.find(token, exchange.client);
    if (method === 'DELETE') {
      const id = new URLSearchParams(exchange.search).get('operationId');
      if (id === null)
        throw new HttpError(400, 'DELETE needs the id of the operation to end: ?operationId=…');
      stream.endOperation(id);
      return writeResponse(response, 200, exchange.headers({}), '');
    }
    if (exchange.accepted.prefersEvents) {
      return stream.open(response, exchange.headers({}), exchange.signal);
    }
    admission.checkReady();
    await this.#execute(exchange, stream);
  }

  async #execute(exchange: EventStreamExchange, stream: EventStream): Promise<void> {
    const { method, search, signal, record } = exchange;
    const body = method === 'GET' ? readGetParameters(search) : await exchange.readBody();
    const operation: MultiplexedOperation = stream.startOperation(operationIdOf(body), record, (reason) =>
      exchange.formatFailure(reason, operation.signal),
    );
    // Until the operation is accepted, it ends with the request.
    const abort = (): void => operation.abort(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const client = clientRequestOf(exchange, operation.signal);
    const settle = (): void => {
      client.releaseSupergraph();
      stream.notifyOperationEnd();
    };
    let isAccepted = false;
    try {
      const result = await this.#admit(exchange, client, body);
      if (result.kind === 'complete' && result.status >= 300) {
        operation.signal.throwIfAborted();
        operation.discard();
        return exchange.writeComplete(result);
      }
      respondAccepted(exchange, client);
      // The request ends here; payloads and events are sent on the stream.
      isAccepted = true;
      exchange.detachRecord();
      if (record !== undefined) record.status = 202;
      const { authentication } = this.#options.admission;
      const stopWatching =
        result.kind === 'stream'
          ? authentication.watchExpiry(client.caller, (error) => operation.abort(error))
          : undefined;
      void operation.deliver(result).then(() => {
        stopWatching?.();
        record?.finish();
        settle();
      });
    } catch (error) {
      if (!operation.signal.aborted) {
        operation.discard();
        throw error;
      }
      // The client ended the operation or the stream, or the gateway shuts down: an error on the stream says so.
      operation.fail(operation.signal.reason);
      if (!(signal.reason instanceof ClientDisconnectedError)) respondAccepted(exchange, client);
    } finally {
      signal.removeEventListener('abort', abort);
      if (!isAccepted) settle();
    }
  }

  #admit(
    { clientHeaders: headers }: EventStreamExchange,
    client: ClientRequest,
    body: unknown,
  ): Promise<AdmissionResult> {
    // Also for GET, by which Apollo Server allows only queries. The stream can carry a subscription.
    return this.#options.admission.admit(
      { method: 'POST', search: '', body, headers, acceptsArrays: false },
      client,
    );
  }
}

function respondAccepted(exchange: EventStreamExchange, { responseHeaders }: ClientRequest): void {
  writeResponse(exchange.response, 202, exchange.headers(Object.fromEntries(responseHeaders)), '');
}

function clientRequestOf(exchange: EventStreamExchange, signal: RequestSignal): ClientRequest {
  return new ClientRequest({
    headers: exchange.clientHeaders,
    // `accept` is about this request's response. The stream has a default format, which the header may change.
    incremental: exchange.accepted.incremental ?? 'deferSpec=20220824',
    acceptsSubscriptions: true,
    isReadOnly: exchange.method === 'GET',
    lastEventId: undefined,
    transport: 'event-stream',
    clientAddress: exchange.clientAddress,
    requestId: exchange.requestId,
    record: exchange.record,
    signal,
  });
}

function operationIdOf(body: unknown): string {
  const { extensions } = (body ?? {}) as { readonly extensions?: { readonly operationId?: unknown } | null };
  const id = extensions?.operationId;
  if (typeof id === 'string' && id !== '' && id.length <= maxOperationIdLength) return id;
  throw new HttpError(
    400,
    `An operation on an event stream needs an id of at most ${maxOperationIdLength} characters, which its events carry: {"query": "…", "extensions": {"operationId": "…"}}.`,
  );
}

function missingTokenError(): HttpError {
  return new HttpError(
    400,
    'The request needs the token of an event stream, which PUT returns, in the header x-graphql-event-stream-token.',
  );
}

const tokenHeader = 'x-graphql-event-stream-token';

/** Clients may use a query parameter `token` for other purposes: only a value of this form is an event stream's. */
const tokenPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.\d+)?$/;

/** The event stream token of a request: in a header, or, for browsers' `EventSource`, in the query string. `undefined`
 *  when the request is about no event stream. */
export function readStreamToken({ headers }: IncomingMessage, search: string): string | undefined {
  const header = headers[tokenHeader];
  if (header !== undefined) return String(header);
  if (!search.includes('token=')) return undefined;
  const parameter = new URLSearchParams(search).get('token') ?? '';
  return tokenPattern.test(parameter) ? parameter : undefined;
}
