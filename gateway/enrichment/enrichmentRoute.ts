import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { SubscriptionPayload } from '../response/outcome.ts';
import type { Timers } from '../time/timers.ts';
import { GoingAway } from '../transport/goingAway.ts';
import { type AnswerHeaders, writeAnswer, writeErrors } from '../transport/http/answer.ts';
import { type CorsOptions, corsHeaders, preflightHeaders } from '../transport/http/cors.ts';
import { subscriptionEvents } from '../transport/http/eventStream.ts';
import { headerMap } from '../transport/http/headerMap.ts';
import { negotiate } from '../transport/http/negotiate.ts';
import type { PayloadEncoding } from '../transport/http/payloadEncoding.ts';
import { NoPayload, writePayloads, writeStreamHead } from '../transport/http/payloadStream.ts';
import type { Routes } from '../transport/http/routes.ts';
import { ClientGone, Refusal } from '../transport/refusal.ts';
import { chooseRequestId } from '../transport/requestId.ts';
import type { TransportLog } from '../transport/transportLog.ts';
import { expiredToken } from './expiredToken.ts';
import type { Caller, EnrichmentUpdate, LateEnrichments } from './lateEnrichments.ts';

export interface EnrichmentRouteOptions {
  readonly late: Pick<LateEnrichments, 'follow' | 'arrived'>;
  /** Who asks, by the headers of the request. */
  readonly callerOf: (headers: IncomingHttpHeaders) => Caller;
  /** Counts a client's stream; returns what ends it. Errors: `GatewayError` `OVERLOADED`. */
  readonly openStream: (client: {
    readonly headers: ReadonlyMap<string, string>;
    readonly clientAddress: string | undefined;
  }) => () => void;
  /** Aborted when the gateway drains, and does nothing more for those who follow: they are let go, and come back to
   *  another process. */
  readonly draining: AbortSignal;
  readonly cors: CorsOptions | undefined;
  /** As in `HttpServerOptions`. */
  readonly bufferSize: number;
  readonly readTimeout: number;
  readonly heartbeat: number;
  readonly timers: Timers;
  readonly log: TransportLog;
}

/** `GET /enrichments/:token` of the public listener: what comes late, as server-sent events that can be resumed by
 *  `Last-Event-ID`, or as JSON with what has come so far. */
export function addEnrichmentRoute(server: Routes, options: EnrichmentRouteOptions): void {
  const path = '/enrichments/:token';
  // One listener for all: a signal looks through those it has for each that is added.
  const streams = new Set<AbortController>();
  options.draining.addEventListener(
    'abort',
    () => {
      for (const stream of streams) stream.abort(new GoingAway());
    },
    { once: true },
  );
  server.get<{ Params: { token: string } }>(path, { exposeHeadRoute: false }, async (request, reply) => {
    reply.hijack();
    await new PickUp(options, streams, request.raw, reply.raw).answer(request.params.token);
  });
  server.options(path, async (request, reply) => {
    const allowed = preflightHeaders(request.headers, options.cors, 'GET');
    return allowed === undefined
      ? reply.code(405).header('allow', 'GET').send({ error: 'Enrichments are picked up with GET.' })
      : reply.code(204).headers(allowed).send();
  });
}

const updateEvents: PayloadEncoding<SubscriptionPayload> = {
  ...subscriptionEvents,
  headers: { ...subscriptionEvents.headers, 'cache-control': 'no-store' },
};

/** One request for what comes late. */
class PickUp {
  readonly #options: EnrichmentRouteOptions;
  readonly #streams: Set<AbortController>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId: string;

  /** `streams`: those that end when the gateway drains. */
  constructor(
    options: EnrichmentRouteOptions,
    streams: Set<AbortController>,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#options = options;
    this.#streams = streams;
    this.#request = request;
    this.#response = response;
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
  }

  async answer(token: string): Promise<void> {
    const { single, prefersEvents } = negotiate(this.#request.headers.accept);
    try {
      if (prefersEvents) await this.#stream(token);
      else if (single !== undefined) await this.#answerAtOnce(token);
      else {
        throw new Refusal(
          406,
          'The accept header allows no answer of this route. Accept text/event-stream or application/json.',
        );
      }
    } catch (error) {
      if (this.#response.destroyed) return;
      const { status, formatted } = this.#describe(error);
      if (this.#response.headersSent) this.#response.destroy();
      else writeErrors(this.#response, status, single, this.#headers(), [formatted]);
    }
  }

  async #answerAtOnce(token: string): Promise<void> {
    const { late, callerOf, readTimeout } = this.#options;
    const arrived = await late.arrived(token, callerOf(this.#request.headers));
    if (arrived === undefined) throw expiredToken();
    const headers = this.#headers({ 'content-type': 'application/json; charset=utf-8' });
    writeAnswer(this.#response, 200, headers, JSON.stringify(arrived), readTimeout);
  }

  async #stream(token: string): Promise<void> {
    const { late, callerOf, draining, openStream } = this.#options;
    const { headers, socket } = this.#request;
    const close = openStream({ headers: headerMap(headers), clientAddress: socket.remoteAddress });
    const ended = new AbortController();
    const onClose = (): void => ended.abort(new ClientGone());
    this.#response.once('close', onClose);
    this.#streams.add(ended);
    if (draining.aborted) ended.abort(new GoingAway());
    try {
      const cursor = headers['last-event-id'];
      const updates = await late.follow(
        token,
        callerOf(headers),
        cursor === undefined ? undefined : String(cursor),
      );
      if (updates === undefined) throw expiredToken();
      await this.#write(updates, ended.signal);
    } finally {
      close();
      this.#response.off('close', onClose);
      this.#streams.delete(ended);
    }
  }

  async #write(updates: AsyncIterator<EnrichmentUpdate>, signal: AbortSignal): Promise<void> {
    const { bufferSize, readTimeout, heartbeat, timers } = this.#options;
    try {
      await writePayloads(this.#response, payloadsOf(updates), updateEvents, {
        headers: this.#headers(),
        bufferSize,
        readTimeout,
        heartbeat,
        timers,
        signal,
        formatFailure: (reason) => this.#describe(reason).formatted,
      });
    } catch (error) {
      if (!(error instanceof NoPayload)) throw error;
      // The gateway drains already: an empty stream makes the client come back, any other status does not.
      writeStreamHead(this.#response, updateEvents, this.#headers());
      this.#response.end(updateEvents.opening);
    }
  }

  #describe(error: unknown): { readonly status: number; readonly formatted: GraphQLFormattedError } {
    if (error instanceof GatewayError || error instanceof Refusal) {
      return { status: error.status, formatted: error.toFormatted() };
    }
    this.#options.log.error({ error, requestId: this.#requestId }, 'Picking up an enrichment failed');
    const hidden = new GatewayError('INTERNAL_SERVER_ERROR', 'The gateway failed to answer.');
    return { status: hidden.status, formatted: hidden.toFormatted() };
  }

  #headers(own: Readonly<Record<string, string>> = {}): AnswerHeaders {
    return {
      'cache-control': 'no-store',
      ...corsHeaders(this.#request.headers.origin, this.#options.cors),
      ...own,
      'x-request-id': this.#requestId,
      ...(this.#options.draining.aborted ? { connection: 'close' } : {}),
    };
  }
}

/** Updates as batches of one, each with its cursor. */
function payloadsOf(updates: AsyncIterator<EnrichmentUpdate>): AsyncIterator<readonly SubscriptionPayload[]> {
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
