import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission, Admitted, CompleteAdmission } from '../admission/admission.ts';
import type { HeaderMap } from '../admission/apolloServer.ts';
import { ClientRequest } from '../admission/clientRequest.ts';
import { type AnswerHeaders, writeAnswer } from '../http/answer.ts';
import { readGetParameters } from '../http/getParameters.ts';
import { negotiate } from '../http/negotiate.ts';
import type { MultiplexedOperation } from '../multiplexed/multiplexedOperation.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import type { ClientStream } from './clientStream.ts';
import type { EventStreams } from './eventStreams.ts';

/** One HTTP request about an event stream, and how it is answered. */
export interface StreamExchange {
  readonly method: string;
  /** The query string with its `?`, or empty. */
  readonly search: string;
  readonly accept: string | undefined;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Aborted when the client is gone, or the gateway cannot wait any longer. */
  readonly signal: AbortSignal;
  /** Who asks, for limits. */
  readonly client: string;
  readonly clientAddress: string | undefined;
  /** The client's headers for Apollo Server and for subgraphs. */
  readonly clientHeaders: HeaderMap;
  /** Headers of every answer, and those of this one. */
  headers(own: Readonly<Record<string, string>>): AnswerHeaders;
  readBody(): Promise<unknown>;
  /** Answers as HTTP answers an operation. */
  writeComplete(answer: CompleteAdmission): void;
  /** `signal`: of the operation. */
  formatFailure(reason: unknown, signal: AbortSignal): GraphQLFormattedError;
}

export interface StreamRequestsOptions {
  readonly admission: Admission;
  readonly eventStreams: EventStreams;
}

/** Answers the requests of graphql-sse's "single connection mode": PUT reserves a stream, GET opens it, operations that
 *  name it are accepted (202) and answered on it, DELETE ends one of them. */
export class StreamRequests {
  readonly #options: StreamRequestsOptions;

  constructor(options: StreamRequestsOptions) {
    this.#options = options;
  }

  /** `token`: of the stream that the request is about. Throws a `Refusal`, and what executing threw. */
  async answer(exchange: StreamExchange, token: string | undefined): Promise<void> {
    const { method, response } = exchange;
    const { admission, eventStreams } = this.#options;
    if (method === 'PUT') {
      admission.checkReady();
      const reserved = eventStreams.reserve(exchange.client);
      const headers = exchange.headers({ 'content-type': 'text/plain; charset=utf-8' });
      return writeAnswer(response, 201, headers, reserved);
    }
    if (token === undefined) throw tokenMissing();
    const stream = eventStreams.find(token);
    if (method === 'DELETE') {
      const id = new URLSearchParams(exchange.search).get('operationId');
      if (id === null) throw new Refusal(400, 'Say which operation is to end: ?operationId=…');
      stream.endOperation(id);
      return writeAnswer(response, 200, exchange.headers({}), '');
    }
    if (negotiate(exchange.accept).prefersEvents) {
      return stream.open(response, exchange.headers({}), exchange.signal);
    }
    admission.checkReady();
    await this.#execute(exchange, stream);
  }

  async #execute(exchange: StreamExchange, stream: ClientStream): Promise<void> {
    const { method, search, signal } = exchange;
    const body = method === 'GET' ? readGetParameters(search) : await exchange.readBody();
    const operation: MultiplexedOperation = stream.begin(operationIdOf(body), (reason) =>
      exchange.formatFailure(reason, operation.signal),
    );
    // Until it is accepted, it is the request's as well.
    const abort = (): void => operation.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const client = clientOf(exchange, operation.signal);
    const settle = (): void => {
      client.releaseSupergraph();
      stream.settled();
    };
    let isDelivered = false;
    try {
      const answer = await this.#admit(exchange, client, body);
      if (answer.kind === 'complete' && answer.status >= 300) {
        operation.signal.throwIfAborted();
        operation.drop();
        return exchange.writeComplete(answer);
      }
      accept(exchange);
      // The request ends here; parts and events come on the stream.
      isDelivered = true;
      void operation.deliver(answer).then(settle);
    } catch (error) {
      if (!operation.signal.aborted) {
        operation.drop();
        throw error;
      }
      // The client has ended it, or its stream; or the gateway ends, which is told where the answer was to come.
      operation.fail(operation.signal.reason);
      if (!(signal.reason instanceof ClientGone)) accept(exchange);
    } finally {
      signal.removeEventListener('abort', abort);
      if (!isDelivered) settle();
    }
  }

  #admit(
    { method, search, clientHeaders: headers }: StreamExchange,
    client: ClientRequest,
    body: unknown,
  ): Promise<Admitted> {
    return this.#options.admission.admit(
      method === 'GET'
        ? { method, search, body: undefined, headers, takesArrays: false }
        : { method: 'POST', search: '', body, headers, takesArrays: false },
      client,
    );
  }
}

function accept(exchange: StreamExchange): void {
  writeAnswer(exchange.response, 202, exchange.headers({}), '');
}

function clientOf(exchange: StreamExchange, signal: AbortSignal): ClientRequest {
  return new ClientRequest({
    headers: exchange.clientHeaders,
    // The header is about the answer to this request: there is one format for the stream unless another is named.
    incremental: negotiate(exchange.accept).incremental ?? 'deferSpec=20220824',
    takesSubscriptions: true,
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
  throw new Refusal(
    400,
    'An operation of an event stream needs an id, by which its events are told from those of others: {"query": "…", "extensions": {"operationId": "…"}}.',
  );
}

function tokenMissing(): Refusal {
  return new Refusal(
    400,
    'Say which event stream this is about, with the token that PUT has answered: x-graphql-event-stream-token.',
  );
}
