import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission, CompleteResult, StreamResult } from '../../admission/admission.ts';
import { formatFailure, HeaderMap } from '../../admission/apolloPipeline.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { headersOf, statusOf } from '../../admission/errorResponse.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { contentToText, type SubscriptionPayload } from '../../response/executionOutcome.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import type { EventStreamExchange, EventStreamRequests } from '../event-streams/eventStreamRequests.ts';
import { readStreamToken } from '../event-streams/eventStreamRequests.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { clientAddressOf } from '../workers/proxiedRequest.ts';
import { addCachingHeaders } from './cachingHeaders.ts';
import { chooseRequestId } from './chooseRequestId.ts';
import { type CorsOptions, corsHeaders, preflightHeaders } from './cors.ts';
import type { InFlightRequest, InFlightRequests } from './inFlightRequests.ts';
import { incrementalPartEncoding, writeSinglePart } from './multipartIncremental.ts';
import { subscriptionPartEncoding, writeSinglePayload } from './multipartSubscription.ts';
import { type AcceptedFormats, negotiateFormats } from './negotiateFormats.ts';
import { isJsonContentType, readJsonBody } from './readBody.ts';
import { readGetParameters } from './readGetParameters.ts';
import { incrementalEventEncoding, subscriptionEventEncoding, writeSingleEvent } from './serverSentEvents.ts';
import { NoFirstPayloadError, type PayloadStreamOptions, writePayloads } from './writePayloads.ts';
import { type ResponseHeaders, writeErrorResponse, writeResponse } from './writeResponse.ts';

interface GraphQLRouteOptions {
  readonly admission: Admission;
  readonly eventStreamRequests: EventStreamRequests;
  /** Identifies a client for limits, by its headers and address. */
  readonly clientKey: (headers: ReadonlyMap<string, string>, address: string | undefined) => string;
  readonly bodySize: number;
  readonly streamSettings: StreamSettings;
  readonly csrf: boolean;
  readonly cors: CorsOptions | undefined;
  /** The page for a browser's GET; `undefined` when GraphiQL is off. */
  readonly browserPage: BrowserPage | undefined;
  readonly inFlight: InFlightRequests;
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** Creates the handler of the GraphQL route, which uses node:http without Fastify. */
export function createGraphQLRoute(
  options: GraphQLRouteOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const inFlight = options.inFlight.register(request.socket, response);
    const exchange = new GraphQLExchange(options, request, response, inFlight);
    exchange
      .handle()
      .catch((error: unknown) => exchange.handleFailure(error))
      .catch((error: unknown) => {
        // Writing the error response failed too.
        options.log.error({ err: error }, 'Responding to a request failed');
        response.destroy();
      })
      .finally(() => {
        exchange.end();
        inFlight.end();
      });
  };
}

const allowedMethods = 'GET, POST, PUT, DELETE';

class GraphQLExchange {
  readonly #options: GraphQLRouteOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #accepted: AcceptedFormats;
  readonly #requestId: string;
  readonly #inFlight: InFlightRequest;
  readonly #signal: AbortSignal;
  #client: ClientRequest | undefined;

  constructor(
    options: GraphQLRouteOptions,
    request: IncomingMessage,
    response: ServerResponse,
    inFlight: InFlightRequest,
  ) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#inFlight = inFlight;
    this.#signal = inFlight.signal;
    this.#accepted = negotiateFormats(request.headers.accept);
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
  }

  async handle(): Promise<void> {
    const { admission, browserPage } = this.#options;
    const method = this.#request.method ?? '';
    if (method === 'OPTIONS') return this.#respondToPreflight();
    if (!/^(GET|POST|PUT|DELETE)$/.test(method)) throw methodNotAllowedError();
    const search = queryStringOf(this.#request.url ?? '');
    const token = readStreamToken(this.#request, search);
    if (token !== undefined || method === 'PUT' || method === 'DELETE') {
      return this.#options.eventStreamRequests.handle(this.#eventStreamExchange(method, search), token);
    }
    if (method === 'GET' && browserPage !== undefined && this.#accepted.prefersHtml) {
      return writeResponse(
        this.#response,
        browserPage.status,
        this.#headers({ 'content-type': 'text/html; charset=utf-8' }),
        browserPage.html,
      );
    }
    const { single, incremental, subscription } = this.#accepted;
    if (single === undefined && incremental === undefined && subscription === undefined) {
      throw new HttpError(
        406,
        'The accept header allows no media type of the gateway. Accept application/graphql-response+json, application/json, multipart/mixed, or text/event-stream.',
      );
    }
    admission.checkReady();
    const body = method === 'POST' ? await this.#readBody() : undefined;
    await this.#execute(method, search, body);
  }

  /** Responds to an error of `handle`. Does nothing when the client has disconnected. */
  handleFailure(error: unknown): void {
    const abortReason: unknown = this.#signal.reason;
    if (error instanceof ClientDisconnectedError || abortReason instanceof ClientDisconnectedError) return;
    if (this.#response.headersSent) {
      this.#options.log.error(
        { err: error, requestId: this.#requestId },
        'A response failed after its start',
      );
      this.#response.destroy();
      return;
    }
    if (error instanceof HttpError) {
      const { status } = error;
      this.#writeErrors(status, error.headers, [error.toFormatted()], httpLevelStatuses.has(status));
      return;
    }
    const cause = error instanceof NoFirstPayloadError ? error.cause : error;
    const formatted = this.#formatFailure(cause);
    const headers = Object.fromEntries(headersOf(formatted));
    this.#writeErrors(statusOf(formatted) ?? 500, headers, [formatted], false);
  }

  #writeErrors(
    status: number,
    extraHeaders: Readonly<Record<string, string>>,
    errors: readonly GraphQLFormattedError[],
    isHttpError: boolean,
  ): void {
    const headers = this.#headers(extraHeaders);
    if (this.#accepted.prefersEvents && !isHttpError) {
      writeSingleEvent(this.#response, headers, JSON.stringify({ errors }));
    } else {
      writeErrorResponse(this.#response, status, this.#accepted.single, headers, errors);
    }
  }

  #formatFailure(reason: unknown, signal = this.#signal): GraphQLFormattedError {
    return formatFailure(reason, { requestId: this.#requestId, signal }, this.#options.log);
  }

  /** Releases what the request holds. To be called after the response, however it ended. */
  end(): void {
    this.#client?.releaseSupergraph();
  }

  async #readBody(): Promise<unknown> {
    const { headers } = this.#request;
    if (isJsonContentType(headers['content-type'])) {
      return readJsonBody(this.#request, this.#options.bodySize);
    }
    this.#request.resume();
    // Apollo Server's CSRF prevention rejects the request.
    if (this.#failsCsrfCheck()) return undefined;
    throw new HttpError(415, 'The request body must be application/json in UTF-8.');
  }

  /** Whether a browser sends such a request to other origins without a preflight. */
  #failsCsrfCheck(): boolean {
    const { headers } = this.#request;
    return this.#options.csrf && isSimpleContentType(headers['content-type']) && !isPreflighted(headers);
  }

  #eventStreamExchange(method: string, search: string): EventStreamExchange {
    const clientAddress = clientAddressOf(this.#request);
    const clientHeaders = this.#clientHeaders();
    return {
      method,
      search,
      accept: this.#request.headers.accept,
      response: this.#response,
      requestId: this.#requestId,
      signal: this.#signal,
      clientKey: this.#options.clientKey(clientHeaders, clientAddress),
      clientAddress,
      headers: (extra) => this.#headers(extra),
      clientHeaders,
      readBody: () => this.#readBody(),
      writeComplete: (result) => this.#writeComplete(result, false),
      formatFailure: (reason, signal) =>
        reason instanceof HttpError ? reason.toFormatted() : this.#formatFailure(reason, signal),
    };
  }

  async #execute(method: string, search: string, body: unknown): Promise<void> {
    const { single, incremental, prefersEvents, subscription } = this.#accepted;
    const headers = this.#clientHeaders();
    const client = new ClientRequest({
      headers,
      incremental,
      acceptsSubscriptions: subscription !== undefined,
      isReadOnly: method === 'GET',
      lastEventId: subscription === 'text/event-stream' ? headers.get('last-event-id') : undefined,
      clientAddress: clientAddressOf(this.#request),
      requestId: this.#requestId,
      signal: this.#signal,
    });
    this.#client = client;
    const acceptsArrays = single !== undefined;
    // Apollo Server allows only queries by GET, but a browser's EventSource also subscribes by GET.
    const isEventSource = prefersEvents && method === 'GET' && !this.#failsCsrfCheck();
    const parameters = isEventSource ? readGetParameters(search) : undefined;
    const result = await this.#options.admission.admit(
      parameters === undefined
        ? { method, search, body, headers, acceptsArrays }
        : { method: 'POST', search: '', body: parameters, headers, acceptsArrays },
      client,
    );
    if (result.kind === 'stream') return this.#writeStream(result);
    this.#writeComplete(result, prefersEvents && !Array.isArray(body));
  }

  async #writeStream({ outcome, headers }: StreamResult): Promise<void> {
    const { streamSettings, isDraining } = this.#options;
    const { incremental, prefersEvents, subscription } = this.#accepted;
    const options: PayloadStreamOptions = {
      ...streamSettings,
      headers: this.#headers(Object.fromEntries(headers)),
      signal: this.#signal,
      formatFailure: (reason) => this.#formatFailure(reason),
    };
    if (outcome.kind === 'incremental') {
      const payloads = outcome.payloads[Symbol.asyncIterator]();
      const encoding = prefersEvents
        ? incrementalEventEncoding
        : incrementalPartEncoding(incremental as IncrementalFormat);
      return writePayloads(this.#response, payloads, encoding, options);
    }
    const events = outcome.events[Symbol.asyncIterator]();
    if (isDraining()) {
      await events.return?.();
      throw new HttpError(503, 'The gateway is shutting down. Subscribe again.', { code: 'SHUTTING_DOWN' });
    }
    this.#inFlight.isSubscription = true;
    const encoding =
      subscription === 'text/event-stream' ? subscriptionEventEncoding : subscriptionPartEncoding;
    return writePayloads(this.#response, new SingleEventBatches(events), encoding, options);
  }

  #writeComplete(result: CompleteResult, asEvent: boolean): void {
    const { status, headers: apolloHeaders, content, caching } = result;
    const headers = this.#headers(Object.fromEntries(apolloHeaders));
    if (caching !== undefined && status === 200) {
      const { vary } = corsHeaders(this.#request.headers.origin, this.#options.cors);
      addCachingHeaders(headers, caching, apolloHeaders.has('cache-control'), [vary, headers.vary]);
    }
    const { single, incremental } = this.#accepted;
    const { readTimeoutMs } = this.#options.streamSettings;
    if (asEvent) {
      writeSingleEvent(this.#response, headers, content, readTimeoutMs);
    } else if (single !== undefined || status >= 300) {
      writeResponse(this.#response, status, headers, content, readTimeoutMs);
    } else if (incremental !== undefined) {
      writeSinglePart(this.#response, incremental, headers, contentToText(content));
    } else {
      writeSinglePayload(this.#response, headers, contentToText(content));
    }
  }

  #respondToPreflight(): void {
    const allowed = preflightHeaders(this.#request.headers, this.#options.cors, allowedMethods);
    if (allowed === undefined) throw methodNotAllowedError();
    this.#response.writeHead(204, this.#headers(allowed));
    this.#response.end();
  }

  /** The client's headers, as Apollo Server and subgraphs get them. `accept` is the negotiated media type, so that Apollo
   *  Server never rejects a request that the gateway can respond to. */
  #clientHeaders(): HeaderMap {
    const headers = new HeaderMap();
    const received = this.#request.headers;
    for (const name in received) {
      const value = received[name];
      if (typeof value === 'string') headers.set(name, value);
      else if (value !== undefined) headers.set(name, value.join(', '));
    }
    headers.set('accept', this.#accepted.single ?? 'application/json');
    headers.set('x-request-id', this.#requestId);
    return headers;
  }

  /** The headers of every response with those of this one. */
  #headers(extra: Readonly<Record<string, string>>): ResponseHeaders {
    return {
      // A response depends on more than the URL. Caching headers and plugins override this.
      'cache-control': 'no-store',
      ...corsHeaders(this.#request.headers.origin, this.#options.cors),
      ...extra,
      'x-request-id': this.#requestId,
      ...(this.#options.isDraining() ? { connection: 'close' } : {}),
    };
  }
}

/** Error statuses of the HTTP request, which clients of server-sent events get too. They get other errors as an event,
 *  because they take an error status for a network failure and send the operation again. */
const httpLevelStatuses = new Set([404, 405, 406, 409, 415, 503]);

/** Wraps each event of a subscription in a batch, for `writePayloads`. */
class SingleEventBatches implements AsyncIterator<readonly SubscriptionPayload[]> {
  readonly #events: AsyncIterator<SubscriptionPayload>;

  constructor(events: AsyncIterator<SubscriptionPayload>) {
    this.#events = events;
  }

  async next(): Promise<IteratorResult<readonly SubscriptionPayload[]>> {
    const step = await this.#events.next();
    return step.done === true ? { done: true, value: undefined } : { done: false, value: [step.value] };
  }

  async return(): Promise<IteratorResult<readonly SubscriptionPayload[]>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }
}

function methodNotAllowedError(): HttpError {
  return new HttpError(405, `The GraphQL route allows ${allowedMethods}.`, {
    headers: { allow: allowedMethods },
  });
}

function queryStringOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark);
}

/** Whether a page may send this content type, or none, to another origin without a preflight. */
function isSimpleContentType(contentType: string | undefined): boolean {
  if (contentType === undefined) return true;
  const essence = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'].includes(essence);
}

/** Whether the request has a header that makes a browser send a preflight. */
function isPreflighted(headers: IncomingMessage['headers']): boolean {
  return Boolean(headers['x-apollo-operation-name']) || Boolean(headers['apollo-require-preflight']);
}
