import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { IncrementalFormat } from '../../operation/request.ts';
import { type SubscriptionPayload, textOf } from '../../response/outcome.ts';
import type { Timers } from '../../time/timers.ts';
import type { Admission, CompleteAdmission, StreamAdmission } from '../admission/admission.ts';
import { formatFailure, HeaderMap } from '../admission/apolloServer.ts';
import { ClientRequest } from '../admission/clientRequest.ts';
import type { StreamExchange, StreamRequests } from '../event-streams/streamRequests.ts';
import { streamToken } from '../event-streams/streamToken.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import { chooseRequestId } from '../requestId.ts';
import type { TransportLog } from '../transportLog.ts';
import { clientAddressOf } from '../workers/passedOnRequest.ts';
import { type AnswerHeaders, writeAnswer, writeErrors } from './answer.ts';
import { addCachingHeaders } from './cachingHeaders.ts';
import { type CorsOptions, corsHeaders, preflightHeaders } from './cors.ts';
import { incrementalEvents, subscriptionEvents, writeSingleEvent } from './eventStream.ts';
import { readGetParameters } from './getParameters.ts';
import type { InFlightRequest, InFlightRequests } from './inFlight.ts';
import { incrementalParts, writeSinglePart } from './multipartMixed.ts';
import { subscriptionParts, writeSinglePayload } from './multipartSubscription.ts';
import { type AcceptedAnswers, negotiate } from './negotiate.ts';
import { NoPayload, type StreamOptions, writePayloads } from './payloadStream.ts';
import { isJsonContentType, readJsonBody } from './readBody.ts';

export interface GraphQLRouteOptions {
  readonly admission: Admission;
  readonly streamRequests: StreamRequests;
  /** Who somebody is for limits, by the headers and the address of the connection. */
  readonly clientKey: (headers: ReadonlyMap<string, string>, address: string | undefined) => string;
  readonly bodySize: number;
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of its answer loses its connection. */
  readonly readTimeout: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeat: number;
  readonly timers: Timers;
  readonly csrf: boolean;
  readonly cors: CorsOptions | undefined;
  /** A page for browsers; `undefined` where there is none. */
  readonly page: BrowserPage | undefined;
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
    const exchange = new Exchange(options, request, response, inFlight);
    exchange
      .answer()
      .catch((error: unknown) => exchange.answerFailure(error))
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

const methods = 'GET, POST, PUT, DELETE';

class Exchange {
  readonly #options: GraphQLRouteOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #accepted: AcceptedAnswers;
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
    this.#accepted = negotiate(request.headers.accept);
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
  }

  async answer(): Promise<void> {
    const { admission, page } = this.#options;
    const method = this.#request.method ?? '';
    if (method === 'OPTIONS') return this.#answerPreflight();
    if (!/^(GET|POST|PUT|DELETE)$/.test(method)) {
      throw new Refusal(405, `The GraphQL route takes ${methods}.`, { headers: { allow: methods } });
    }
    const search = searchOf(this.#request.url ?? '');
    const token = streamToken(this.#request, search);
    if (token !== undefined || method === 'PUT' || method === 'DELETE') {
      return this.#options.streamRequests.answer(this.#streamExchange(method, search), token);
    }
    if (method === 'GET' && page !== undefined && this.#accepted.prefersHtml) {
      return writeAnswer(
        this.#response,
        page.status,
        this.#headers({ 'content-type': 'text/html; charset=utf-8' }),
        page.html,
      );
    }
    const { single, incremental, subscription } = this.#accepted;
    if (single === undefined && incremental === undefined && subscription === undefined) {
      throw new Refusal(
        406,
        'The accept header allows no answer of this gateway. Accept application/graphql-response+json, application/json, multipart/mixed, or text/event-stream.',
      );
    }
    admission.checkReady();
    const body = method === 'POST' ? await this.#readBody() : undefined;
    await this.#execute(method, search, body);
  }

  /** The answer to what `answer` threw; nothing for a client that is gone. */
  answerFailure(error: unknown): void {
    if (error instanceof ClientGone || (this.#signal.aborted && this.#signal.reason instanceof ClientGone))
      return;
    if (this.#response.headersSent) {
      this.#options.log.error({ err: error, requestId: this.#requestId }, 'An answer broke off');
      this.#response.destroy();
      return;
    }
    if (error instanceof Refusal) {
      const { status } = error;
      this.#writeErrors(status, error.headers, [error.toFormatted()], notAboutTheOperation.has(status));
      return;
    }
    const cause = error instanceof NoPayload ? error.cause : error;
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
      writeErrors(this.#response, status, this.#accepted.single, headers, errors);
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
    if (this.#isUnasked()) return undefined;
    throw new Refusal(415, 'The request body must be application/json in UTF-8.');
  }

  /** Whether it must be refused as one that a page may send anywhere without asking first. */
  #isUnasked(): boolean {
    const { headers } = this.#request;
    return this.#options.csrf && isSimpleContentType(headers['content-type']) && !isPreflighted(headers);
  }

  #streamExchange(method: string, search: string): StreamExchange {
    const clientAddress = clientAddressOf(this.#request);
    const clientHeaders = this.#clientHeaders();
    return {
      method,
      search,
      accept: this.#request.headers.accept,
      response: this.#response,
      requestId: this.#requestId,
      signal: this.#signal,
      client: this.#options.clientKey(clientHeaders, clientAddress),
      clientAddress,
      headers: (own) => this.#headers(own),
      clientHeaders,
      readBody: () => this.#readBody(),
      writeComplete: (answer) => this.#writeComplete(answer, false),
      formatFailure: (reason, signal) =>
        reason instanceof Refusal ? reason.toFormatted() : this.#formatFailure(reason, signal),
    };
  }

  async #execute(method: string, search: string, body: unknown): Promise<void> {
    const { single, incremental, prefersEvents, subscription } = this.#accepted;
    const headers = this.#clientHeaders();
    const client = new ClientRequest({
      headers,
      incremental,
      takesSubscriptions: subscription !== undefined,
      isReadOnly: method === 'GET',
      lastEventId: subscription === 'text/event-stream' ? headers.get('last-event-id') : undefined,
      clientAddress: clientAddressOf(this.#request),
      requestId: this.#requestId,
      signal: this.#signal,
    });
    this.#client = client;
    const takesArrays = single !== undefined;
    // Apollo Server lets nothing but queries come by GET; events are read by GET in browsers.
    const isReadByGet = prefersEvents && method === 'GET' && !this.#isUnasked();
    const parameters = isReadByGet ? readGetParameters(search) : undefined;
    const answer = await this.#options.admission.admit(
      parameters === undefined
        ? { method, search, body, headers, takesArrays }
        : { method: 'POST', search: '', body: parameters, headers, takesArrays },
      client,
    );
    if (answer.kind === 'stream') return this.#writeStream(answer);
    this.#writeComplete(answer, prefersEvents && !Array.isArray(body));
  }

  async #writeStream({ outcome, headers }: StreamAdmission): Promise<void> {
    const { bufferSize, readTimeout, heartbeat, timers, isDraining } = this.#options;
    const { incremental, prefersEvents, subscription } = this.#accepted;
    const options: StreamOptions = {
      headers: this.#headers(Object.fromEntries(headers)),
      bufferSize,
      readTimeout,
      heartbeat,
      timers,
      signal: this.#signal,
      formatFailure: (reason) => this.#formatFailure(reason),
    };
    if (outcome.kind === 'incremental') {
      const payloads = outcome.payloads[Symbol.asyncIterator]();
      const encoding = prefersEvents ? incrementalEvents : incrementalParts(incremental as IncrementalFormat);
      return writePayloads(this.#response, payloads, encoding, options);
    }
    const events = outcome.events[Symbol.asyncIterator]();
    if (isDraining()) {
      await events.return?.();
      throw new Refusal(503, 'The gateway is shutting down. Subscribe again.', { code: 'REQUEST_ABORTED' });
    }
    this.#inFlight.isEndless = true;
    const encoding = subscription === 'text/event-stream' ? subscriptionEvents : subscriptionParts;
    return writePayloads(this.#response, new OneByOne(events), encoding, options);
  }

  #writeComplete(answer: CompleteAdmission, asEvent: boolean): void {
    const { status, headers: apolloHeaders, content, caching } = answer;
    const headers = this.#headers(Object.fromEntries(apolloHeaders));
    if (caching !== undefined && status === 200) {
      const { vary } = corsHeaders(this.#request.headers.origin, this.#options.cors);
      addCachingHeaders(headers, caching, apolloHeaders.has('cache-control'), [vary, headers.vary]);
    }
    const { single, incremental } = this.#accepted;
    const { readTimeout } = this.#options;
    if (asEvent) {
      writeSingleEvent(this.#response, headers, content, readTimeout);
    } else if (single !== undefined || status >= 300) {
      writeAnswer(this.#response, status, headers, content, readTimeout);
    } else if (incremental !== undefined) {
      writeSinglePart(this.#response, incremental, headers, textOf(content));
    } else {
      writeSinglePayload(this.#response, headers, textOf(content));
    }
  }

  #answerPreflight(): void {
    const allowed = preflightHeaders(this.#request.headers, this.#options.cors, methods);
    if (allowed === undefined) {
      throw new Refusal(405, `The GraphQL route takes ${methods}.`, { headers: { allow: methods } });
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
  #headers(own: Readonly<Record<string, string>>): AnswerHeaders {
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
const notAboutTheOperation = new Set([404, 405, 406, 409, 415, 503]);

/** Events as batches of one. */
class OneByOne implements AsyncIterator<readonly SubscriptionPayload[]> {
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

function searchOf(url: string): string {
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
