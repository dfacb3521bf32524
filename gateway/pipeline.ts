import type { DocumentNode } from 'graphql';
import { errorTypeOf } from './admission/operationTrace.ts';
import type { RequestContextFactory } from './admission/requestContextFactory.ts';
import type { TrafficControl } from './admission/trafficControl.ts';
import { computeGroupUrgencies } from './enrichment/responses/computeGroupUrgencies.ts';
import type { EnrichmentCoordinator } from './enrichment/responses/enrichmentCoordinator.ts';
import { SnapshotExecutor } from './enrichment/responses/snapshotExecutor.ts';
import { abortReasonOf, GatewayError } from './errors.ts';
import { ExecutionQueueTimeError } from './execution/executionQueue.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import type { RequestContext } from './execution/requestContext.ts';
import type { Access } from './operation/authorization/access.ts';
import type { Authorizer } from './operation/authorization/authorizer.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import { executableRules } from './operation/operationTypeRule.ts';
import type { PreparedOperation } from './operation/preparedOperation.ts';
import type { EnrichmentPolicy, PreparationResult, Preparer } from './operation/preparer.ts';
import { validateDocument } from './operation/validateDocument.ts';
import {
  logFieldsOf,
  type OperationRun,
  OperationRunner,
  type OperationRunnerOptions,
  type RequestLogFields,
} from './operationRunner.ts';
import { createFailedOutcome } from './response/createSingleResponse.ts';
import { addCursorToOutcome, addCursorToPayload } from './response/cursorExtension.ts';
import type { ExecutionOutcome, IncrementalOutcome, SingleOutcome } from './response/executionOutcome.ts';
import { notifyOnEnd } from './response/notifyOnEnd.ts';
import { serializeOutcome } from './response/serializeOutcome.ts';
import type { SubscriptionPayload } from './response/subscriptionEvents.ts';
import type { RequestPriority } from './subgraphs/policies/callPriority.ts';
import { EventFetchSender } from './subscriptions/eventFetchSender.ts';
import type { SourceEvent } from './subscriptions/sources/subscriptionSource.ts';
import type { SubscriptionManager } from './subscriptions/subscriptionManager.ts';
import type { SupergraphLease } from './supergraph/leasedSnapshots.ts';
import type { Supergraph } from './supergraph/supergraph.ts';
import type { TraceSpan, Tracing } from './telemetry/trace.ts';

interface PipelineOptions extends OperationRunnerOptions {
  readonly preparer: Preparer;
  /** Fetches the data of operations on a supergraph. */
  fetchesOf(supergraph: Supergraph): FetchSender;
  /** `undefined` if subscriptions are not served. */
  readonly subscriptions?: SubscriptionManager;
  /** See `FeatureContext.openStream`. */
  openStream(clientKey: string): () => void;
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
  /** A request of this priority fails because it has waited for its execution for too long. */
  onQueueTimeExceeded?(priority: RequestPriority): void;
  /** An operation is prepared and about to be executed. @throws {GatewayError} to refuse it. */
  onPrepared?(request: OperationRequest, operation: PreparedOperation): Promise<void> | undefined;
}

/** Runs the operations of all transports: prepare, execute, respond. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #runner: OperationRunner;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#runner = new OperationRunner(options);
  }

  /** @throws {GatewayError} if the operation cannot be prepared or its client may not use it, `REQUEST_ABORTED` if the
   *  client disconnected, and `SHUTTING_DOWN`. */
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
    try {
      // Awaited: an async function that returns a promise waits for it two turns of the microtask queue longer.
      return await (operation.enrichments.length > 0
        ? this.#runner.respondWithEnrichments(run)
        : this.#runner.respondShared(run));
    } catch (error) {
      // Not where the execution is dropped: it may be that of several requests, and these may try again.
      if (error instanceof ExecutionQueueTimeError)
        this.#options.onQueueTimeExceeded?.(context.preferences.priority ?? 'normal');
      throw error;
    }
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
        this.#runner.createExecution(operation, request, context, fetchesOf(operation.supergraph), {
          resume,
          urgency: computeGroupUrgencies(operation),
        }),
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
        const errors = validateDocument(supergraph.apiSchema, document, executableRules);
        areValid.set(document, errors.length === 0);
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
    const isTraced = ownContext.trace !== undefined;
    const fetches = new EventFetchSender(own, this.#options.fetchesOf(operation.supergraph));
    const respond = (): Promise<SingleOutcome | IncrementalOutcome> => {
      const restarted = this.#options.requestContexts.restart(ownContext);
      const context = isTraced
        ? { ...restarted, trace, traceHeaders: trace?.root.headers ?? ownContext.traceHeaders }
        : restarted;
      return this.#runner.respond({
        operation,
        request: isTraced ? { ...request, trace } : request,
        context,
        fetches,
        startedAt,
      }).outcome;
    };
    try {
      const outcome = await repeatWhileQueued(respond);
      if (outcome.kind === 'single') {
        yield {
          text: serializeOutcome(cursor === undefined ? outcome : addCursorToOutcome(outcome, cursor)),
          cursor,
        };
      } else {
        for await (const batch of outcome.payloads) for (const text of batch) yield withCursor(text, cursor);
      }
    } catch (error) {
      trace?.root.end(errorTypeOf(error));
      throw error;
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
}

/** Repeats an execution that has waited for longer than `overload.executionQueueTime`: no client can try again for an event.
 *  The next events wait meanwhile, which `subscriptions.queue` limits. */
async function repeatWhileQueued<Outcome>(respond: () => Promise<Outcome>): Promise<Outcome> {
  for (;;) {
    try {
      return await respond();
    } catch (error) {
      if (!(error instanceof ExecutionQueueTimeError)) throw error;
    }
  }
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
    ? setTimeout(() => ended.reject(planningDeadlineError()), Math.max(0, deadline - performance.now()))
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
