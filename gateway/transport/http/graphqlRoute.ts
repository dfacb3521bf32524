import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Admission } from '../../admission/admission.ts';
import type { CompleteResult, StreamResult } from '../../admission/admissionResult.ts';
import { formatFailure } from '../../admission/apolloPipeline.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { hasOnlyRequestErrors, headersOf, statusOf } from '../../admission/errorResponse.ts';
import { readGetParameters } from '../../admission/getParameters.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { TrafficControl } from '../../admission/trafficControl.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { contentToText, sizeOfContent } from '../../response/executionOutcome.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { RequestRecorder } from '../../telemetry/requestRecorder.ts';
import type { RequestSignal } from '../../time/requestAbort.ts';
import type { EventStreamExchange, EventStreamRequests } from '../event-streams/eventStreamRequests.ts';
import { readStreamToken } from '../event-streams/eventStreamRequests.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { addCachingHeaders } from './cachingHeaders.ts';
import { checkCsrf } from './checkCsrf.ts';
import { chooseRequestId } from './chooseRequestId.ts';
import type { ReadClientAddress } from './clientAddress.ts';
import type { Compression, CompressionPolicy } from './compression.ts';
import type { CorsPolicy } from './cors.ts';
import { connectionEnd } from './http2Messages.ts';
import type { InFlightRequest, InFlightRequests } from './inFlightRequests.ts';
import { incrementalPartEncoding, writeSinglePart } from './multipartIncremental.ts';
import { subscriptionPartEncoding, writeSinglePayload } from './multipartSubscription.ts';
import { type AcceptedFormats, negotiateFormats } from './negotiateFormats.ts';
import { isJsonContentType, isMultipartForm, parseJson, readBody } from './readBody.ts';
import { securityHeaders } from './securityHeaders.ts';
import { incrementalEventEncoding, subscriptionEventEncoding, writeSingleEvent } from './serverSentEvents.ts';
import { waitToWrite } from './waitToWrite.ts';
import { writeEvents } from './writeEvents.ts';
import { NoFirstPayloadError, type PayloadStreamOptions, writePayloads } from './writePayloads.ts';
import { type ResponseHeaders, writeErrorResponse, writeResponse } from './writeResponse.ts';

interface GraphQLRouteOptions {
  readonly admission: Admission;
  readonly holdBack: TrafficControl['holdBack'];
  /** Omitted where nothing is recorded. */
  readonly recorder?: RequestRecorder | undefined;
  readonly eventStreamRequests: EventStreamRequests;
  readonly clientAddressOf: ReadClientAddress;
  readonly bodySize: number;
  readonly streamSettings: StreamSettings;
  readonly requestErrorStatus: 400 | 200;
  readonly csrf: boolean;
  readonly cors: CorsPolicy;
  readonly compression: CompressionPolicy;
  /** The page for a browser's GET; `undefined` when GraphiQL is off. */
  readonly browserPage: BrowserPage | undefined;
  readonly inFlight: InFlightRequests;
  /** Whether connections are closed after their response, so that clients connect to another process. */
  readonly isShuttingDown: () => boolean;
  /** Whether subscriptions are refused. */
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** Creates the handler of the GraphQL route, which uses node:http without Fastify. */
export function createGraphQLRoute(
  options: GraphQLRouteOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const startedAt = performance.now();
    const inFlight = options.inFlight.register(request.socket, response);
    const waiting = mayWait(request) ? options.holdBack(claimOf(request)) : undefined;
    // A waiting request holds nothing else. `refusal`: the error to respond with.
    const handle = (refusal?: unknown): void => {
      void new GraphQLExchange(options, request, response, inFlight, startedAt).respond(refusal);
    };
    if (waiting === undefined) {
      handle();
      return;
    }
    const { signal } = inFlight;
    // Has no effect when the wait has ended.
    signal.addEventListener('abort', () => waiting.abort(signal.reason));
    waiting.turn.then(() => handle(signal.reason), handle);
  };
}

function mayWait({ method, url = '' }: IncomingMessage): boolean {
  // A GET without parameters loads a page.
  return method === 'POST' || (method === 'GET' && url.includes('?'));
}

function claimOf({ headers }: IncomingMessage): string | undefined {
  const claim = headers['tributary-priority'];
  return typeof claim === 'string' ? claim : undefined;
}

const allowedMethods = 'GET, POST, PUT, DELETE';

class GraphQLExchange {
  readonly #options: GraphQLRouteOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #accepted: AcceptedFormats;
  readonly #compression: Compression | undefined;
  readonly #requestId: string;
  readonly #inFlight: InFlightRequest;
  readonly #signal: RequestSignal;
  readonly #startedAt: number;
  #client: ClientRequest | undefined;
  /** Of the operation in the request; `undefined` until its headers are read. */
  #record: RequestRecord | undefined;
  /** The request is about no operation, or about one that its event stream records. */
  #isRecordedElsewhere = false;

  constructor(
    options: GraphQLRouteOptions,
    request: IncomingMessage,
    response: ServerResponse,
    inFlight: InFlightRequest,
    startedAt: number,
  ) {
    this.#startedAt = startedAt;
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#inFlight = inFlight;
    this.#signal = inFlight.signal;
    this.#accepted = negotiateFormats(request.headers.accept);
    this.#compression = options.compression.choose(request.headers);
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
  }

  /** Handles the request, unless there is a `refusal`: the error to respond with. */
  async respond(refusal: unknown): Promise<void> {
    try {
      if (refusal !== undefined) throw refusal;
      await this.#handle();
    } catch (error) {
      this.#respondToFailure(error);
    } finally {
      this.#end();
      this.#inFlight.end();
    }
  }

  #handle(): Promise<void> | undefined {
    const { admission, browserPage } = this.#options;
    const method = this.#request.method ?? '';
    if (method === 'OPTIONS') {
      this.#isRecordedElsewhere = true;
      this.#respondToPreflight();
      return undefined;
    }
    if (method !== 'POST' && !/^(GET|PUT|DELETE)$/.test(method)) throw methodNotAllowedError();
    // Before the check against CSRF, whose message would not help.
    if (isMultipartForm(this.#request.headers['content-type'])) {
      this.#request.resume();
      throw new HttpError(
        415,
        'The gateway accepts no file uploads (multipart/form-data). Upload the file to a signed URL of your storage, and send the URL or a key in application/json (docs/uploads.md).',
      );
    }
    const search = queryStringOf(this.#request.url ?? '');
    const token = readStreamToken(this.#request, search);
    const { single, incremental, subscription, prefersEvents, prefersHtml } = this.#accepted;
    // A stream holds only results of the client that knows its token. An operation names the stream that gets its result,
    // which could be another client's.
    const opensStream = method === 'GET' && token !== undefined && prefersEvents;
    const isOperation = (method === 'GET' || method === 'POST') && !opensStream;
    if (token !== undefined || method === 'PUT' || method === 'DELETE') {
      this.#isRecordedElsewhere = !isOperation;
      return this.#handleEventStream(method, search, token, isOperation);
    }
    if (method === 'GET' && browserPage !== undefined && prefersHtml) {
      this.#isRecordedElsewhere = true;
      return writeResponse(
        this.#response,
        browserPage.status,
        this.#headers({ ...browserPage.headers, 'content-type': 'text/html; charset=utf-8' }),
        browserPage.html,
        0,
        this.#compression,
      );
    }
    if (single === undefined && incremental === undefined && subscription === undefined) {
      throw new HttpError(
        406,
        'The accept header allows no media type of the gateway. Accept application/graphql-response+json, application/json, multipart/mixed, or text/event-stream.',
      );
    }
    this.#checkCsrf();
    admission.checkReady();
    return this.#execute(method, search);
  }

  async #handleEventStream(
    method: string,
    search: string,
    token: string | undefined,
    isOperation: boolean,
  ): Promise<void> {
    if (isOperation) this.#checkCsrf();
    const headers = this.#clientHeaders();
    const clientAddress = this.#options.clientAddressOf(this.#request);
    const client = this.#options.admission.authentication.authenticate(headers, clientAddress);
    const { clientKey } = client instanceof Promise ? await client : client;
    if (isOperation) this.#startRecord(headers);
    const exchange = this.#eventStreamExchange(method, search, headers, clientKey);
    return this.#options.eventStreamRequests.handle(exchange, token);
  }

  #respondToFailure(error: unknown): void {
    try {
      this.#handleFailure(error);
    } catch (err) {
      this.#options.log.error({ err }, 'Responding to a request failed');
      this.#response.destroy();
    }
  }

  /** Does nothing when the client has disconnected. */
  #handleFailure(error: unknown): void {
    const abortReason: unknown = this.#signal.reason;
    if (error instanceof ClientDisconnectedError || abortReason instanceof ClientDisconnectedError) return;
    if (!this.#isRecordedElsewhere)
      this.#startRecord()?.fail(error instanceof NoFirstPayloadError ? error.cause : error);
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
      const isHttpError = this.#getsStatus(status, httpLevelStatuses);
      this.#writeErrors(status, error.headers, [error.toFormatted()], isHttpError);
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
      this.#record?.addPayload(0);
    } else {
      writeErrorResponse(this.#response, status, this.#accepted.single, headers, errors);
      this.#record?.addPayload(Number(headers['content-length']));
    }
  }

  #formatFailure(reason: unknown, signal = this.#signal): GraphQLFormattedError {
    return formatFailure(reason, { requestId: this.#requestId, signal }, this.#options.log);
  }

  /** Releases what the request holds, however it ended. */
  #end(): void {
    this.#client?.releaseSupergraph();
    const record = this.#isRecordedElsewhere ? undefined : this.#startRecord();
    if (record === undefined) return;
    if (this.#response.headersSent && record.outcome !== 'aborted') record.status = this.#response.statusCode;
    if (!this.#response.writableEnded) record.abort();
    record.finish();
  }

  /** Starts the record of the request, unless it has begun. */
  #startRecord(headers: ReadonlyMap<string, string> = this.#clientHeaders()): RequestRecord | undefined {
    this.#record ??= this.#options.recorder?.start(this.#requestId, headers, this.#startedAt);
    return this.#record;
  }

  /** Whether the client is a browser's `EventSource`, or looks like one. */
  get #isEventSource(): boolean {
    return this.#accepted.prefersEvents && this.#request.method === 'GET';
  }

  /** Whether a client of events gets a status, and not an event. An `EventSource` connects again after an event and the end
   *  of the stream, and never after a status: it gets statuses for which trying again does not help. Other clients get
   *  `statuses`. */
  #getsStatus(status: number, statuses: ReadonlySet<number>): boolean {
    return this.#isEventSource ? status >= 400 && status < 500 : statuses.has(status);
  }

  #checkCsrf(): void {
    if (this.#options.csrf) checkCsrf(this.#request.headers, this.#options.cors);
  }

  /** @throws {HttpError} 415, before anything is read. Otherwise as `readBody`. */
  #readBody(): Promise<Buffer> {
    const { headers } = this.#request;
    if (isJsonContentType(headers['content-type'])) return readBody(this.#request, this.#options.bodySize);
    this.#request.resume();
    throw new HttpError(415, 'The request body must be application/json in UTF-8.');
  }

  #eventStreamExchange(
    method: string,
    search: string,
    clientHeaders: ReadonlyMap<string, string>,
    clientKey: string,
  ): EventStreamExchange {
    return {
      method,
      search,
      accept: this.#request.headers.accept,
      response: this.#response,
      requestId: this.#requestId,
      signal: this.#signal,
      clientKey,
      clientAddress: this.#options.clientAddressOf(this.#request),
      headers: (extra) => this.#headers(extra),
      clientHeaders,
      record: this.#record,
      detachRecord: () => {
        this.#isRecordedElsewhere = true;
      },
      readBody: async () => parseJson(await this.#readBody()),
      writeComplete: (result) => this.#writeComplete(result, false),
      formatFailure: (reason, signal) =>
        reason instanceof HttpError ? reason.toFormatted() : this.#formatFailure(reason, signal),
    };
  }

  async #execute(method: string, search: string): Promise<void> {
    const body = method === 'POST' ? parseJson(await this.#readBody()) : undefined;
    const { single, incremental, prefersEvents, subscription } = this.#accepted;
    const headers = this.#clientHeaders();
    const client = new ClientRequest({
      headers,
      incremental,
      acceptsSubscriptions: subscription !== undefined,
      isReadOnly: method === 'GET',
      lastEventId: subscription === 'text/event-stream' ? headers.get('last-event-id') : undefined,
      transport: 'http',
      clientAddress: this.#options.clientAddressOf(this.#request),
      requestId: this.#requestId,
      record: this.#startRecord(headers),
      signal: this.#signal,
    });
    this.#client = client;
    const acceptsArrays = single !== undefined;
    // Apollo Server allows only queries by GET, but a browser's EventSource also subscribes by GET.
    const parameters = this.#isEventSource ? readGetParameters(search) : undefined;
    const result = await this.#options.admission.admit(
      parameters === undefined
        ? { method, search, body, headers, acceptsArrays }
        : { method: 'POST', search: '', body: parameters, headers, acceptsArrays },
      client,
    );
    if (result.kind === 'stream') {
      const { authentication } = this.#options.admission;
      const stopWatching = authentication.watchExpiry(client.caller, (error) => this.#inFlight.abort(error));
      return this.#writeStream(result).finally(stopWatching);
    }
    await waitToWrite(sizeOfContent(result.content));
    const written = this.#writeComplete(
      this.#withRequestErrorStatus(result),
      prefersEvents && !Array.isArray(body) && !this.#getsStatus(result.status, overloadStatuses),
    );
    if (written !== undefined) await written;
  }

  #withRequestErrorStatus(result: CompleteResult): CompleteResult {
    const { requestErrorStatus } = this.#options;
    const { single, prefersEvents } = this.#accepted;
    if (result.status !== 400 || requestErrorStatus === 400 || result.isExecuted) return result;
    if (single !== 'application/json' || prefersEvents) return result;
    return hasOnlyRequestErrors(contentToText(result.content))
      ? { ...result, status: requestErrorStatus }
      : result;
  }

  async #writeStream({ outcome, headers }: StreamResult): Promise<void> {
    const { streamSettings, isDraining } = this.#options;
    const { incremental, prefersEvents, subscription } = this.#accepted;
    const options: PayloadStreamOptions = {
      ...streamSettings,
      headers: this.#headers(headers),
      signal: this.#signal,
      record: this.#record,
      formatFailure: (reason) => {
        this.#record?.fail(reason);
        return this.#formatFailure(reason);
      },
    };
    const compression = this.#compression;
    if (outcome.kind === 'incremental') {
      const payloads = outcome.payloads[Symbol.asyncIterator]();
      const encoding = prefersEvents
        ? incrementalEventEncoding
        : incrementalPartEncoding(incremental as IncrementalFormat);
      return writePayloads(this.#response, payloads, encoding, { ...options, compression });
    }
    if (isDraining()) {
      await outcome.events[Symbol.asyncIterator]().return?.();
      throw new HttpError(503, 'The gateway is shutting down. Subscribe again.', { code: 'SHUTTING_DOWN' });
    }
    this.#inFlight.isSubscription = true;
    const encoding =
      subscription === 'text/event-stream' ? subscriptionEventEncoding : subscriptionPartEncoding;
    return writeEvents(this.#response, outcome.events, encoding, {
      ...options,
      compression: compression?.includesSubscriptions === true ? compression : undefined,
    });
  }

  #writeComplete(result: CompleteResult, asEvent: boolean): Promise<void> | undefined {
    const { status, headers: apolloHeaders, content, caching } = result;
    const headers = this.#headers(apolloHeaders);
    if (caching !== undefined && status === 200) {
      const { vary } = this.#options.cors.responseHeaders(this.#request.headers.origin);
      addCachingHeaders(headers, caching, apolloHeaders.has('cache-control'), [
        vary,
        headers.vary?.toString(),
        this.#options.compression.vary,
      ]);
    }
    this.#record?.addPayload(sizeOfContent(content));
    const { single, incremental } = this.#accepted;
    const { readTimeoutMs } = this.#options.streamSettings;
    const compression = this.#compression;
    if (asEvent) return writeSingleEvent(this.#response, headers, content, readTimeoutMs, compression);
    if (single !== undefined || status >= 300) {
      return writeResponse(this.#response, status, headers, content, readTimeoutMs, compression);
    }
    const text = contentToText(content);
    return incremental === undefined
      ? writeSinglePayload(this.#response, headers, text, readTimeoutMs, compression)
      : writeSinglePart(this.#response, incremental, headers, text, readTimeoutMs, compression);
  }

  #respondToPreflight(): void {
    const allowed = this.#options.cors.preflightHeaders(this.#request.headers, allowedMethods);
    if (allowed === undefined) throw methodNotAllowedError();
    this.#response.writeHead(204, this.#headers(allowed));
    this.#response.end();
  }

  /** The client's headers, as Apollo Server and subgraphs get them. `accept` is the negotiated media type, so that Apollo
   *  Server never rejects a request that the gateway can respond to. */
  #clientHeaders(): ReadonlyMap<string, string> {
    const headers = new Map<string, string>();
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
  #headers(extra: Readonly<ResponseHeaders> | CompleteResult['headers']): ResponseHeaders {
    const headers: ResponseHeaders = {
      // A response depends on more than the URL. Caching headers and plugins override this.
      'cache-control': 'no-store',
      ...securityHeaders,
      ...this.#options.cors.responseHeaders(this.#request.headers.origin),
    };
    for (const [name, value] of extra instanceof Map ? extra : Object.entries(extra)) headers[name] = value;
    headers['x-request-id'] = this.#requestId;
    return this.#options.isShuttingDown() ? { ...headers, ...connectionEnd(this.#response) } : headers;
  }
}

/** Error statuses that clients of server-sent events get although they take an error status for a network failure, and
 *  send the operation again. They get other errors as an event. */
const overloadStatuses = new Set([503]);

/** The same for requests that were refused before their operation was read. */
const httpLevelStatuses = new Set([401, 404, 405, 406, 409, 415, 503]);

function methodNotAllowedError(): HttpError {
  return new HttpError(405, `The GraphQL route allows ${allowedMethods}.`, {
    headers: { allow: allowedMethods },
  });
}

function queryStringOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark);
}
