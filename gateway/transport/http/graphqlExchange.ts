import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Admission } from '../../admission/admission.ts';
import type { StreamResult } from '../../admission/admissionResult.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { readGetParameters } from '../../admission/getParameters.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import type { ClientIdentity } from '../../admission/identity.ts';
import { sizeOfContent } from '../../response/executionOutcome.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { RequestRecorder } from '../../telemetry/requestRecorder.ts';
import type { EventStreamExchange, EventStreamRequests } from '../event-streams/eventStreamRequests.ts';
import { readStreamToken } from '../event-streams/eventStreamRequests.ts';
import type { BrowserPage } from '../graphiql/graphiqlFiles.ts';
import { checkCsrf } from './checkCsrf.ts';
import { chooseRequestId } from './chooseRequestId.ts';
import type { ReadClientAddress } from './clientAddress.ts';
import { GraphQLResponse, type GraphQLResponseOptions } from './graphqlResponse.ts';
import type { InFlightRequest } from './inFlightRequests.ts';
import { discardBody, isJsonContentType, isMultipartForm, parseJson, readBody } from './readBody.ts';
import { toHeaderMap } from './toHeaderMap.ts';
import { waitToWrite } from './waitToWrite.ts';
import { NoFirstPayloadError } from './writePayloads.ts';

export interface GraphQLExchangeOptions extends GraphQLResponseOptions {
  readonly admission: Admission;
  /** Omitted where nothing is recorded. */
  readonly recorder?: RequestRecorder | undefined;
  readonly eventStreamRequests: EventStreamRequests;
  readonly clientAddressOf: ReadClientAddress;
  readonly bodySize: number;
  readonly csrf: boolean;
  /** The page for a browser's GET; `undefined` when GraphiQL is off. */
  readonly browserPage: BrowserPage | undefined;
  /** Whether subscriptions are refused. */
  readonly isDraining: () => boolean;
}

const allowedMethods = 'GET, POST, PUT, DELETE';

/** One request of the GraphQL route: checks it, has its operation executed, and responds. */
export class GraphQLExchange {
  readonly #options: GraphQLExchangeOptions;
  readonly #request: IncomingMessage;
  readonly #serverResponse: ServerResponse;
  readonly #response: GraphQLResponse;
  readonly #inFlight: InFlightRequest;
  readonly #startedAt: number;
  readonly #clientAddress: string | undefined;
  #headers: ReadonlyMap<string, string> | undefined;
  #client: ClientRequest | undefined;
  /** The request is about no operation, or about one that its event stream records. */
  #isRecordedElsewhere = false;

  constructor(
    options: GraphQLExchangeOptions,
    request: IncomingMessage,
    response: ServerResponse,
    inFlight: InFlightRequest,
    startedAt: number,
  ) {
    this.#startedAt = startedAt;
    this.#options = options;
    this.#request = request;
    this.#serverResponse = response;
    this.#inFlight = inFlight;
    this.#clientAddress = options.clientAddressOf(request);
    const requestId = chooseRequestId(request.headers['x-request-id']);
    this.#response = new GraphQLResponse(options, request, response, requestId, inFlight.signal);
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
    const search = queryStringOf(this.#request.url ?? '');
    const token = readStreamToken(this.#request, search);
    const { single, incremental, subscription, prefersEvents, prefersHtml } = this.#response.accepted;
    const page = token === undefined && prefersHtml ? browserPage : undefined;
    // Only the page has a HEAD: that of an operation would be as expensive as its GET.
    const isHeadOfPage = method === 'HEAD' && page !== undefined;
    if (method !== 'POST' && !/^(GET|PUT|DELETE)$/.test(method) && !isHeadOfPage)
      throw methodNotAllowedError();
    // Before the check against CSRF, whose message would not help.
    if (isMultipartForm(this.#request.headers['content-type'])) {
      discardBody(this.#request);
      throw new HttpError(
        415,
        'The gateway accepts no file uploads (multipart/form-data). Upload the file to a signed URL of your storage, and send the URL or a key in application/json (docs/uploads.md).',
      );
    }
    // A stream holds only results of the client that knows its token. An operation names the stream that gets its result,
    // which could be another client's.
    const opensStream = method === 'GET' && token !== undefined && prefersEvents;
    const isOperation = (method === 'GET' || method === 'POST') && !opensStream;
    if (token !== undefined || method === 'PUT' || method === 'DELETE') {
      this.#isRecordedElsewhere = !isOperation;
      return this.#handleEventStream(method, search, token, isOperation);
    }
    if (page !== undefined && (method === 'GET' || isHeadOfPage)) {
      this.#isRecordedElsewhere = true;
      return this.#response.writePage(page);
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

  #respondToPreflight(): void {
    const allowed = this.#options.cors.preflightHeaders(this.#request.headers, allowedMethods);
    if (allowed === undefined) throw methodNotAllowedError(this.#request.headers);
    this.#response.writePreflight(allowed);
  }

  async #handleEventStream(
    method: string,
    search: string,
    token: string | undefined,
    isOperation: boolean,
  ): Promise<void> {
    if (isOperation) this.#checkCsrf();
    const headers = this.#clientHeaders;
    const { authentication } = this.#options.admission;
    const authenticated = authentication.authenticate(headers, this.#clientAddress);
    const client = authenticated instanceof Promise ? await authenticated : authenticated;
    if (isOperation) this.#startRecord();
    const exchange = this.#eventStreamExchange(method, search, headers, client);
    return this.#options.eventStreamRequests.handle(exchange, token);
  }

  #eventStreamExchange(
    method: string,
    search: string,
    clientHeaders: ReadonlyMap<string, string>,
    client: ClientIdentity,
  ): EventStreamExchange {
    const response = this.#response;
    return {
      method,
      search,
      accepted: response.accepted,
      response: this.#serverResponse,
      requestId: response.requestId,
      signal: this.#inFlight.signal,
      client,
      clientAddress: this.#clientAddress,
      headers: (extra) => response.headers(extra),
      clientHeaders,
      record: response.record,
      detachRecord: () => {
        this.#isRecordedElsewhere = true;
      },
      readBody: async () => parseJson(await this.#readBody()),
      writeComplete: (result) => response.writeComplete(result),
      formatFailure: (reason, signal) =>
        reason instanceof HttpError ? reason.toFormatted() : response.formatFailure(reason, signal),
    };
  }

  async #execute(method: string, search: string): Promise<void> {
    const parsed = method === 'POST' ? parseJson(await this.#readBody()) : undefined;
    const body = parsed instanceof Promise ? await parsed : parsed;
    const { single, incremental, subscription } = this.#response.accepted;
    const headers = this.#clientHeaders;
    const client = new ClientRequest({
      headers,
      incremental,
      acceptsSubscriptions: subscription !== undefined,
      isReadOnly: method === 'GET',
      // An empty one stands for none, as in `EventSource`.
      lastEventId: headers.get('last-event-id') || undefined,
      transport: 'http',
      clientAddress: this.#clientAddress,
      requestId: this.#response.requestId,
      record: this.#startRecord(),
      signal: this.#inFlight.signal,
    });
    this.#client = client;
    const acceptsArrays = single !== undefined;
    // Apollo Server allows only queries by GET, but a browser's EventSource also subscribes by GET.
    const parameters = this.#response.isForEventSource ? readGetParameters(search) : undefined;
    const result = await this.#options.admission.admit(
      parameters === undefined
        ? { method, search, body, headers, acceptsArrays }
        : { method: 'POST', search: '', body: parameters, headers, acceptsArrays },
      client,
    );
    if (result.kind === 'stream') return this.#writeStream(result, client);
    await waitToWrite(sizeOfContent(result.content));
    const written = this.#response.writeResult(result, Array.isArray(body) ? body.length : undefined);
    if (written !== undefined) await written;
  }

  async #writeStream(result: StreamResult, client: ClientRequest): Promise<void> {
    const { admission, isDraining } = this.#options;
    const { outcome } = result;
    if (outcome.kind !== 'incremental') {
      if (isDraining()) {
        await outcome.events[Symbol.asyncIterator]().return?.();
        // For its client, the subscription has not begun.
        client.record?.replaceOutcome(503);
        throw new HttpError(503, 'The gateway is shutting down. Subscribe again.', { code: 'SHUTTING_DOWN' });
      }
      this.#inFlight.isSubscription = true;
    }
    const stopWatching = admission.authentication.watchExpiry(client.caller, (error) =>
      this.#inFlight.abort(error),
    );
    await this.#response.writeStream(result).finally(stopWatching);
  }

  #respondToFailure(error: unknown): void {
    try {
      this.#handleFailure(error);
    } catch (err) {
      this.#options.log.error({ err }, 'Responding to a request failed');
      this.#serverResponse.destroy();
    }
  }

  /** Does nothing when the client has disconnected. */
  #handleFailure(error: unknown): void {
    const abortReason: unknown = this.#inFlight.signal.reason;
    if (error instanceof ClientDisconnectedError || abortReason instanceof ClientDisconnectedError) return;
    const cause = error instanceof NoFirstPayloadError ? error.cause : error;
    if (!this.#isRecordedElsewhere) this.#startRecord()?.fail(cause);
    if (this.#serverResponse.headersSent) {
      const { requestId } = this.#response;
      this.#options.log.error({ err: error, requestId }, 'A response failed after its start');
      this.#serverResponse.destroy();
    } else this.#response.writeFailure(cause);
  }

  /** Releases what the request holds, however it ended. */
  #end(): void {
    this.#client?.releaseSupergraph();
    const record = this.#isRecordedElsewhere ? undefined : this.#startRecord();
    if (record === undefined) return;
    const { headersSent, statusCode, writableEnded } = this.#serverResponse;
    if (headersSent && record.outcome !== 'aborted') record.status = statusCode;
    if (!writableEnded) record.abort();
    record.finish();
  }

  /** Starts the record of the request, unless it has begun. */
  #startRecord(): RequestRecord | undefined {
    const response = this.#response;
    response.record ??= this.#options.recorder?.start(
      response.requestId,
      this.#clientHeaders,
      this.#clientAddress,
      this.#startedAt,
    );
    return response.record;
  }

  #checkCsrf(): void {
    if (this.#options.csrf) checkCsrf(this.#request.headers, this.#options.cors);
  }

  /** @throws {HttpError} 415, before anything is read. Otherwise as `readBody`. */
  #readBody(): Promise<Buffer> {
    const { headers } = this.#request;
    if (isJsonContentType(headers['content-type'])) return readBody(this.#request, this.#options.bodySize);
    discardBody(this.#request);
    throw new HttpError(415, 'The request body must be application/json in UTF-8.');
  }

  /** The client's headers, as Apollo Server and subgraphs get them. `accept` is the negotiated media type, so that Apollo
   *  Server never rejects a request that the gateway can respond to. */
  get #clientHeaders(): ReadonlyMap<string, string> {
    if (this.#headers !== undefined) return this.#headers;
    const headers = toHeaderMap(this.#request.headers);
    headers.set('accept', this.#response.accepted.single ?? 'application/json');
    headers.set('x-request-id', this.#response.requestId);
    this.#headers = headers;
    return headers;
  }
}

function methodNotAllowedError(headers: IncomingHttpHeaders = {}): HttpError {
  const isPreflight = headers['access-control-request-method'] !== undefined;
  const message = isPreflight
    ? "Pages of this origin may not send requests: the origin is neither the gateway's nor listed (security.cors.origins)."
    : `The GraphQL route allows ${allowedMethods}.`;
  return new HttpError(405, message, { headers: { allow: allowedMethods } });
}

function queryStringOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark);
}
