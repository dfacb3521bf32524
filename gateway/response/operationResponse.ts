import { abortReasonOf, GatewayError } from '../errors.ts';
import type { Execution } from '../execution/execution.ts';
import type { PayloadTimes } from '../execution/executionObserver.ts';
import type { ExecutionQueue } from '../execution/executionQueue.ts';
import { PrimaryDataGate, type ResponseGate } from '../execution/firstResponseGate.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import { executeIntrospection } from '../operation/introspection.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { RequestTrace, TraceSpan } from '../telemetry/trace.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import {
  completedGroupsOf,
  createFailedOutcome,
  createShapedOutcome,
  createSingleResponse,
} from './createSingleResponse.ts';
import type { EnrichmentExtension } from './enrichmentExtension.ts';
import type { IncrementalOutcome, SingleOutcome } from './executionOutcome.ts';
import type { ErrorPolicy } from './formatErrors.ts';
import { IncrementalResponse } from './incrementalResponse.ts';
import { measureCost, type OperationCost } from './measureCost.ts';
import { clientCachingOf } from './responseCaching.ts';
import { addExtensions, createResponseExtensions, type ReportedCost } from './responseExtensions.ts';
import { ResponseShaper, type ShapedFirstPayload } from './responseShaper.ts';
import type { PendingField } from './shapeData.ts';

/** The enrichments of one operation, as its response sees them. */
export interface ResponseEnrichments {
  readonly gate: ResponseGate;
  /** Whether pending fields follow as payloads of this response. Otherwise a job finishes them. */
  readonly isStreamed: boolean;
  completeGroup(group: number): void;
  /** Enqueues a job for the fields that the first response omits. The job may continue the execution. */
  enqueue(pending: PendingFields, shaper: ResponseShaper): Promise<EnrichmentExtension>;
  /** The first response is complete but for these groups. */
  recordResponse(pendingGroups: ReadonlySet<number>): void;
  /** The client needs nothing more from the execution; a job may. */
  endResponse(): void;
}

/** The fields that the first response omits. */
export interface PendingFields {
  readonly fields: readonly PendingField[];
  /** Delivery groups that were not complete, or had failures that a later attempt may mend. */
  readonly groups: ReadonlySet<number>;
}

interface OperationResponseOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly context: RequestContext;
  /** Not started. */
  readonly execution: Execution;
  /** The execution starts when it is its turn. */
  readonly executionQueue: ExecutionQueue;
  readonly policy: ErrorPolicy;
  /** Largest response, and largest payload of one. */
  readonly maxBytes: number;
  /** For clients that may see it (`ErrorPolicy.exposeSubgraphs`). */
  readonly cost?: OperationCost | undefined;
  /** Omitted when the operation has no enrichments. */
  readonly enrichments?: ResponseEnrichments | undefined;
}

/** Runs an execution and responds: once, or with payloads that follow the first one. A response without deferred
 *  fragments and enrichments is the case in which nothing follows. Ends the execution when the response has ended or
 *  the client has disconnected. */
export class OperationResponse {
  readonly #options: OperationResponseOptions;
  readonly #gate: ResponseGate;
  /** Present when payloads may follow. */
  readonly #incremental: IncrementalResponse | undefined;
  readonly #abort = (): void => this.#onAbort();
  #executeSpan: TraceSpan | undefined;
  #shaper: ResponseShaper | undefined;
  /** Stops the introspection or the shaping that is under way. */
  #stopShaping: ((reason: unknown) => void) | undefined;

  constructor(options: OperationResponseOptions) {
    this.#options = options;
    const { operation, request, execution, enrichments } = options;
    this.#gate = enrichments?.gate ?? new PrimaryDataGate();
    const format = request.incrementalFormat;
    if (format === undefined || (operation.deferred.length === 0 && enrichments?.isStreamed !== true)) return;
    this.#incremental = new IncrementalResponse({
      operation,
      execution,
      shaper: this.#usedShaper,
      format,
      reportsTimes: options.policy.exposeSubgraphs,
      span: request.trace?.root,
      onEnd: (isComplete) => this.#end(isComplete, execution.errors.length > 0),
    });
  }

  /** @throws {GatewayError} `REQUEST_ABORTED` when the client disconnects before the first response, `SHUTTING_DOWN` when
   *  the gateway shuts down before it, `OVERLOADED` and `DEADLINE_EXCEEDED` when the execution could not start in time,
   *  `BAD_USER_INPUT` like `executeIntrospection`. */
  async respond(): Promise<SingleOutcome | IncrementalOutcome> {
    const { operation, execution, request, context, executionQueue, policy, maxBytes, enrichments } =
      this.#options;
    request.signal.addEventListener('abort', this.#abort, { once: true });
    if (request.trace !== undefined) this.#startExecuteSpan(request.trace);
    let outcome: SingleOutcome | IncrementalOutcome | undefined;
    try {
      const turn = executionQueue.enter(context, request.signal);
      if (turn !== undefined) await turn;
      execution.start((group) => this.#completeGroup(group));
      const { introspection, supergraph } = operation;
      if (introspection !== undefined) {
        const introspecting = executeIntrospection(supergraph.apiSchema, introspection, request.variables);
        execution.addToTree(await this.#inSlices(introspecting));
      }
      await this.#gate.readyToSend;
      const pendingGroups = this.#gate.pendingGroups;
      execution.observer?.onResponseReady?.(pendingGroups);
      if (this.#incremental === undefined && pendingGroups.size === 0) {
        enrichments?.recordResponse(pendingGroups);
        const response = createSingleResponse(operation, execution, policy, maxBytes);
        outcome = 'kind' in response ? response : await this.#inSlices(response);
        const times = this.#timesOfFirstPayload();
        const reported = this.#reportedCost;
        if (reported !== undefined) {
          const cost = await this.#addActualCost(reported);
          outcome = addExtensions(outcome, { tributary: cost });
        }
        if (times !== undefined) outcome = addExtensions(outcome, { tributary: times });
      } else {
        outcome = await this.#respondShaped(pendingGroups);
      }
      if (outcome.kind === 'incremental') execution.observer?.onFirstPayload?.();
      return outcome;
    } finally {
      if (execution.isStarted) executionQueue.leave();
      if (outcome?.kind !== 'incremental') this.#end(outcome !== undefined, outcome?.errors !== undefined);
      if (outcome?.kind === 'single' && outcome.errors !== undefined)
        request.trace?.root.setAttributes({ 'tributary.errors': outcome.errors.length });
    }
  }

  #startExecuteSpan(trace: RequestTrace): void {
    this.#executeSpan = trace.root.startChild('graphql.execute');
    trace.current = this.#executeSpan;
  }

  async #respondShaped(pendingGroups: ReadonlySet<number>): Promise<SingleOutcome | IncrementalOutcome> {
    const { operation, execution, maxBytes, request, enrichments } = this.#options;
    let groups = pendingGroups;
    try {
      let shaped = this.#writeFirst(groups) ?? (await this.#shapeFirst(groups));
      if (shaped.isBlockedByPending) {
        await this.#gate.allComplete;
        groups = this.#gate.pendingGroups;
        execution.observer?.onResponseReady?.(groups);
        shaped = await this.#shapeFirst(groups);
      }
      if (shaped.isBlockedByPending) {
        // The response cannot be sent without what has failed: it reports the failures.
        groups = new Set();
        shaped = await this.#shapeFirst(groups);
      }
      // Nothing is enqueued for a client that has disconnected.
      if (request.signal.aborted) throw abortReasonOf(request.signal);
      const { data, errors, stale, deferred, pending } = shaped;
      const isEnqueued = pending.length > 0 && enrichments?.isStreamed === false;
      const enrichment = isEnqueued
        ? await enrichments.enqueue({ fields: pending, groups }, this.#usedShaper)
        : undefined;
      if (request.signal.aborted) throw abortReasonOf(request.signal);
      enrichments?.recordResponse(groups);
      const times = this.#timesOfFirstPayload();
      const extensionsWith = (cost: ReportedCost | undefined) =>
        createResponseExtensions(stale, enrichment, cost, times);
      const incremental =
        this.#incremental &&
        (await this.#inSlices(
          this.#incremental.open({
            data,
            errors,
            extensions: extensionsWith(this.#reportedCost),
            deferred,
            pending: isEnqueued ? [] : pending,
          }),
        ));
      if (incremental !== undefined) return incremental;
      const reported = this.#reportedCost;
      const extensions = extensionsWith(reported && (await this.#addActualCost(reported)));
      const caching = pending.length > 0 ? undefined : clientCachingOf(operation, execution);
      return await this.#inSlices(createShapedOutcome({ data, errors, extensions, caching }, maxBytes));
    } catch (error) {
      if (!(error instanceof GatewayError) || request.signal.aborted) throw error;
      return createFailedOutcome(error);
    }
  }

  #timesOfFirstPayload(): PayloadTimes | undefined {
    const { execution, policy } = this.#options;
    return policy.exposeSubgraphs ? execution.observer?.timesOf?.() : undefined;
  }

  #writeFirst(pendingGroups: ReadonlySet<number>): ShapedFirstPayload | undefined {
    const { operation, execution } = this.#options;
    return this.#usedShaper.writeFirst(completedGroupsOf(operation, execution, pendingGroups), pendingGroups);
  }

  #shapeFirst(pendingGroups: ReadonlySet<number>): Promise<ShapedFirstPayload> {
    const { operation, execution, enrichments } = this.#options;
    const groups = completedGroupsOf(operation, execution, pendingGroups);
    return this.#inSlices(
      this.#usedShaper.shapeFirst(groups, {
        isPending: (group) => pendingGroups.has(group),
        // Clients merge payloads into objects that they have: there is none where a list element is null.
        keepsListsWhole: enrichments?.isStreamed === true,
      }),
    );
  }

  get #reportedCost(): ReportedCost | undefined {
    const { cost, policy } = this.#options;
    return cost !== undefined && policy.exposeSubgraphs ? { cost: cost.estimated } : undefined;
  }

  /** Only for a response that nothing follows. */
  async #addActualCost(reported: ReportedCost): Promise<ReportedCost> {
    const { operation, execution, cost } = this.#options;
    const measuring = measureCost(operation, execution.tree, (cost as OperationCost).weights);
    return { ...reported, actualCost: await this.#inSlices(measuring) };
  }

  get #usedShaper(): ResponseShaper {
    const { operation, execution, policy, maxBytes } = this.#options;
    this.#shaper ??= new ResponseShaper({ operation, execution, policy, maxBytes });
    return this.#shaper;
  }

  /** Rejects when the request is aborted. */
  #inSlices<Result>(task: SlicedTask<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const stop = runInSlices(task, resolve, reject);
      const stopShaping = (reason: unknown): void => {
        stop();
        reject(reason);
      };
      this.#stopShaping = stopShaping;
    });
  }

  #completeGroup(group: number): void {
    const { enrichments } = this.#options;
    if (enrichments === undefined) this.#gate.completeGroup(group);
    else enrichments.completeGroup(group);
    this.#incremental?.completeGroup(group);
  }

  #onAbort(): void {
    if (this.#incremental?.isOpen === true) {
      this.#incremental.endEarly();
      return;
    }
    const reason = abortReasonOf(this.#options.request.signal);
    this.#gate.cancel(reason);
    this.#stopShaping?.(reason);
  }

  #end(isComplete: boolean, hasErrors: boolean): void {
    const { request, execution, enrichments } = this.#options;
    if (execution.isStarted)
      execution.observer?.onResponseEnd?.({ isComplete, hasErrors, failedSteps: execution.failedSteps });
    request.signal.removeEventListener('abort', this.#abort);
    // A job may keep the execution, and with it this object, for long after the response.
    this.#stopShaping = undefined;
    this.#executeSpan?.end();
    if (enrichments !== undefined) {
      enrichments.endResponse();
      return;
    }
    execution.cancel();
    execution.release();
  }
}
