import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { Authentication } from '../admission/authentication/authentication.ts';
import { headersOf } from '../admission/errorResponse.ts';
import { ClientDisconnectedError, HttpError } from '../admission/httpError.ts';
import { GatewayError, GatewayShutdownError, internalServerError } from '../errors.ts';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { SubscriptionPayload } from '../response/subscriptionEvents.ts';
import { TransientSet } from '../sharing/transientSet.ts';
import type { TransportLog } from '../telemetry/logger.ts';
import type { TraceSpan, Tracing } from '../telemetry/trace.ts';
import type { Timers } from '../time/timers.ts';
import { chooseRequestId } from '../transport/http/chooseRequestId.ts';
import type { ReadClientAddress } from '../transport/http/clientAddress.ts';
import type { CompressionPolicy } from '../transport/http/compression.ts';
import type { CorsPolicy } from '../transport/http/cors.ts';
import { endConnection } from '../transport/http/http2Messages.ts';
import { negotiateFormats } from '../transport/http/negotiateFormats.ts';
import { sendProblem } from '../transport/http/rawBodyRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import { subscriptionEventEncoding } from '../transport/http/serverSentEvents.ts';
import { toHeaderMap } from '../transport/http/toHeaderMap.ts';
import { NoFirstPayloadError, writePayloads, writeStreamHead } from '../transport/http/writePayloads.ts';
import { type ResponseHeaders, writeErrorResponse, writeResponse } from '../transport/http/writeResponse.ts';
import type { PayloadEncoding } from '../transport/streams/payloadEncoding.ts';
import type { Caller, DeferredEnrichments, EnrichmentUpdate } from './deferredEnrichments.ts';
import { expiredTokenError } from './expiredTokenError.ts';
import { jobStoreUnavailableError } from './jobs/readLimiter.ts';

interface EnrichmentRouteOptions {
  readonly enrichments: Pick<DeferredEnrichments, 'subscribe' | 'readArrived'>;
  readonly authentication: Authentication;
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  /** See `FeatureContext.openStream`. */
  readonly openStream: (clientKey: string) => () => void;
  readonly clientAddressOf: ReadClientAddress;
  /** When aborted, all streams end without `complete`, so that clients reconnect to another process. */
  readonly drainSignal: AbortSignal;
  readonly cors: CorsPolicy;
  readonly compression: CompressionPolicy;
  /** As in `HttpServerOptions`. */
  readonly bufferSize: number;
  readonly readTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly timers: Timers;
  readonly log: TransportLog;
}

/** Adds `GET /enrichments/:token` to the public listener: the updates of a token as server-sent events that can be
 *  resumed with `Last-Event-ID`, or as JSON with the updates that have arrived so far, after `Last-Event-ID`. */
export function addEnrichmentRoute(server: Routes, options: EnrichmentRouteOptions): void {
  const path = '/enrichments/:token';
  // One listener for all streams: `addEventListener` takes time in proportion to the listeners that a signal has.
  const streams = new TransientSet<AbortController>();
  options.drainSignal.addEventListener(
    'abort',
    () => {
      for (const stream of streams.toArray()) stream.abort(new GatewayShutdownError());
    },
    { once: true },
  );
  server.get<{ Params: { token: string } }>(path, { exposeHeadRoute: false }, async (request, reply) => {
    reply.hijack();
    await new EnrichmentExchange(options, streams, request.raw, reply.raw).handle(request.params.token);
  });
  server.options(path, async (request, reply) => {
    const allowed = options.cors.preflightHeaders(request.headers, 'GET');
    return allowed === undefined
      ? sendProblem(reply.header('allow', 'GET'), 405, `The route ${path} allows GET.`)
      : reply.code(204).headers(allowed).send();
  });
}

const updateEventEncoding: PayloadEncoding<SubscriptionPayload> = {
  ...subscriptionEventEncoding,
  headers: { ...subscriptionEventEncoding.headers, 'cache-control': 'no-store' },
};

/** Longer than a Redis that does not hang takes for a read. */
const drainingReadTimeoutMs = 500;

/** One request for the updates of a token. */
class EnrichmentExchange {
  readonly #options: EnrichmentRouteOptions;
  readonly #streams: TransientSet<AbortController>;
  readonly #request: IncomingMessage;
  readonly #requestHeaders: ReturnType<typeof toHeaderMap>;
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #startedAt: number;
  #span: TraceSpan | undefined;

  /** `streams`: the streams and reads that end when the gateway drains. */
  constructor(
    options: EnrichmentRouteOptions,
    streams: TransientSet<AbortController>,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#options = options;
    this.#streams = streams;
    this.#request = request;
    this.#requestHeaders = toHeaderMap(request.headers);
    this.#response = response;
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
    this.#startedAt = options.tracing === undefined ? 0 : performance.now();
  }

  async handle(token: string): Promise<void> {
    const { single, prefersEvents } = negotiateFormats(this.#request.headers.accept);
    try {
      if (!prefersEvents && single === undefined) {
        throw new HttpError(
          406,
          'No media type of this route matches the accept header. Accept text/event-stream or application/json.',
        );
      }
      const { authentication, clientAddressOf } = this.#options;
      const client = await authentication.authenticate(this.#requestHeaders, clientAddressOf(this.#request));
      if (prefersEvents) await this.#respondWithEvents(token, client);
      else await this.#respondWithJson(token, client);
    } catch (error) {
      if (this.#response.destroyed) return;
      const { status, formatted } = this.#describe(error);
      const headers = this.#headers(Object.fromEntries(headersOf(formatted)));
      if (this.#response.headersSent) this.#response.destroy();
      else writeErrorResponse(this.#response, status, single, headers, [formatted]);
      this.#span?.end(status >= 500 ? String(formatted.extensions?.code) : undefined);
    } finally {
      this.#span?.end();
    }
  }

  async #respondWithJson(token: string, client: ClientIdentity): Promise<void> {
    const { enrichments, compression, readTimeoutMs } = this.#options;
    const { headers: received } = this.#request;
    const reading = enrichments.readArrived(token, this.#callerOf(client), cursorOf(received));
    const arrived = await this.#unlessDraining(reading);
    if (arrived === undefined) throw expiredTokenError();
    const headers = this.#headers({ 'content-type': 'application/json; charset=utf-8' });
    const chosen = compression.choose(received);
    await writeResponse(this.#response, 200, headers, JSON.stringify(arrived), readTimeoutMs, chosen);
  }

  /** Rejects with `OVERLOADED` if the read takes long while the gateway drains, because Redis hangs: another process may answer.
   *  A Redis that does not hang says in time that a token is unknown. */
  #unlessDraining<Value>(reading: Promise<Value>): Promise<Value> {
    const { drainSignal, timers } = this.#options;
    const draining = new AbortController();
    let cancelTimer = (): void => {};
    const refused = new Promise<never>((_, reject) => {
      draining.signal.addEventListener('abort', () => {
        cancelTimer = timers.after(drainingReadTimeoutMs, () => reject(jobStoreUnavailableError()));
      });
    });
    this.#streams.add(draining);
    if (drainSignal.aborted) draining.abort();
    return Promise.race([reading, refused]).finally(() => {
      cancelTimer();
      this.#streams.delete(draining);
    });
  }

  async #respondWithEvents(token: string, client: ClientIdentity): Promise<void> {
    const { enrichments, authentication, drainSignal, openStream } = this.#options;
    const close = openStream(client.clientKey);
    const ended = new AbortController();
    const stopWatching = authentication.watchExpiry(client, (error) => ended.abort(error));
    const onClose = (): void => ended.abort(new ClientDisconnectedError());
    this.#response.once('close', onClose);
    // The client may have disconnected while its token was verified.
    if (this.#request.socket.destroyed) onClose();
    this.#streams.add(ended);
    if (drainSignal.aborted) ended.abort(new GatewayShutdownError());
    try {
      const cursor = cursorOf(this.#request.headers);
      const found = enrichments.subscribe(token, this.#callerOf(client), cursor);
      const updates = await foundOrAborted(found, ended.signal);
      if (updates === undefined) throw expiredTokenError();
      await this.#writeEvents(updates, ended.signal);
    } finally {
      close();
      stopWatching();
      this.#response.off('close', onClose);
      this.#streams.delete(ended);
    }
  }

  #callerOf(client: ClientIdentity): Caller {
    const { tracing } = this.#options;
    if (tracing === undefined) return client;
    const onFound = (traceparent: string | undefined): void => {
      // Found too late: the span would never end.
      if (this.#response.writableEnded || this.#response.destroyed) return;
      this.#span ??= tracing.startTrace('tributary.enrichment', {
        headers: this.#requestHeaders,
        link: traceparent,
        startedAt: this.#startedAt,
        attributes: {
          'tributary.enrichment.kind': 'pick-up',
          'tributary.request_id': this.#requestId,
        },
      }).trace?.root;
    };
    return { tokenOwner: client.tokenOwner, onFound };
  }

  async #writeEvents(updates: Updates, signal: AbortSignal): Promise<void> {
    const { bufferSize, compression, readTimeoutMs, heartbeatIntervalMs, timers } = this.#options;
    try {
      await writePayloads(this.#response, payloadsOf(updates), updateEventEncoding, {
        headers: this.#headers(),
        compression: compression.choose(this.#request.headers),
        bufferSize,
        readTimeoutMs,
        heartbeatIntervalMs,
        timers,
        signal,
        formatFailure: (reason) => this.#describe(reason).formatted,
      });
    } catch (error) {
      if (!(error instanceof NoFirstPayloadError)) throw error;
      // The gateway is draining. After an empty stream the client reconnects; after any other status it does not.
      writeStreamHead(this.#response, updateEventEncoding, this.#headers());
      this.#response.end(updateEventEncoding.opening);
    }
  }

  #describe(error: unknown): { readonly status: number; readonly formatted: GraphQLFormattedError } {
    if (error instanceof GatewayError || error instanceof HttpError) {
      return { status: error.status, formatted: error.toFormatted() };
    }
    this.#options.log.error({ err: error, requestId: this.#requestId }, 'Serving enrichment updates failed');
    const hidden = internalServerError(error);
    return { status: hidden.status, formatted: hidden.toFormatted() };
  }

  #headers(additional: Readonly<Record<string, string>> = {}): ResponseHeaders {
    return {
      'cache-control': 'no-store',
      ...this.#options.cors.responseHeaders(this.#request.headers.origin),
      ...additional,
      'x-request-id': this.#requestId,
      ...(this.#options.drainSignal.aborted ? endConnection(this.#response) : {}),
    };
  }
}

function cursorOf({ 'last-event-id': cursor }: IncomingHttpHeaders): string | undefined {
  return cursor === undefined ? undefined : String(cursor);
}

type Updates = AsyncIterator<EnrichmentUpdate>;

/** Resolves with no updates when the signal is aborted before they are found: while Redis does not answer, that takes
 *  seconds. Ends the updates that are found later. */
function foundOrAborted(
  found: Promise<Updates | undefined>,
  signal: AbortSignal,
): Promise<Updates | undefined> {
  const aborted = new Promise<Updates>((resolve) => {
    const onAbort = (): void => {
      resolve({ next: async () => ({ done: true, value: undefined }) });
      found.then(
        (updates) => updates?.return?.(),
        () => {},
      );
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  return Promise.race([found, aborted]);
}

/** Each update as a batch of one payload. */
function payloadsOf(updates: Updates): AsyncIterator<readonly SubscriptionPayload[]> {
  return {
    next: async () => {
      const { done, value } = await updates.next();
      if (done === true) return { done, value: undefined };
      return { done: false, value: [{ text: JSON.stringify(value), cursor: value.cursor }] };
    },
    return: async () => {
      await updates.return?.();
      return { done: true, value: undefined };
    },
  };
}
