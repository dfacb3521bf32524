import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { CompleteResult, StreamResult } from '../../admission/admissionResult.ts';
import { formatFailure } from '../../admission/errorFormatter.ts';
import { hasOnlyRequestErrors, headersOf, statusOf } from '../../admission/errorResponse.ts';
import { HttpError } from '../../admission/httpError.ts';
import { GatewayError } from '../../errors.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import { contentToText, sizeOfContent } from '../../response/executionOutcome.ts';
import { asPrivate } from '../../response/responseCaching.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { RequestSignal } from '../../time/requestAbort.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { isCounted, UnreadBytes } from '../streams/unreadBytes.ts';
import { addCachingHeaders } from './cachingHeaders.ts';
import type { Compression, CompressionPolicy } from './compression.ts';
import type { CorsPolicy } from './cors.ts';
import { endConnection } from './http2Messages.ts';
import { incrementalPartEncoding, writeSinglePart } from './multipartIncremental.ts';
import { subscriptionPartEncoding, writeSinglePayload } from './multipartSubscription.ts';
import { type AcceptedFormats, negotiateFormats } from './negotiateFormats.ts';
import { securityHeaders } from './securityHeaders.ts';
import { incrementalEventEncoding, subscriptionEventEncoding, writeSingleEvent } from './serverSentEvents.ts';
import { writeEvents } from './writeEvents.ts';
import { type PayloadStreamOptions, writePayloads } from './writePayloads.ts';
import { type ResponseHeaders, writeErrorResponse, writeResponse } from './writeResponse.ts';

export interface GraphQLResponseOptions {
  readonly streamSettings: StreamSettings;
  readonly requestErrorStatus: 400 | 200;
  readonly cors: CorsPolicy;
  readonly compression: CompressionPolicy;
  /** Whether connections are closed after their response, so that clients connect to another process. */
  readonly isShuttingDown: () => boolean;
  readonly log: TransportLog;
}

/** Writes the response to one request of the GraphQL route, in a format that its client accepts. */
export class GraphQLResponse {
  readonly accepted: AcceptedFormats;
  readonly requestId: string;
  /** Gets the size of each payload; `undefined` until the request is recorded. */
  record: RequestRecord | undefined;
  readonly #options: GraphQLResponseOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #signal: RequestSignal;
  readonly #compression: Compression | undefined;

  constructor(
    options: GraphQLResponseOptions,
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    signal: RequestSignal,
  ) {
    this.accepted = negotiateFormats(request.headers.accept);
    this.requestId = requestId;
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#signal = signal;
    this.#compression = options.compression.choose(request.headers);
  }

  /** Whether the client is a browser's `EventSource`, or looks like one. */
  get isForEventSource(): boolean {
    return this.accepted.prefersEvents && this.#request.method === 'GET';
  }

  /** The headers of every response with those of this one. */
  headers(extra: Readonly<ResponseHeaders> | CompleteResult['headers']): ResponseHeaders {
    const headers: ResponseHeaders = {
      // A response depends on more than the URL. Caching headers and plugins override this.
      'cache-control': 'no-store',
      ...securityHeaders,
      ...this.#options.cors.responseHeaders(this.#request.headers.origin),
    };
    for (const [name, value] of extra instanceof Map ? extra : Object.entries(extra)) headers[name] = value;
    headers['x-request-id'] = this.requestId;
    return this.#options.isShuttingDown() ? { ...headers, ...endConnection(this.#response) } : headers;
  }

  writePreflight(allowed: Readonly<ResponseHeaders>): void {
    this.#response.writeHead(204, this.headers(allowed));
    this.#response.end();
  }

  writePage({ status, headers, html }: BrowserPage): Promise<void> | undefined {
    const allHeaders = this.headers({ ...headers, 'content-type': 'text/html; charset=utf-8' });
    return writeResponse(this.#response, status, allHeaders, html, 0, this.#compression);
  }

  /** Responds to one operation, or to a batch of them. Returns a promise if the response is not written at once. */
  writeResult(result: CompleteResult, batchSize: number | undefined): Promise<void> | undefined {
    return this.writeComplete(
      this.#withinUnreadBytes(this.#withRequestErrorStatus(result), batchSize),
      this.accepted.prefersEvents &&
        batchSize === undefined &&
        !this.#getsStatus(result.status, overloadStatuses),
    );
  }

  /** The result, or an error in its place if too much waits for the client already. Its status is that of the result: a client
   *  may send an operation again after an error status, and this one was executed. */
  #withinUnreadBytes(result: CompleteResult, batchSize: number | undefined): CompleteResult {
    const size = sizeOfContent(result.content);
    try {
      if (isCounted(size)) this.#unread.addResponse(size, this.#response);
      return result;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.record?.fail(error);
      const content = JSON.stringify({ errors: [error.toFormatted()], data: null });
      const isBatch = batchSize !== undefined;
      return {
        ...result,
        caching: undefined,
        content: isBatch ? `[${Array(batchSize).fill(content).join(',')}]` : content,
      };
    }
  }

  get #unread(): UnreadBytes {
    return UnreadBytes.ofConnection(this.#request, this.#options.streamSettings.maxUnreadBytes);
  }

  /** Responds with this status and content. Returns a promise if they are not written at once. */
  writeComplete(result: CompleteResult, asEvent = false): Promise<void> | undefined {
    const { status, headers: apolloHeaders, content, caching } = result;
    const headers = this.headers(apolloHeaders);
    if (caching !== undefined && status === 200) {
      const { vary } = this.#options.cors.responseHeaders(this.#request.headers.origin);
      // Of a plugin, an extension, or middleware in front of a mounted gateway.
      const hasCookies = 'set-cookie' in headers || this.#response.hasHeader('set-cookie');
      const allowed = hasCookies ? asPrivate(caching) : caching;
      addCachingHeaders(headers, allowed, apolloHeaders.has('cache-control'), [
        vary,
        headers.vary?.toString(),
        // Middleware in front of a mounted gateway, such as for CORS.
        this.#response.getHeader('vary')?.toString(),
        this.#options.compression.vary,
      ]);
    }
    this.record?.addPayload(sizeOfContent(content));
    const { single, incremental } = this.accepted;
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

  /** Writes payloads, or the events of a subscription, until they end. */
  async writeStream({ outcome, headers }: StreamResult): Promise<void> {
    const { incremental, prefersEvents, subscription } = this.accepted;
    const compression = this.#compression;
    const options: PayloadStreamOptions = {
      ...this.#options.streamSettings,
      headers: this.headers(headers),
      signal: this.#signal,
      unread: () => this.#unread,
      record: this.record,
      formatFailure: (reason) => {
        this.record?.fail(reason);
        return this.formatFailure(reason);
      },
    };
    if (outcome.kind === 'incremental') {
      const payloads = outcome.payloads[Symbol.asyncIterator]();
      const encoding = prefersEvents
        ? incrementalEventEncoding
        : incrementalPartEncoding(incremental as IncrementalFormat);
      return writePayloads(this.#response, payloads, encoding, { ...options, compression });
    }
    const encoding =
      subscription === 'text/event-stream' ? subscriptionEventEncoding : subscriptionPartEncoding;
    return writeEvents(this.#response, outcome.events, encoding, {
      ...options,
      compression: compression?.includesSubscriptions === true ? compression : undefined,
    });
  }

  writeFailure(error: unknown): void {
    if (error instanceof HttpError) {
      const status =
        error.code === 'GRAPHQL_VALIDATION_FAILED' ? this.#requestErrorStatusOf(error.status) : error.status;
      const isHttpError = this.#getsStatus(status, httpLevelStatuses);
      this.#writeErrors(status, error.headers, [error.toFormatted()], isHttpError);
      return;
    }
    const formatted = this.formatFailure(error);
    const status = statusOf(formatted) ?? 500;
    const headers = Object.fromEntries(headersOf(formatted));
    this.#writeErrors(status, headers, [formatted], this.#getsStatus(status, overloadStatuses));
  }

  formatFailure(reason: unknown, signal = this.#signal): GraphQLFormattedError {
    return formatFailure(reason, { requestId: this.requestId, signal }, this.#options.log);
  }

  #writeErrors(
    status: number,
    extraHeaders: Readonly<Record<string, string>>,
    errors: readonly GraphQLFormattedError[],
    isHttpError: boolean,
  ): void {
    const headers = this.headers(extraHeaders);
    if (this.accepted.prefersEvents && !isHttpError) {
      writeSingleEvent(this.#response, headers, JSON.stringify({ errors }));
      this.record?.addPayload(0);
    } else {
      writeErrorResponse(this.#response, status, this.accepted.single, headers, errors);
      this.record?.addPayload(Number(headers['content-length']));
    }
  }

  /** Whether a client of events gets a status, and not an event. An `EventSource` connects again after an event and the end
   *  of the stream, and never after a status: it gets statuses for which trying again does not help. Other clients get
   *  `statuses`. */
  #getsStatus(status: number, statuses: ReadonlySet<number>): boolean {
    return this.isForEventSource ? status >= 400 && status < 500 : statuses.has(status);
  }

  #withRequestErrorStatus(result: CompleteResult): CompleteResult {
    const status = this.#requestErrorStatusOf(result.status);
    if (status === result.status || result.isExecuted) return result;
    return hasOnlyRequestErrors(contentToText(result.content)) ? { ...result, status } : result;
  }

  /** The status of an operation that is not valid, instead of 400. */
  #requestErrorStatusOf(status: number): number {
    const { single, prefersEvents } = this.accepted;
    return status === 400 && single === 'application/json' && !prefersEvents
      ? this.#options.requestErrorStatus
      : status;
  }
}

/** Error statuses that clients of server-sent events get although they take an error status for a network failure, and
 *  send the operation again. They get other errors as an event. */
const overloadStatuses = new Set([503]);

/** The same for requests that were refused before their operation was read. */
const httpLevelStatuses = new Set([401, 404, 405, 406, 409, 415, 503]);
