import { type DocumentNode, validate } from 'graphql';
import { computeGroupUrgencies } from './enrichment/responses/computeGroupUrgencies.ts';
import type { EnrichmentCoordinator } from './enrichment/responses/enrichmentCoordinator.ts';
import { RequestEnrichments } from './enrichment/responses/requestEnrichments.ts';
import { SnapshotExecutor } from './enrichment/responses/snapshotExecutor.ts';
import { clientGone, GatewayError } from './errors.ts';
import { Execution, type ExecutionOptions } from './execution/execution.ts';
import { FetchScheduler } from './execution/fetchScheduler.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import { LatencyBudget } from './execution/latencyBudget.ts';
import { isolateRequestContext, type RequestContext } from './execution/requestContext.ts';
import { TypeConditions } from './execution/typeConditions.ts';
import { executeIntrospection } from './operation/introspection.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import type { OverrideDecision } from './operation/overrideDecision.ts';
import type { PreparedOperation } from './operation/preparedOperation.ts';
import type { EnrichmentPolicy, PreparationResult, Preparer } from './operation/preparer.ts';
import { createFailedOutcome } from './response/createSingleResponse.ts';
import { addCursorToOutcome, addCursorToPayload } from './response/cursorExtension.ts';
import type {
  ExecutionOutcome,
  IncrementalOutcome,
  SingleOutcome,
  SubscriptionPayload,
} from './response/executionOutcome.ts';
import type { ErrorPolicy } from './response/formatErrors.ts';
import { OperationResponse } from './response/operationResponse.ts';
import { serializeOutcome } from './response/serializeOutcome.ts';
import { EventFetchSender } from './subscriptions/eventFetchSender.ts';
import type { SourceEvent } from './subscriptions/sources/subscriptionSource.ts';
import { notifyOnEnd } from './subscriptions/streamLimiter.ts';
import type { SubscriptionManager } from './subscriptions/subscriptionManager.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import type { SupergraphLease } from './supergraph/supergraphHolder.ts';

interface PipelineOptions {
  readonly preparer: Preparer;
  /** What operations on a supergraph get their data from. */
  fetchesOf(supergraph: Supergraph): FetchSender;
  /** `undefined` where every field is waited for. */
  readonly enriching?: EnrichmentCoordinator;
  readonly errorPolicy: ErrorPolicy;
  /** Most bytes of an answer, or of one of its payloads. */
  readonly answerSize: number;
  /** `undefined` where subscriptions are not served. */
  readonly subscriptions?: SubscriptionManager;
  /** Counts a client's stream; returns what ends it. Errors: `GatewayError` `OVERLOADED`. */
  openStream(request: OperationRequest): () => void;
  /** A fault of the gateway's own, which failed one fetch. */
  onInternalError(cause: unknown, requestId: string): void;
  /** What the request brings along to each subgraph, from its headers and its start. */
  scopeOf(request: OperationRequest, supergraph: Supergraph): RequestContext;
  /** Which progressive `@override`s are on for the request with these headers. */
  overridesFor(headers: ReadonlyMap<string, string>): OverrideDecision;
  /** Told of every operation that is about to be executed. Must not throw. */
  onPrepared?(request: OperationRequest): void;
}

/** The way of every operation, whatever transport it came by: prepare, execute, respond. */
export class Pipeline {
  readonly #options: PipelineOptions;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** Errors: `GatewayError` where the operation cannot be prepared, or `REQUEST_ABORTED` when the client left. */
  async respond(request: OperationRequest, supergraph: Supergraph): Promise<ExecutionOutcome> {
    const startedAt = performance.now();
    const scope = this.#options.scopeOf(request, supergraph);
    if (this.#options.enriching?.isUpdateSubscription(request, supergraph))
      return this.#pickUp(request, supergraph);
    let prepared: PreparationResult;
    try {
      const choice = this.#options.enriching?.policyFor(supergraph, request.headers);
      const preparing = this.#prepare(request, supergraph, choice);
      prepared = 'then' in preparing ? await inTime(preparing, request, scope) : preparing;
    } catch (error) {
      // The operation is valid: that it cannot be planned is an answer without data, and no fault of the server.
      if (error instanceof GatewayError && error.code === 'PLANNING_FAILED')
        return createFailedOutcome(error);
      throw error;
    }
    if (prepared.kind === 'refused') {
      return {
        kind: 'single',
        data: undefined,
        errors: prepared.errors.map((error) => ({
          ...error.toJSON(),
          extensions: { ...error.extensions, code: 'BAD_USER_INPUT' },
        })),
        extensions: undefined,
        caching: undefined,
      };
    }
    this.#options.onPrepared?.(request);
    if (request.signal.aborted) throw clientGone();
    const { operation } = prepared;
    if (operation.kind === 'subscription') return this.#subscribe(operation, request, scope);
    const fetches = this.#options.fetchesOf(operation.supergraph);
    return operation.enrichments.length > 0
      ? this.#respondWithEnrichments(operation, request, scope, fetches, startedAt)
      : this.#respond(operation, request, scope, fetches);
  }

  async #pickUp(request: OperationRequest, supergraph: Supergraph): Promise<ExecutionOutcome> {
    const close = this.#options.openStream(request);
    try {
      const { events } = await (this.#options.enriching as EnrichmentCoordinator).subscribe(
        request,
        supergraph,
      );
      return { kind: 'subscription', events: notifyOnEnd(events, close) };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Finishes late what first answers have left out. */
  createLateRunner(acquire: () => SupergraphLease | undefined): SnapshotExecutor {
    const { errorPolicy, answerSize, scopeOf, enriching, fetchesOf } = this.#options;
    return new SnapshotExecutor({
      acquireSupergraph: acquire,
      requestContextOf: scopeOf,
      policy: errorPolicy,
      answerSize,
      prepare: async (request, supergraph, { isFused, overrides }) => {
        if (validate(supergraph.apiSchema, request.document).length > 0) return undefined;
        const choice = enriching?.policyFor(supergraph, request.headers);
        const prepared = await this.#prepare(
          request,
          supergraph,
          choice && { ...choice, shouldFuse: () => isFused },
          (label) => overrides.includes(label),
        );
        return prepared.kind === 'prepared' ? prepared.operation : undefined;
      },
      execute: (operation, request, scope, resume) =>
        this.#createExecution(operation, request, scope, fetchesOf(operation.supergraph), {
          resume,
          urgency: computeGroupUrgencies(operation),
        }),
    });
  }

  #respond(
    operation: PreparedOperation,
    request: OperationRequest,
    context: RequestContext,
    fetches: FetchSender,
  ): Promise<SingleOutcome | IncrementalOutcome> {
    const { errorPolicy: policy, answerSize: maxBytes } = this.#options;
    const execution = this.#createExecution(operation, request, context, fetches);
    return new OperationResponse({ operation, request, execution, policy, maxBytes }).respond();
  }

  #respondWithEnrichments(
    operation: PreparedOperation,
    request: OperationRequest,
    context: RequestContext,
    fetches: FetchSender,
    startedAt: number,
  ): Promise<SingleOutcome | IncrementalOutcome> {
    const { errorPolicy: policy, answerSize: maxBytes } = this.#options;
    const coordinator = this.#options.enriching as EnrichmentCoordinator;
    const plan = coordinator.budgetPlanFor(operation, request);
    const budget = new LatencyBudget();
    const execution = this.#createExecution(operation, request, context, fetches, {
      urgency: computeGroupUrgencies(operation, { budget, waitsForAll: plan.isShadow }),
    });
    const enrichments = new RequestEnrichments({
      operation,
      request,
      execution,
      plan,
      budget,
      startedAt,
      coordinator,
    });
    const options = { operation, request, execution, policy, maxBytes, enrichments };
    return new OperationResponse(options).respond();
  }

  #subscribe(
    operation: PreparedOperation,
    request: OperationRequest,
    scope: RequestContext,
  ): ExecutionOutcome {
    const { subscriptions } = this.#options;
    if (subscriptions === undefined) {
      throw new GatewayError(
        'BAD_REQUEST',
        'Subscriptions are not served here. Ask for the state with a query.',
      );
    }
    return subscriptions.subscribe({
      operation,
      request,
      requestContext: scope,
      complete: (event, current, signal) => this.#complete(event, current, { ...request, signal }),
    });
  }

  /** Subscriptions that are under way go on with another supergraph, as far as their operations are valid there. */
  async replanSubscriptions(supergraph: Supergraph): Promise<void> {
    const areValid = new Map<DocumentNode, boolean>();
    await this.#options.subscriptions?.replan(supergraph, async (request) => {
      const { document } = request;
      if (!areValid.has(document)) {
        areValid.set(document, validate(supergraph.apiSchema, document).length === 0);
      }
      if (areValid.get(document) !== true) return undefined;
      const prepared = await this.#prepare(request, supergraph);
      return prepared.kind === 'prepared' ? prepared.operation : undefined;
    });
  }

  /** The payloads of one event: what other subgraphs have to say about it is asked for as for a query, with a
   *  deadline of its own. */
  async *#complete(
    event: SourceEvent,
    current: PreparedOperation,
    request: OperationRequest,
  ): AsyncGenerator<SubscriptionPayload> {
    const { operation, event: own } = event.completionFor?.(current) ?? { operation: current, event };
    const { cursor } = event;
    const scope = this.#options.scopeOf(request, operation.supergraph);
    const fetches = new EventFetchSender(own, this.#options.fetchesOf(operation.supergraph));
    const outcome = await this.#respond(operation, request, scope, fetches);
    if (outcome.kind === 'single') {
      yield {
        text: serializeOutcome(cursor === undefined ? outcome : addCursorToOutcome(outcome, cursor)),
        cursor,
      };
    } else {
      for await (const batch of outcome.payloads) for (const text of batch) yield withCursor(text, cursor);
    }
  }

  #prepare(
    request: OperationRequest,
    supergraph: Supergraph,
    enrichment?: EnrichmentPolicy,
    isOverridden = this.#options.overridesFor(request.headers),
  ): PreparationResult | Promise<PreparationResult> {
    return this.#options.preparer.prepare(
      {
        document: request.document,
        operationName: request.operationName,
        variables: request.variables,
        acceptsIncremental: request.incrementalFormat !== undefined,
        isOverridden,
        enrichment,
      },
      supergraph,
    );
  }

  #createExecution(
    operation: PreparedOperation,
    request: OperationRequest,
    ownScope: RequestContext,
    fetches: FetchSender,
    options?: Pick<ExecutionOptions, 'urgency' | 'resume'>,
  ): Execution {
    const scope = operation.kind === 'mutation' ? isolateRequestContext(ownScope) : ownScope;
    const execution = new Execution({
      program: operation.program,
      requestContext: scope,
      scheduler: new FetchScheduler(fetches, scope),
      conditions: TypeConditions.forSupergraph(operation.supergraph),
      ...options,
      onInternalError: (cause) => this.#options.onInternalError(cause, request.requestId),
    });
    if (operation.introspection !== undefined) {
      const { apiSchema } = operation.supergraph;
      Object.assign(
        execution.tree,
        executeIntrospection(apiSchema, operation.introspection, request.variables),
      );
      execution.isEscapeFree = false;
    }
    return execution;
  }
}

function withCursor(text: string, cursor: string | undefined): SubscriptionPayload {
  if (cursor === undefined) return { text };
  const payload = addCursorToPayload(text, cursor);
  return { text: payload.text, cursor: payload.isLast ? cursor : undefined };
}

/** Planning may take its time and have others wait for the planner: who waits has a deadline and may leave. The plan
 *  is made all the same, for the next request. */
async function inTime<T>(
  work: Promise<T>,
  { signal }: OperationRequest,
  { deadline }: RequestContext,
): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const abort = (): void => ended.reject(clientGone());
  signal.addEventListener('abort', abort, { once: true });
  const timer = Number.isFinite(deadline)
    ? setTimeout(() => ended.reject(notPlannedInTime()), deadline - performance.now())
    : undefined;
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function notPlannedInTime(): GatewayError {
  return new GatewayError(
    'DEADLINE_EXCEEDED',
    'The time for this request was over before it was planned. Ask again: its plan is kept when it is made.',
  );
}
