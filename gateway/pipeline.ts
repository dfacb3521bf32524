import type { DocumentNode } from 'graphql';
import { errorTypeOf } from './admission/operationTrace.ts';
import type { RequestContextFactory } from './admission/requestContextFactory.ts';
import type { TrafficControl } from './admission/trafficControl.ts';
import { computeGroupUrgencies } from './enrichment/responses/computeGroupUrgencies.ts';
import type { EnrichmentCoordinator } from './enrichment/responses/enrichmentCoordinator.ts';
import { RequestEnrichments } from './enrichment/responses/requestEnrichments.ts';
import { SnapshotExecutor } from './enrichment/responses/snapshotExecutor.ts';
import { abortReasonOf, GatewayError } from './errors.ts';
import { Execution, type ExecutionOptions } from './execution/execution.ts';
import type { ExecutionObserver } from './execution/executionObserver.ts';
import type { ExecutionQueue } from './execution/executionQueue.ts';
import { FetchScheduler } from './execution/fetchScheduler.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import { LatencyBudget } from './execution/latencyBudget.ts';
import { isolateRequestContext, type RequestContext } from './execution/requestContext.ts';
import { TypeConditions } from './execution/typeConditions.ts';
import type { ExecutionOrigin } from './feature.ts';
import type { Access } from './operation/authorization/access.ts';
import type { Authorizer } from './operation/authorization/authorizer.ts';
import { executeIntrospection } from './operation/introspection.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import type { PreparedOperation } from './operation/preparedOperation.ts';
import type { EnrichmentPolicy, PreparationResult, Preparer } from './operation/preparer.ts';
import { validateDocument } from './operation/validateDocument.ts';
import { createFailedOutcome } from './response/createSingleResponse.ts';
import { addCursorToOutcome, addCursorToPayload } from './response/cursorExtension.ts';
import type { ExecutionOutcome, IncrementalOutcome, SingleOutcome } from './response/executionOutcome.ts';
import type { ErrorPolicy } from './response/formatErrors.ts';
import type { OperationCost } from './response/measureCost.ts';
import { notifyOnEnd } from './response/notifyOnEnd.ts';
import { OperationResponse } from './response/operationResponse.ts';
import { responseKeyOf } from './response/responseKey.ts';
import { serializeOutcome } from './response/serializeOutcome.ts';
import type { SharedResponses, StartedResponse } from './response/sharedResponses.ts';
import type { SubscriptionPayload } from './response/subscriptionEvents.ts';
import { EventFetchSender } from './subscriptions/eventFetchSender.ts';
import type { SourceEvent } from './subscriptions/sources/subscriptionSource.ts';
import type { SubscriptionManager } from './subscriptions/subscriptionManager.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import type { SupergraphLease } from './supergraph/supergraphHolder.ts';
import type { TraceSpan, Tracing } from './telemetry/trace.ts';
import { traceIdOf } from './telemetry/traceContext.ts';

/** Which request a log line is about. */
interface RequestLogFields {
  readonly requestId: string;
  /** `undefined` without tracing. */
  readonly traceId: string | undefined;
}

/** A prepared operation about to be executed for one request. */
interface OperationRun {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly context: RequestContext;
  readonly fetches: FetchSender;
  /** When the request or event began, on `performance.now()`'s clock. */
  readonly startedAt: number;
  readonly cost?: OperationCost | undefined;
}

interface PipelineOptions {
  readonly preparer: Preparer;
  /** Fetches the data of operations on a supergraph. */
  fetchesOf(supergraph: Supergraph): FetchSender;
  /** `undefined` if no field may be deferred. */
  readonly enrichment?: EnrichmentCoordinator;
  /** `undefined` if requests share no responses (`batching.acrossRequests`). */
  readonly sharedResponses?: SharedResponses | undefined;
  readonly errorPolicy: ErrorPolicy;
  /** Largest response, or payload of a response, in bytes. */
  readonly responseSize: number;
  readonly executionQueue: ExecutionQueue;
  /** `undefined` if subscriptions are not served. */
  readonly subscriptions?: SubscriptionManager;
  /** See `FeatureContext.openStream`. */
  openStream(clientKey: string): () => void;
  /** A fault of the gateway failed one fetch. */
  onInternalError(cause: unknown, request: RequestLogFields): void;
  /** An operation that is valid could not be planned. */
  onPlanningFailed(error: GatewayError, request: RequestLogFields): void;
  readonly requestContexts: Pick<RequestContextFactory, 'create' | 'restart'>;
  /** `undefined` if every client may read everything. */
  readonly authorizer?: Pick<Authorizer, 'accessFor' | 'restoreAccess'>;
  /** Returns the context that all stages use instead of the given one. @throws {GatewayError} to refuse the request. */
  readonly extendContext?:
    | ((context: RequestContext, request: OperationRequest) => Promise<RequestContext>)
    | undefined;
  /** `undefined` if every operation is executed. */
  readonly traffic?: Pick<TrafficControl, 'checkOperation'>;
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  /** Returns what observes an execution. `undefined` if nothing observes any. */
  readonly observeExecution?:
    | ((
        operation: PreparedOperation,
        context: RequestContext,
        origin: ExecutionOrigin,
      ) => ExecutionObserver | undefined)
    | undefined;
  /** An operation is prepared and about to be executed. @throws {GatewayError} to refuse it. */
  onPrepared?(request: OperationRequest, operation: PreparedOperation): Promise<void> | undefined;
}

/** Runs the operations of all transports: prepare, execute, respond. */
export class Pipeline {
  readonly #options: PipelineOptions;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** @throws {GatewayError} if the operation cannot be prepared or its client may not use it, `REQUEST_ABORTED` if the client disconnected, and
   *  `SHUTTING_DOWN`. */
  async respond(request: OperationRequest, supergraph: Supergraph): Promise<ExecutionOutcome> {
    const startedAt = performance.now();
    const { requestContexts, extendContext, traffic, enrichment } = this.#options;
    const created = requestContexts.create(request, startedAt);
    const context = extendContext === undefined ? created : await extendContext(created, request);
    context.trace?.onOperation(request.document, request.operationName);
    const checked = traffic?.checkOperation(request, context, supergraph);
    const cost = checked !== undefined && 'then' in checked ? await checked : checked;
    if (enrichment?.isUpdateSubscription(request, supergraph))
      return this.#subscribeToEnrichment(enrichment, request, context, supergraph);
    let planSpan: TraceSpan | undefined;
    let prepared: PreparationResult;
    try {
      const policy = enrichment?.policyFor(supergraph, context.preferences);
      const preparing = this.#prepare(request, context, supergraph, policy);
      if ('then' in preparing) {
        planSpan = context.trace?.root.startChild('graphql.plan');
        prepared = await beforeDeadline(preparing, request, context);
      } else prepared = preparing;
    } catch (error) {
      planSpan?.end(errorTypeOf(error));
      // The operation is valid. That it cannot be planned is a response without data, with status 200.
      if (error instanceof GatewayError && error.code === 'PLANNING_FAILED') {
        this.#options.onPlanningFailed(error, logFieldsOf(request));
        return createFailedOutcome(error);
      }
      throw error;
    }
    planSpan?.end();
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
    const { operation } = prepared;
    const admitted = this.#options.onPrepared?.(request, operation);
    if (admitted !== undefined) await admitted;
    if (request.signal.aborted) throw abortReasonOf(request.signal);
    if (operation.kind === 'subscription') return this.#subscribe(operation, request, context);
    const fetches = this.#options.fetchesOf(operation.supergraph);
    const run: OperationRun = { operation, request, context, fetches, startedAt, cost };
    // Awaited: an async function that returns a promise waits for it two turns of the microtask queue longer.
    return await (operation.enrichments.length > 0
      ? this.#respondWithEnrichments(run)
      : this.#respondShared(run));
  }

  async #subscribeToEnrichment(
    enrichment: EnrichmentCoordinator,
    request: OperationRequest,
    context: RequestContext,
    supergraph: Supergraph,
  ): Promise<ExecutionOutcome> {
    const close = this.#options.openStream(context.clientKey);
    try {
      let pickUp: TraceSpan | undefined;
      const { events } = await enrichment.subscribe(request, supergraph, context, (traceparent) => {
        pickUp ??= context.trace?.root.startChild('tributary.enrichment', {
          'tributary.enrichment.kind': 'pick-up',
        });
        if (traceparent !== undefined) pickUp?.addLink(['traceparent', traceparent]);
      });
      const end = (): void => {
        close();
        pickUp?.end();
      };
      return { kind: 'subscription', events: notifyOnEnd(events, end) };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Fetches, in the background, the fields that first responses have left pending. */
  createJobExecutor(acquire: () => SupergraphLease | undefined): SnapshotExecutor {
    const { errorPolicy, responseSize, requestContexts, enrichment, fetchesOf } = this.#options;
    return new SnapshotExecutor({
      acquireSupergraph: acquire,
      requestContexts,
      policy: errorPolicy,
      responseSize,
      tracing: this.#options.tracing,
      prepare: async (request, context, supergraph, { isFused, overrides, grants }) => {
        if (validateDocument(supergraph.apiSchema, request.document).length > 0) return undefined;
        const policy = enrichment?.policyFor(supergraph, context.preferences);
        const prepared = await this.#prepareWith(
          request,
          { isOverridden: (label) => overrides.includes(label) },
          supergraph,
          policy && { ...policy, shouldFuse: () => isFused },
          this.#options.authorizer?.restoreAccess(grants, request, supergraph),
        );
        return prepared.kind === 'prepared' ? prepared.operation : undefined;
      },
      execute: (operation, request, context, resume) =>
        this.#createExecution(operation, request, context, fetchesOf(operation.supergraph), {
          resume,
          urgency: computeGroupUrgencies(operation),
        }),
    });
  }

  #respondShared(run: OperationRun): Promise<SingleOutcome | IncrementalOutcome> {
    const { sharedResponses, observeExecution } = this.#options;
    const { operation, request, context, startedAt } = run;
    const key = sharedResponses && responseKeyOf(operation, request, context);
    if (sharedResponses === undefined || key === undefined) return this.#respond(run).outcome;
    return sharedResponses.respond({
      key,
      operation,
      request,
      deadline: context.deadline,
      start: (signal) => this.#respond({ ...run, request: { ...request, signal } }),
      observe: () => observeExecution?.(operation, context, { request, startedAt, isJoined: true }),
    });
  }

  #respond(run: OperationRun): StartedResponse {
    const { operation, request, context, fetches, startedAt } = run;
    const execution = this.#createExecution(operation, request, context, fetches, { startedAt });
    return { execution, outcome: this.#createResponse(run, execution).respond() };
  }

  #respondWithEnrichments(run: OperationRun): Promise<SingleOutcome | IncrementalOutcome> {
    const { operation, request, context, fetches, startedAt } = run;
    const coordinator = this.#options.enrichment as EnrichmentCoordinator;
    const plan = coordinator.budgetPlanFor(operation, request, context.preferences);
    const budget = new LatencyBudget();
    const execution = this.#createExecution(operation, request, context, fetches, {
      startedAt,
      urgency: computeGroupUrgencies(operation, { budget, waitsForAll: plan.isShadow }),
    });
    const enrichments = new RequestEnrichments({
      operation,
      request,
      requestContext: context,
      execution,
      plan,
      budget,
      startedAt,
      coordinator,
    });
    return this.#createResponse(run, execution, enrichments).respond();
  }

  /** `execution`: not started. */
  #createResponse(
    { operation, request, context, cost }: OperationRun,
    execution: Execution,
    enrichments?: RequestEnrichments,
  ): OperationResponse {
    const { errorPolicy: policy, responseSize: maxBytes, executionQueue } = this.#options;
    return new OperationResponse({
      operation,
      request,
      context,
      execution,
      executionQueue,
      policy,
      maxBytes,
      cost,
      enrichments,
    });
  }

  #subscribe(
    operation: PreparedOperation,
    request: OperationRequest,
    context: RequestContext,
  ): ExecutionOutcome {
    const { subscriptions } = this.#options;
    if (subscriptions === undefined) {
      throw new GatewayError(
        'BAD_REQUEST',
        'This gateway serves no subscriptions. Read the state with a query.',
      );
    }
    const subscribed = subscriptions.subscribe({
      operation,
      request,
      requestContext: context,
      complete: (event, current, signal) => this.#complete(event, current, { ...request, signal }, context),
    });
    // A subscription may last for days. Its events are traces of their own, which link to this one.
    request.trace?.root.end();
    return subscribed;
  }

  /** Moves running subscriptions to another supergraph. Those whose operations are not valid there end. */
  async replanSubscriptions(supergraph: Supergraph): Promise<void> {
    const areValid = new Map<DocumentNode, boolean>();
    await this.#options.subscriptions?.replan(supergraph, async (request, context) => {
      const { document } = request;
      if (!areValid.has(document)) {
        areValid.set(document, validateDocument(supergraph.apiSchema, document).length === 0);
      }
      if (areValid.get(document) !== true) return undefined;
      const prepared = await this.#prepare(request, context, supergraph);
      return prepared.kind === 'prepared' ? prepared.operation : undefined;
    });
  }

  /** The payloads of one event. The fields of other subgraphs are fetched as for a query, with a deadline of its own. */
  async *#complete(
    event: SourceEvent,
    current: PreparedOperation,
    request: OperationRequest,
    ownContext: RequestContext,
  ): AsyncGenerator<SubscriptionPayload> {
    const startedAt = performance.now();
    const { operation, event: own } = event.completionFor?.(current) ?? { operation: current, event };
    const { cursor } = event;
    const trace = ownContext.trace?.root.startLinked('tributary.event', {
      'tributary.subgraph': current.program.steps[0]?.shape.subgraph,
    });
    const restarted = this.#options.requestContexts.restart(ownContext);
    const isTraced = ownContext.trace !== undefined;
    const context = isTraced
      ? { ...restarted, trace, traceHeaders: trace?.root.headers ?? ownContext.traceHeaders }
      : restarted;
    const fetches = new EventFetchSender(own, this.#options.fetchesOf(operation.supergraph));
    try {
      const { outcome: responding } = this.#respond({
        operation,
        request: isTraced ? { ...request, trace } : request,
        context,
        fetches,
        startedAt,
      });
      const outcome = await responding;
      if (outcome.kind === 'single') {
        yield {
          text: serializeOutcome(cursor === undefined ? outcome : addCursorToOutcome(outcome, cursor)),
          cursor,
        };
      } else {
        for await (const batch of outcome.payloads) for (const text of batch) yield withCursor(text, cursor);
      }
    } finally {
      trace?.root.end();
    }
  }

  #prepare(
    request: OperationRequest,
    context: Pick<RequestContext, 'isOverridden' | 'claims'>,
    supergraph: Supergraph,
    enrichment?: EnrichmentPolicy,
  ): PreparationResult | Promise<PreparationResult> {
    const access = this.#options.authorizer?.accessFor(request, context.claims, supergraph);
    return access instanceof Promise
      ? access.then((decided) => this.#prepareWith(request, context, supergraph, enrichment, decided))
      : this.#prepareWith(request, context, supergraph, enrichment, access);
  }

  #prepareWith(
    request: OperationRequest,
    { isOverridden }: Pick<RequestContext, 'isOverridden'>,
    supergraph: Supergraph,
    enrichment: EnrichmentPolicy | undefined,
    access: Access | undefined,
  ): PreparationResult | Promise<PreparationResult> {
    return this.#options.preparer.prepare(
      {
        document: request.document,
        operationName: request.operationName,
        variables: request.variables,
        acceptsIncremental: request.incrementalFormat !== undefined,
        isOverridden,
        enrichment,
        access,
      },
      supergraph,
    );
  }

  #createExecution(
    operation: PreparedOperation,
    request: OperationRequest,
    ownContext: RequestContext,
    fetches: FetchSender,
    { startedAt, ...options }: Pick<ExecutionOptions, 'urgency' | 'resume'> & { startedAt?: number },
  ): Execution {
    const context = operation.kind === 'mutation' ? isolateRequestContext(ownContext) : ownContext;
    const execution = new Execution({
      program: operation.program,
      requestContext: context,
      scheduler: new FetchScheduler(fetches, context),
      conditions: TypeConditions.forSupergraph(operation.supergraph),
      ...options,
      observer: this.#options.observeExecution?.(operation, context, { request, startedAt }),
      onInternalError: (cause) => this.#options.onInternalError(cause, logFieldsOf(request)),
    });
    if (operation.introspection !== undefined) {
      const { apiSchema } = operation.supergraph;
      execution.addToTree(executeIntrospection(apiSchema, operation.introspection, request.variables));
    }
    return execution;
  }
}

function logFieldsOf({ requestId, traceHeaders }: OperationRequest): RequestLogFields {
  return { requestId, traceId: traceHeaders && traceIdOf(traceHeaders) };
}

function withCursor(text: string, cursor: string | undefined): SubscriptionPayload {
  if (cursor === undefined) return { text };
  const payload = addCursorToPayload(text, cursor);
  return { text: payload.text, cursor: payload.isLast ? cursor : undefined };
}

/** Rejects when the request's deadline passes or its client disconnects. Planning continues, for the next request.
 *  @throws {GatewayError} `DEADLINE_EXCEEDED`, `REQUEST_ABORTED`, `SHUTTING_DOWN` */
async function beforeDeadline<T>(
  planning: Promise<T>,
  { signal }: OperationRequest,
  { deadline }: RequestContext,
): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const abort = (): void => ended.reject(abortReasonOf(signal));
  signal.addEventListener('abort', abort, { once: true });
  const timer = Number.isFinite(deadline)
    ? setTimeout(() => ended.reject(planningDeadlineError()), deadline - performance.now())
    : undefined;
  try {
    return await Promise.race([planning, ended.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function planningDeadlineError(): GatewayError {
  return new GatewayError(
    'DEADLINE_EXCEEDED',
    'The deadline of the request passed before the operation was planned. Send it again: planning continues, and its result is stored (subgraphs.all.timeouts.deadline).',
  );
}
