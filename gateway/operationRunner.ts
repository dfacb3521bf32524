import { computeGroupUrgencies } from './enrichment/responses/computeGroupUrgencies.ts';
import type { EnrichmentCoordinator } from './enrichment/responses/enrichmentCoordinator.ts';
import { RequestEnrichments } from './enrichment/responses/requestEnrichments.ts';
import { Execution, type ExecutionOptions } from './execution/execution.ts';
import type { ExecutionQueue } from './execution/executionQueue.ts';
import { FetchScheduler } from './execution/fetchScheduler.ts';
import type { FetchSender } from './execution/fetchSender.ts';
import { LatencyBudget } from './execution/latencyBudget.ts';
import { isolateRequestContext, type RequestContext } from './execution/requestContext.ts';
import { TypeConditions } from './execution/typeConditions.ts';
import type { Feature } from './feature.ts';
import type { OperationRequest } from './operation/operationRequest.ts';
import type { PreparedOperation } from './operation/preparedOperation.ts';
import type { IncrementalOutcome, SingleOutcome } from './response/executionOutcome.ts';
import type { ErrorPolicy } from './response/formatErrors.ts';
import { isDataNullBefore } from './response/isDataNullBefore.ts';
import type { OperationCost } from './response/measureCost.ts';
import { OperationResponse } from './response/operationResponse.ts';
import { responseKeyOf } from './response/responseKey.ts';
import type { SharedResponses, StartedResponse } from './response/sharedResponses.ts';
import { traceIdOf } from './telemetry/traceContext.ts';

/** Which request a log line is about. */
export interface RequestLogFields {
  readonly requestId: string;
  /** `undefined` without tracing. */
  readonly traceId: string | undefined;
}

/** A prepared operation about to be executed for one request. */
export interface OperationRun {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly context: RequestContext;
  readonly fetches: FetchSender;
  /** When the request or event began, on `performance.now()`'s clock. */
  readonly startedAt: number;
  readonly cost?: OperationCost | undefined;
}

export interface OperationRunnerOptions {
  /** `undefined` if no field may be deferred. */
  readonly enrichment?: EnrichmentCoordinator;
  /** `undefined` if requests share no responses (`batching.acrossRequests`). */
  readonly sharedResponses?: SharedResponses | undefined;
  /** How long a fetch may wait for others of its operation (`batching.maxWait`), in milliseconds. */
  readonly maxWaitMs: number;
  readonly errorPolicy: ErrorPolicy;
  /** Largest response, or payload of a response, in bytes. */
  readonly responseSize: number;
  readonly executionQueue: ExecutionQueue;
  /** A fault of the gateway failed one fetch. */
  onInternalError(cause: unknown, request: RequestLogFields): void;
  /** `undefined` if nothing observes any execution. */
  readonly observeExecution?: Feature['observeExecution'] | undefined;
}

/** Executes prepared operations and creates their responses. */
export class OperationRunner {
  readonly #options: OperationRunnerOptions;

  constructor(options: OperationRunnerOptions) {
    this.#options = options;
  }

  /** Joins an equal request that is running, or executes the operation for both. */
  respondShared(run: OperationRun): Promise<SingleOutcome | IncrementalOutcome> {
    const { sharedResponses, observeExecution } = this.#options;
    const { operation, request, context, fetches, startedAt } = run;
    const key = sharedResponses && responseKeyOf(operation, request, context, fetches.readVersion);
    if (sharedResponses === undefined || key === undefined) return this.respond(run).outcome;
    return sharedResponses.respond({
      key,
      operation,
      request,
      deadline: context.deadline,
      start: (signal) => this.respond({ ...run, request: { ...request, signal } }),
      observe: () => observeExecution?.(operation, context, { request, startedAt, isJoined: true }),
    });
  }

  /** Executes the operation for this request or event alone. */
  respond(run: OperationRun): StartedResponse {
    const { operation, request, context, fetches, startedAt } = run;
    const execution = this.createExecution(operation, request, context, fetches, { startedAt });
    return { execution, outcome: this.#createResponse(run, execution).respond() };
  }

  /** Responds without the fields that are pending when the budget is over. */
  respondWithEnrichments(run: OperationRun): Promise<SingleOutcome | IncrementalOutcome> {
    const { operation, request, context, fetches, startedAt } = run;
    const coordinator = this.#options.enrichment as EnrichmentCoordinator;
    const plan = coordinator.budgetPlanFor(operation, request, context.preferences);
    const budget = new LatencyBudget();
    const execution = this.createExecution(operation, request, context, fetches, {
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
      readVersion: fetches.readVersion,
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

  /** Returns an execution that is not started. */
  createExecution(
    operation: PreparedOperation,
    request: OperationRequest,
    ownContext: RequestContext,
    fetches: FetchSender,
    { startedAt, ...options }: Pick<ExecutionOptions, 'urgency' | 'resume'> & { startedAt?: number },
  ): Execution {
    const context = operation.kind === 'mutation' ? isolateRequestContext(ownContext) : ownContext;
    return new Execution({
      program: operation.program,
      requestContext: context,
      scheduler: new FetchScheduler(fetches, context, this.#options.maxWaitMs),
      conditions: TypeConditions.forSupergraph(operation.supergraph),
      ...options,
      isDataNullBefore:
        operation.kind === 'mutation' ? (step, tree) => isDataNullBefore(operation, step, tree) : undefined,
      observer: this.#options.observeExecution?.(operation, context, { request, startedAt }),
      onInternalError: (cause) => this.#options.onInternalError(cause, logFieldsOf(request)),
    });
  }
}

export function logFieldsOf({ requestId, traceHeaders }: OperationRequest): RequestLogFields {
  return { requestId, traceId: traceHeaders && traceIdOf(traceHeaders) };
}
