import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { ResponseHeaderMap } from '../execution/responseHeaderCollector.ts';
import { exactReviverFor } from '../json/exactJson.ts';
import { isObject } from '../json/isObject.ts';
import type { ExecutionOutcome } from '../response/executionOutcome.ts';
import { envelopeOf } from '../response/serializeOutcome.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { RequestTrace, Tracing } from '../telemetry/trace.ts';
import { traceIdOf } from '../telemetry/traceContext.ts';
import type { AdmissionResult, CompleteResult } from './admissionResult.ts';
import type { ApolloPipeline, ApolloRequest, ExecuteOperation } from './apolloPipeline.ts';
import type { Authentication } from './authentication/authentication.ts';
import { checkPersistedQuery } from './checkPersistedQuery.ts';
import type { ClientRequest } from './clientRequest.ts';
import { documentIdNames, type TrustedDocuments } from './documents/trustedDocuments.ts';
import { headersOf, statusOf } from './errorResponse.ts';
import { dropEmptyOperationName, readGetParameters, writeGetParameters } from './getParameters.ts';
import { HttpError } from './httpError.ts';
import { endFailedTrace, endTraceWith, startRequestTrace } from './operationTrace.ts';
import { recordOutcome } from './recordOutcome.ts';
import type { ValidatedOperation, ValidatedOperationCache } from './validatedOperationCache.ts';

interface AdmissionOptions {
  readonly supergraphs: SupergraphView;
  readonly apollo: ApolloPipeline;
  /** Operations that bypass Apollo Server; `undefined` if none may. */
  readonly validatedOperations: ValidatedOperationCache | undefined;
  /** `undefined` if the option is off. */
  readonly trustedDocuments: TrustedDocuments | undefined;
  readonly executeOperation: ExecuteOperation;
  readonly authentication: Authentication;
  /** @throws {HttpError} if the request is shed regardless of its operation. */
  readonly checkLoad: (client: Pick<ClientRequest, 'headers' | 'caller'>) => void;
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  /** Gives an error its final form (`createErrorFormatter`). */
  readonly formatError: (error: GraphQLFormattedError) => GraphQLFormattedError;
  /** @throws {HttpError} for an operation text beyond the limits. */
  readonly checkText: (text: string) => void;
  /** @throws {HttpError} for variables beyond the limits. */
  readonly checkVariables: (variables: unknown) => void;
  /** Maximum number of operations in one request; 0 turns batches (JSON arrays) off. */
  readonly maxBatchedOperations: number;
}

/** A request of any transport in the form of the equivalent HTTP request. */
interface AdmissionRequest extends ApolloRequest {
  /** Whether the client accepts a single JSON document, which is the only response to a JSON array. */
  readonly acceptsArrays: boolean;
}

const noHeaders: ReadonlyMap<string, string> = new Map();

/** Admits operations of every transport: limits, persisted queries, then Apollo Server's parsing, validation and plugins.
 *  All transports share it, so that none admits what another refuses. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** @throws {HttpError} 503 as long as no supergraph is loaded. */
  checkReady(): void {
    if (this.#options.supergraphs.current() !== undefined) return;
    throw new HttpError(
      503,
      'The gateway has no supergraph yet. Try again later. /health/ready of the admin listener and the log say what is missing.',
      { code: 'SUPERGRAPH_UNAVAILABLE' },
    );
  }

  /** Finds the client that sends certain headers, and when its token expires. */
  get authentication(): Authentication {
    return this.#options.authentication;
  }

  /** Responds to a request. Call `checkReady` first. `client` holds a lease on the supergraph until its owner releases it.
   *  @throws {HttpError} for a request that is refused before Apollo Server sees it; and everything that execution throws. */
  admit(request: AdmissionRequest, client: ClientRequest): Promise<AdmissionResult> {
    const { tracing } = this.#options;
    // Each operation of a batch has a trace of its own.
    if (tracing !== undefined && !Array.isArray(request.body)) {
      const { headers, trace } = startRequestTrace(tracing, client);
      client.traceHeaders = headers;
      client.trace = trace;
      if (trace !== undefined) {
        // For the access log of an operation that is refused before it has a context.
        if (client.record !== undefined) client.record.traceId = traceIdOf(headers);
        return this.#admitTraced(request, client, trace);
      }
    }
    try {
      return this.#admit(request, client);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #admitTraced(
    request: AdmissionRequest,
    client: ClientRequest,
    trace: RequestTrace,
  ): Promise<AdmissionResult> {
    let result: AdmissionResult;
    try {
      result = await this.#admit(request, client);
    } catch (error) {
      endFailedTrace(trace, error);
      throw error;
    }
    return endTraceWith(trace, result);
  }

  #completeResult(result: AdmissionResult, client: ClientRequest): AdmissionResult {
    if (result.kind === 'complete' && result.caching !== undefined) {
      const caching = this.#options.authentication.restrictCaching(client.caller, result.caching);
      return addHeaders({ ...result, caching }, client.responseHeaders);
    }
    // A subscription moves to each new supergraph: it must not keep the one it started with in memory.
    if (result.kind === 'stream' && result.outcome.kind === 'subscription') client.releaseSupergraph();
    return addHeaders(result, client.responseHeaders);
  }

  #admit(request: AdmissionRequest, client: ClientRequest): Promise<AdmissionResult> {
    const caller = this.#options.authentication.authenticate(client.headers, client.clientAddress);
    return caller instanceof Promise
      ? caller.then((authenticated) => this.#admitCaller(authenticated, request, client))
      : this.#admitCaller(caller, request, client);
  }

  #admitCaller(
    caller: ClientIdentity,
    request: AdmissionRequest,
    client: ClientRequest,
  ): Promise<AdmissionResult> {
    client.caller = caller;
    this.#options.checkLoad(client);
    const { method, search } = request;
    const isGet = method === 'GET';
    if (request.body !== undefined) this.#checkBody(request.body, request.acceptsArrays);
    const sent = isGet ? readGetParameters(search) : request.body;
    const body = this.#resolveDocuments(sent);
    if (isGet ? hasNoOtherContentType(request) : search === '') {
      const executed = this.#executeValidated(body, client);
      if (executed !== undefined) return executed;
    }
    this.#checkTexts(body);
    return this.#executeByApollo(toApolloRequest(request, sent, body), client);
  }

  async #executeByApollo(request: AdmissionRequest, client: ClientRequest): Promise<AdmissionResult> {
    return this.#completeResult(await this.#requestApollo(request, client), client);
  }

  async #requestApollo(request: AdmissionRequest, client: ClientRequest): Promise<AdmissionResult> {
    const result = await this.#options.apollo.execute(request, client);
    const { headers } = result;
    const outcome = client.takeOutcome();
    const text = result.body.kind === 'complete' ? result.body.string : '';
    if (outcome !== undefined && outcome.kind !== 'complete') {
      if (text === '') return { kind: 'stream', headers, outcome };
      // A plugin failed after execution: its error is the response, and no client reads the payloads.
      const payloads = outcome.kind === 'incremental' ? outcome.payloads : outcome.events;
      await payloads[Symbol.asyncIterator]().return?.();
    }
    const status = result.status ?? 200;
    if (outcome?.kind === 'complete' && text === '') {
      const { caching } = outcome;
      return { kind: 'complete', status, headers, content: outcome.text.take(), isExecuted: true, caching };
    }
    // The operations of a batch have outcomes of their own, unless Apollo Server has refused the batch as a whole.
    client.record?.replaceOutcome(status);
    return { kind: 'complete', status, headers, content: text, isExecuted: false, caching: undefined };
  }

  /** Executes an operation that Apollo Server has validated before. `undefined` if the operation is not known, or is one that
   *  the transport cannot answer: Apollo Server handles it. */
  #executeValidated(body: unknown, client: ClientRequest): Promise<AdmissionResult> | undefined {
    const { validatedOperations, supergraphs, checkVariables } = this.#options;
    const supergraph = supergraphs.current();
    const operation = validatedOperations?.find(body, supergraph);
    if (operation === undefined || supergraph === undefined) return undefined;
    if (!client.accepts(operation.kind)) return undefined;
    // The text was within the limits before.
    checkVariables(operation.variables);
    client.acquireSupergraph(supergraphs);
    return this.#execute(operation, supergraph, client);
  }

  /** The result is final, failures included: a second attempt might execute a mutation twice, and would put more load on an
   *  overloaded planner. */
  async #execute(
    operation: ValidatedOperation,
    supergraph: Supergraph,
    client: ClientRequest,
  ): Promise<AdmissionResult> {
    const { executeOperation } = this.#options;
    const { record } = client;
    if (record !== undefined) {
      record.type = operation.kind;
      record.operationName = operation.name;
    }
    const contentType = `${client.headers.get('accept')}; charset=utf-8`;
    let outcome: ExecutionOutcome;
    try {
      outcome = await executeOperation(client.toOperationRequest(operation), supergraph);
      if (record !== undefined) recordOutcome(record, outcome);
    } catch (error) {
      record?.fail(error);
      if (!(error instanceof GatewayError) || error.code === 'REQUEST_ABORTED') throw error;
      return this.#completeResult(this.#failedResult([error.toFormatted()], undefined, contentType), client);
    }
    return this.#completeResult(this.#resultOf(outcome, contentType), client);
  }

  #resultOf(outcome: ExecutionOutcome, contentType: string): AdmissionResult {
    if (outcome.kind !== 'single') return { kind: 'stream', headers: noHeaders, outcome };
    const { errors, extensions, caching } = outcome;
    if (outcome.data === undefined) return this.#failedResult(errors ?? [], extensions, contentType);
    const { before, after } = envelopeOf(errors, extensions);
    return {
      kind: 'complete',
      status: 200,
      headers: new Map<string, string>().set('content-type', contentType),
      content: outcome.data.takeWrapped(before, after),
      isExecuted: true,
      caching,
    };
  }

  /** A response without data, as Apollo Server would write it. */
  #failedResult(
    errors: readonly GraphQLFormattedError[],
    extensions: Readonly<Record<string, unknown>> | undefined,
    contentType: string,
  ): CompleteResult {
    const formatted = errors.map(this.#options.formatError);
    return {
      kind: 'complete',
      status: formatted.map(statusOf).findLast((status) => status !== undefined) ?? 200,
      headers: new Map([['content-type', contentType], ...formatted.flatMap(headersOf)]),
      content: JSON.stringify({ errors: formatted, extensions }),
      isExecuted: false,
      caching: undefined,
    };
  }

  /** @throws {HttpError} for JSON without an operation, or with several if the client cannot send or receive a batch. */
  #checkBody(body: unknown, acceptsArrays: boolean): void {
    if (!Array.isArray(body)) {
      if (isObject(body) && Object.keys(body).length > 0) return;
      throw new HttpError(400, 'The request body must be a JSON object with a `query`: {"query": "…"}.');
    }
    const { maxBatchedOperations } = this.#options;
    if (maxBatchedOperations === 0) {
      throw new HttpError(
        400,
        'The request body is a JSON array, but batches of operations are turned off (limits.batchedOperations). Send one JSON object.',
      );
    }
    if (!acceptsArrays) {
      throw new HttpError(
        406,
        'The response to a JSON array of operations is one JSON document, which the accept header does not allow. Accept application/json.',
      );
    }
    if (body.length > maxBatchedOperations) {
      throw new HttpError(
        400,
        `The request has ${body.length} operations; at most ${maxBatchedOperations} are allowed (limits.batchedOperations).`,
        { code: 'OPERATION_TOO_COMPLEX' },
      );
    }
    body.forEach(checkBatchItem);
  }

  /** The body with the texts of trusted documents; the same object if there is nothing to replace. A body without an operation
   *  passes: Apollo Server refuses it.
   *  @throws {HttpError} for an id that is unknown, or an operation that is not allowed. */
  #resolveDocuments(body: unknown): unknown {
    const { trustedDocuments, checkText } = this.#options;
    if (trustedDocuments === undefined) return body;
    const resolve = (item: unknown): unknown =>
      isObject(item) ? trustedDocuments.resolve(item, checkText) : item;
    return Array.isArray(body) ? mapBatch(body, resolve) : resolve(body);
  }

  /** @throws {HttpError} if an operation of the body is beyond the limits. */
  #checkTexts(body: unknown): void {
    const check = (item: unknown): void => {
      if (isObject(item)) this.#checkOperation(item);
    };
    if (Array.isArray(body)) mapBatch(body, check);
    else check(body);
  }

  #checkOperation(operation: Readonly<Record<string, unknown>>): void {
    const { query, variables, extensions } = operation;
    const { checkText, checkVariables, trustedDocuments } = this.#options;
    const text = typeof query === 'string' ? query : undefined;
    if (text !== undefined) checkText(text);
    checkVariables(variables);
    const persisted = isObject(extensions) ? extensions.persistedQuery : undefined;
    checkPersistedQuery(persisted, text);
    if (trustedDocuments !== undefined || text !== undefined || persisted !== undefined) return;
    if (documentIdNames.some((name) => name in operation)) {
      throw new HttpError(
        400,
        'The request has the id of a document in place of a `query`, but trusted documents are turned off (security.trustedDocuments.mode). Send the text of the operation, or turn them on.',
      );
    }
  }
}

/** Apollo Server refuses the whole batch for such an item, when it has started the other operations.
 *  @throws {HttpError} for something else than an operation. */
function checkBatchItem(item: unknown, index: number): void {
  const name = `Operation ${index + 1} of the batch`;
  if (!isObject(item) || Object.keys(item).length === 0)
    throw new HttpError(400, `${name} must be a JSON object with a \`query\`: {"query": "…"}.`);
  for (const [key, type] of [
    ['query', 'string'],
    ['operationName', 'string'],
    ['variables', 'object'],
    ['extensions', 'object'],
  ] as const) {
    const value = item[key];
    if (value === undefined || value === null) continue;
    if (type === 'object' ? isObject(value) : typeof value === type) continue;
    const article = type === 'object' ? 'an' : 'a';
    throw new HttpError(400, `${name} is malformed: \`${key}\` must be ${article} ${type}.`);
  }
}

/** Calls `map` with each operation of a batch. An `HttpError` of one names the operation: it refuses the whole batch. */
function mapBatch<Result>(batch: readonly unknown[], map: (operation: unknown) => Result): Result[] {
  return batch.map((operation, index) => {
    try {
      return map(operation);
    } catch (error) {
      throw error instanceof HttpError ? error.inBatch(index + 1) : error;
    }
  });
}

function addHeaders<Result extends AdmissionResult>(result: Result, headers: ResponseHeaderMap): Result {
  return headers.size === 0 ? result : { ...result, headers: new Map([...result.headers, ...headers]) };
}

/** Apollo Server refuses GET requests with the content type of anything but JSON. */
function hasNoOtherContentType({ headers }: AdmissionRequest): boolean {
  const contentType = headers.get('content-type');
  return contentType === undefined || contentType === 'application/json';
}

/** `sent`: what the client sent. `body`: the same with the texts of trusted documents. */
function toApolloRequest(request: AdmissionRequest, sent: unknown, body: unknown): AdmissionRequest {
  if (request.method !== 'GET') return body === sent ? request : { ...request, body };
  // Apollo Server would parse the query string again, and round numbers.
  if (isObject(body) && exactReviverFor(JSON.stringify(body.variables) ?? '') !== undefined)
    return { ...request, method: 'POST', search: '', body };
  const isReplaced = body !== sent && isObject(body);
  const search = isReplaced ? writeGetParameters(body) : dropEmptyOperationName(request.search);
  return search === request.search ? request : { ...request, search };
}
