import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ResponseCaching } from '../../cache/rules/responseCaching.ts';
import { GatewayError } from '../../errors.ts';
import type { IncrementalFormat } from '../../operation/request.ts';
import {
  type AnswerContent,
  afterData,
  beforeData,
  type ExecutionOutcome,
  type IncrementalOutcome,
  textOf,
} from '../../response/outcome.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import type { SupergraphView } from '../supergraphView.ts';
import { type AnswerHeaders, writeAnswer, writeErrors } from './answer.ts';
import {
  type ApolloPipeline,
  type ApolloRequest,
  formatFailure,
  HeaderMap,
  type Respond,
} from './apolloServer.ts';
import { addCachingHeaders } from './cachingHeaders.ts';
import { ClientRequest } from './clientRequest.ts';
import { type CorsOptions, corsHeaders, preflightHeaders } from './cors.ts';
import type { InFlightRequest, InFlightRequests } from './inFlight.ts';
import type { KnownOperations } from './knownOperations.ts';
import { NoPayload, writeMultipart, writeSinglePart } from './multipartMixed.ts';
import { type AcceptedAnswers, negotiate } from './negotiate.ts';
import { checkPersistedQuery } from './persistedQuery.ts';
import { isJsonContentType, readJsonBody } from './readBody.ts';
import { ClientGone, Refusal } from './refusal.ts';
import { chooseRequestId } from './requestId.ts';
import type { TransportLog } from './transportLog.ts';

export interface GraphQLRouteOptions {
  readonly supergraphs: SupergraphView;
  readonly apollo: ApolloPipeline;
  /** Operations that need not pass Apollo Server again. */
  readonly known: KnownOperations | undefined;
  readonly respond: Respond;
  /** Throws a `Refusal` for a text beyond the limits. */
  readonly checkText: (text: string) => void;
  /** Throws a `Refusal` for variables beyond the limits. */
  readonly checkVariables: (variables: unknown) => void;
  readonly bodySize: number;
  /** Most operations in one request; 0 refuses JSON arrays. */
  readonly batchedOperations: number;
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of its answer loses its connection. */
  readonly readTimeout: number;
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

const methods = 'GET, POST';

class Exchange {
  readonly #options: GraphQLRouteOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #accepted: AcceptedAnswers;
  readonly #requestId: string;
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
    this.#signal = inFlight.signal;
    this.#accepted = negotiate(request.headers.accept);
    this.#requestId = chooseRequestId(request.headers['x-request-id']);
  }

  async answer(): Promise<void> {
    const { supergraphs, page } = this.#options;
    const method = this.#request.method ?? '';
    if (method === 'OPTIONS') return this.#answerPreflight();
    if (method !== 'GET' && method !== 'POST') {
      throw new Refusal(405, `The GraphQL route takes ${methods}.`, { headers: { allow: methods } });
    }
    if (method === 'GET' && page !== undefined && this.#accepted.prefersHtml) {
      return writeAnswer(
        this.#response,
        page.status,
        this.#headers({ 'content-type': 'text/html; charset=utf-8' }),
        page.html,
      );
    }
    if (this.#accepted.single === undefined && this.#accepted.incremental === undefined) {
      throw new Refusal(
        406,
        'The accept header allows no answer of this gateway. Accept application/graphql-response+json, application/json, or multipart/mixed.',
      );
    }
    if (supergraphs.current() === undefined) {
      throw new Refusal(
        503,
        'The gateway has no supergraph yet. Try again; what is missing stands in /health/ready and in the log.',
        { code: 'SUPERGRAPH_UNAVAILABLE' },
      );
    }
    const body = method === 'POST' ? await this.#readBody() : undefined;
    // Without one, CSRF prevention has the word.
    if (body !== undefined) this.#checkBody(body);
    await this.#execute(method, body);
  }

  /** Throws a `Refusal` for JSON that holds no operation, or several where they are not taken. */
  #checkBody(body: unknown): void {
    if (!Array.isArray(body)) {
      if (isObject(body) && Object.keys(body).length > 0) return;
      throw new Refusal(400, 'The request body must be a JSON object with a `query`: {"query": "…"}.');
    }
    if (this.#options.batchedOperations === 0) {
      throw new Refusal(
        400,
        'The request body is a JSON array, and several operations in one request are off (limits.batchedOperations). Send one JSON object.',
      );
    }
    if (this.#accepted.single === undefined) {
      throw new Refusal(
        406,
        'A JSON array of operations is answered in one piece, which the accept header does not allow. Accept application/json.',
      );
    }
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
      const headers = this.#headers(error.headers);
      writeErrors(this.#response, error.status, this.#accepted.single, headers, [error.toFormatted()]);
      return;
    }
    const cause = error instanceof NoPayload ? error.cause : error;
    const formatted = formatFailure(
      cause,
      { requestId: this.#requestId, signal: this.#signal },
      this.#options.log,
    );
    writeErrors(this.#response, 500, this.#accepted.single, this.#headers({}), [formatted]);
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
    // These a page may send anywhere without asking first; Apollo Server's CSRF prevention answers.
    if (this.#options.csrf && isSimpleContentType(headers['content-type']) && !isPreflighted(headers))
      return undefined;
    throw new Refusal(415, 'The request body must be application/json in UTF-8.');
  }

  async #execute(method: string, body: unknown): Promise<void> {
    const { apollo } = this.#options;
    const search = searchOf(this.#request.url ?? '');
    this.#checkTexts(method, search, body);
    const headers = this.#clientHeaders();
    const client = new ClientRequest({
      headers,
      incremental: this.#accepted.incremental,
      requestId: this.#requestId,
      signal: this.#signal,
    });
    this.#client = client;
    if (method === 'POST' && search === '' && (await this.#answerKnown(body, client))) return;
    const request: ApolloRequest = { method, headers, search, body };
    const result = await apollo.execute(request, client);
    const left = client.takeAnswer();
    const text = result.body.kind === 'complete' ? result.body.string : '';

    if (left?.kind === 'incremental') {
      if (text === '') return this.#writeIncremental(left, Object.fromEntries(result.headers));
      // A plugin failed after execution: its error is the answer, and the payloads are nobody's.
      await left.payloads[Symbol.asyncIterator]().return?.();
    }
    const status = result.status ?? 200;
    if (left?.kind === 'complete' && text === '') {
      this.#writeComplete(status, result.headers, left.text.take(), left.caching);
    } else this.#writeComplete(status, result.headers, text, undefined);
  }

  /** Answers an operation that Apollo Server has seen before. False where nothing has been executed: then
   *  Apollo Server says why, in its own form. */
  async #answerKnown(body: unknown, client: ClientRequest): Promise<boolean> {
    const { known, supergraphs, respond } = this.#options;
    const supergraph = supergraphs.current();
    const operation = known?.find(body, supergraph);
    if (operation === undefined || supergraph === undefined) return false;
    client.holdSupergraph(supergraphs);
    const { headers, incremental, requestId, signal } = client;
    let outcome: ExecutionOutcome;
    try {
      outcome = await respond({ ...operation, headers, incremental, requestId, signal }, supergraph);
    } catch (error) {
      // Refused before anything was executed. After any other error a second try might execute a mutation again.
      if (error instanceof GatewayError && error.code !== 'REQUEST_ABORTED') return false;
      throw error;
    }
    if (outcome.kind === 'incremental') {
      await this.#writeIncremental(outcome, {});
      return true;
    }
    if (outcome.data === undefined) return false;
    const { errors, extensions, caching } = outcome;
    const before = errors === undefined ? beforeData : `{"errors":${JSON.stringify(errors)},"data":`;
    const after = extensions === undefined ? afterData : `,"extensions":${JSON.stringify(extensions)}}`;
    const contentType = `${this.#accepted.single ?? 'application/json'}; charset=utf-8`;
    this.#writeComplete(
      200,
      new Map([['content-type', contentType]]),
      outcome.data.takeWithin(before, after),
      caching,
    );
    return true;
  }

  #writeIncremental(outcome: IncrementalOutcome, headers: Readonly<Record<string, string>>): Promise<void> {
    return writeMultipart(this.#response, outcome.payloads, {
      format: this.#accepted.incremental as IncrementalFormat,
      headers: this.#headers(headers),
      bufferSize: this.#options.bufferSize,
      readTimeout: this.#options.readTimeout,
      signal: this.#signal,
      formatFailure: (reason) =>
        formatFailure(reason, { requestId: this.#requestId, signal: this.#signal }, this.#options.log),
    });
  }

  #writeComplete(
    status: number,
    apolloHeaders: ReadonlyMap<string, string>,
    content: AnswerContent,
    caching: ResponseCaching | undefined,
  ): void {
    const headers = this.#headers(Object.fromEntries(apolloHeaders));
    if (caching !== undefined && status === 200) {
      const { vary } = corsHeaders(this.#request.headers.origin, this.#options.cors);
      addCachingHeaders(headers, caching, apolloHeaders.has('cache-control'), [vary, headers.vary]);
    }
    const { single, incremental } = this.#accepted;
    if (single === undefined && incremental !== undefined && status < 300) {
      writeSinglePart(this.#response, { format: incremental, headers }, textOf(content));
    } else {
      writeAnswer(this.#response, status, headers, content, this.#options.readTimeout);
    }
  }

  /** Throws a `Refusal` where a text of this request goes beyond the limits. */
  #checkTexts(method: string, search: string, body: unknown): void {
    const { batchedOperations } = this.#options;
    if (method === 'GET') {
      const parameters = new URLSearchParams(search);
      this.#checkOperation({
        query: parameters.get('query'),
        variables: parseJsonOrNothing(parameters.get('variables')),
        extensions: parseJsonOrNothing(parameters.get('extensions')),
      });
      return;
    }
    if (!Array.isArray(body)) {
      if (isObject(body)) this.#checkOperation(body);
      return;
    }
    if (batchedOperations > 0 && body.length > batchedOperations) {
      throw new Refusal(
        400,
        `The request holds ${body.length} operations; at most ${batchedOperations} are allowed (limits.batchedOperations).`,
        { code: 'OPERATION_TOO_COMPLEX' },
      );
    }
    for (const item of body) if (isObject(item)) this.#checkOperation(item);
  }

  #checkOperation({ query, variables, extensions }: Readonly<Record<string, unknown>>): void {
    const { apollo, checkText, checkVariables } = this.#options;
    const text = typeof query === 'string' ? query : undefined;
    if (text !== undefined) checkText(text);
    checkVariables(variables);
    const persisted = isObject(extensions) ? extensions.persistedQuery : undefined;
    checkPersistedQuery(persisted, text);
    if (text !== undefined || !isObject(persisted)) return;
    const registered = apollo.persistedText(String(persisted.sha256Hash));
    if (registered !== undefined) checkText(registered);
  }

  #answerPreflight(): void {
    const allowed = preflightHeaders(this.#request.headers, this.#options.cors);
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

function searchOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonOrNothing(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
