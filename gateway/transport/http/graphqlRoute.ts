import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission, CompleteResult, StreamResult } from '../../admission/admission.ts';
import { formatFailure, HeaderMap } from '../../admission/apolloPipeline.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { contentToText, type SubscriptionPayload } from '../../response/executionOutcome.ts';
import type { TransportLog } from '../../telemetry/transportLog.ts';
import type { Timers } from '../../time/timers.ts';
import type { EventStreamExchange, EventStreamRequests } from '../event-streams/eventStreamRequests.ts';
import { readStreamToken } from '../event-streams/readStreamToken.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
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
  /** Who somebody is for limits, by the headers and the address of the connection. */
  readonly clientKey: (headers: ReadonlyMap<string, string>, address: string | undefined) => string;
  readonly bodySize: number;
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of its answer loses its connection. */
  readonly readTimeoutMs: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeatIntervalMs: number;
  readonly timers: Timers;
  readonly csrf: boolean;
  readonly cors: CorsOptions | undefined;
  /** A page for browsers; `undefined` where there is none. */
  readonly browserPage: BrowserPage | undefined;
  readonly inFlight: InFlightRequests;
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** Answers the GraphQL route directly on node:http. */
export function createGraphQLRoute(
  options: GraphQLRouteOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const inFlight = options.inFlight.begin(request.socket, response);
    const exchange = new GraphQLExchange(options, request, response, inFlight);
    exchange
      .handle()
      .catch((error: unknown) => exchange.handleFailure(error))
      .catch((error: unknown) => {
        // The error's own answer could not be written either.
        options.log.error({ err: error }, 'A request could not be answered');
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
    if (!/^(GET|POST|PUT|DELETE)$/.test(method)) {
      throw new HttpError(405, `The GraphQL route takes ${allowedMethods}.`, {
        headers: { allow: allowedMethods },
      });
    }
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
        'The accept header allows no answer of this gateway. Accept application/graphql-response+json, application/json, multipart/mixed, or text/event-stream.',
      );
    }
    admission.checkReady();
    const body = method === 'POST' ? await this.#readBody() : undefined;
    await this.#execute(method, search, body);
  }

  /** The answer to what `answer` threw; nothing for a client that is gone. */
  handleFailure(error: unknown): void {
    if (
      error instanceof ClientDisconnectedError ||
      (this.#signal.aborted && this.#signal.reason instanceof ClientDisconnectedError)
    )
      return;
    if (this.#response.headersSent) {
      this.#options.log.error({ err: error, requestId: this.#requestId }, 'An answer broke off');
      this.#response.destroy();
      return;
    }
    if (error instanceof HttpError) {
      const { status } = error;
      this.#writeErrors(status, error.headers, [error.toFormatted()], httpLevelStatuses.has(status));
      return;
    }
    const cause = error instanceof NoFirstPayloadError ? error.cause : error;
    this.#writeErrors(500, {}, [this.#formatFailure(cause)], false);
  }

  #writeErrors(
    status: number,
    ownHeaders: Readonly<Record<string, string>>,
    errors: readonly GraphQLFormattedError[],
    isAboutHttp: boolean,
  ): void {
    const headers = this.#headers(ownHeaders);
    if (this.#accepted.prefersEvents && !isAboutHttp) {
      writeSingleEvent(this.#response, headers, JSON.stringify({ errors }));
    } else {
      writeErrorResponse(this.#response, status, this.#accepted.single, headers, errors);
    }
  }

  #formatFailure(reason: unknown, signal = this.#signal): GraphQLFormattedError {
    return formatFailure(reason, { requestId: this.#requestId, signal }, this.#options.log);
  }

  /** After the answer, whatever came of it: gives back what the request held. */
  end(): void {
    this.#client?.releaseSupergraph();
  }

  async #readBody(): Promise<unknown> {
    const { headers } = this.#request;
    if (isJsonContentType(headers['content-type'])) {
      return readJsonBody(this.#request, this.#options.bodySize);
    }
    this.#request.resume();
    // Apollo Server's CSRF prevention answers.
    if (this.#failsCsrfCheck()) return undefined;
    throw new HttpError(415, 'The request body must be application/json in UTF-8.');
  }

  /** Whether it must be refused as one that a page may send anywhere without asking first. */
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
      headers: (own) => this.#headers(own),
      clientHeaders,
      readBody: () => this.#readBody(),
      writeComplete: (answer) => this.#writeComplete(answer, false),
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
    // Apollo Server lets nothing but queries come by GET; events are read by GET in browsers.
    const isReadByGet = prefersEvents && method === 'GET' && !this.#failsCsrfCheck();
    const parameters = isReadByGet ? readGetParameters(search) : undefined;
    const answer = await this.#options.admission.admit(
      parameters === undefined
        ? { method, search, body, headers, acceptsArrays }
        : { method: 'POST', search: '', body: parameters, headers, acceptsArrays },
      client,
    );
    if (answer.kind === 'stream') return this.#writeStream(answer);
    this.#writeComplete(answer, prefersEvents && !Array.isArray(body));
  }

  async #writeStream({ outcome, headers }: StreamResult): Promise<void> {
    const { bufferSize, readTimeoutMs, heartbeatIntervalMs, timers, isDraining } = this.#options;
    const { incremental, prefersEvents, subscription } = this.#accepted;
    const options: PayloadStreamOptions = {
      headers: this.#headers(Object.fromEntries(headers)),
      bufferSize,
      readTimeoutMs,
      heartbeatIntervalMs,
      timers,
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
      throw new HttpError(503, 'The gateway is shutting down. Subscribe again.', { code: 'REQUEST_ABORTED' });
    }
    this.#inFlight.isSubscription = true;
    const encoding =
      subscription === 'text/event-stream' ? subscriptionEventEncoding : subscriptionPartEncoding;
    return writePayloads(this.#response, new SingleEventBatches(events), encoding, options);
  }

  #writeComplete(answer: CompleteResult, asEvent: boolean): void {
    const { status, headers: apolloHeaders, content, caching } = answer;
    const headers = this.#headers(Object.fromEntries(apolloHeaders));
    if (caching !== undefined && status === 200) {
      const { vary } = corsHeaders(this.#request.headers.origin, this.#options.cors);
      addCachingHeaders(headers, caching, apolloHeaders.has('cache-control'), [vary, headers.vary]);
    }
    const { single, incremental } = this.#accepted;
    const { readTimeoutMs } = this.#options;
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
    if (allowed === undefined) {
      throw new HttpError(405, `The GraphQL route takes ${allowedMethods}.`, {
        headers: { allow: allowedMethods },
      });
    }
    this.#response.writeHead(204, this.#headers(allowed));
    this.#response.end();
  }

  /** The client's headers for Apollo Server and for subgraphs. `accept` is what we chose, so that Apollo
   *  Server never refuses what we can answer; `x-request-id` is there in any case. */
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

  /** Headers of every answer, and those of this one. */
  #headers(own: Readonly<Record<string, string>>): ResponseHeaders {
    return {
      // Answers depend on more than the address; a plugin that knows better says so in its own header.
      'cache-control': 'no-store',
      ...corsHeaders(this.#request.headers.origin, this.#options.cors),
      ...own,
      'x-request-id': this.#requestId,
      ...(this.#options.isDraining() ? { connection: 'close' } : {}),
    };
  }
}

/** Statuses that tell something about the request itself: a client of events gets them, too. The rest it gets as an
 *  event, since it would take any status for a failure of the network and try again. */
const httpLevelStatuses = new Set([404, 405, 406, 409, 415, 503]);

/** Events as batches of one. */
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

function queryStringOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark);
}

/** A type that a page may send to another origin without a preflight, or none. */
function isSimpleContentType(contentType: string | undefined): boolean {
  if (contentType === undefined) return true;
  const essence = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'].includes(essence);
}

/** Whether the request has one of the headers for which a browser asks first. */
function isPreflighted(headers: IncomingMessage['headers']): boolean {
  return Boolean(headers['x-apollo-operation-name']) || Boolean(headers['apollo-require-preflight']);
}
