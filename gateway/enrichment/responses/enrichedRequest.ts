import { GatewayError, requestAbortedError } from '../../errors.ts';
import type { Execution, GroupUrgency } from '../../execution/execution.ts';
import { type AwaitedEnrichment, FirstResponseGate } from '../../execution/firstResponseGate.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import { completedGroupsOf } from '../../response/completedGroupsOf.ts';
import {
  createFailedOutcome,
  createShapedOutcome,
  createSingleResponse,
} from '../../response/createSingleResponse.ts';
import { createEnrichmentExtension, type EnrichmentExtension } from '../../response/enrichmentExtension.ts';
import type { ExecutionOutcome } from '../../response/executionOutcome.ts';
import type { ErrorPolicy } from '../../response/formatErrors.ts';
import { IncrementalResponse } from '../../response/incrementalResponse.ts';
import { inlineDeferredFragments } from '../../response/inlineDeferredFragments.ts';
import { createResponseExtensions } from '../../response/responseExtensions.ts';
import { ResponseShaper } from '../../response/responseShaper.ts';
import type { PendingField } from '../../response/shapeData.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import { systemTimers } from '../../time/timers.ts';
import type { JobAttempt } from '../enrichmentJob.ts';
import type { BudgetPlan } from './budgetPlan.ts';
import { computeGroupUrgencies } from './computeGroupUrgencies.ts';
import { createEnrichmentJob } from './createEnrichmentJob.ts';
import type { EnrichmentCoordinator } from './enrichmentCoordinator.ts';
import { ExecutionAttempt } from './executionAttempt.ts';
import { takeSnapshot } from './executionSnapshot.ts';
import { OverdueWatch } from './overdueWatch.ts';

interface EnrichedRequestOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly requestContext: RequestContext;
  readonly plan: BudgetPlan;
  /** When the request began, on `performance.now()`'s clock. */
  readonly startedAt: number;
  readonly coordinator: EnrichmentCoordinator;
  readonly policy: ErrorPolicy;
  readonly answerSize: number;
  execute(urgency: readonly GroupUrgency[], onGroupComplete: (group: number) => void): Execution;
}

/** The answer of a query with enrichments: what there is when the first answer leaves, and what becomes of the rest. */
export class EnrichedRequest {
  readonly #options: EnrichedRequestOptions;
  readonly #wait: FirstResponseGate;
  readonly #overdueWatch: OverdueWatch;
  readonly #execution: Execution;
  readonly #shaping: ResponseShaper;
  #attempt: ExecutionAttempt | undefined;
  /** Id of the job that its rest is. */
  #jobId: string | undefined;
  #response: IncrementalResponse | undefined;
  #isAnswering = true;
  /** Enrichments that were ready after their budget. */
  readonly #overBudget = new Set<number>();

  constructor(options: EnrichedRequestOptions) {
    this.#options = options;
    const { operation, plan, startedAt, policy, answerSize } = options;
    const clock = { elapsedMs: () => performance.now() - startedAt, timers: systemTimers };
    this.#wait = new FirstResponseGate({
      ...clock,
      enrichments: plan.enrichments,
      waitsForAll: plan.isShadow,
      onReady: (enrichment, elapsedMs) => this.#recordReady(enrichment, elapsedMs),
    });
    this.#overdueWatch = new OverdueWatch({
      ...clock,
      enrichments: plan.inline,
      onOverdue: (enrichment) => this.#recordOverdue(enrichment),
    });
    const urgencies = computeGroupUrgencies(operation, {
      budget: this.#wait.budget,
      waitsForAll: plan.isShadow,
    });
    this.#execution = options.execute(urgencies, (group) => this.#completeGroup(group));
    this.#shaping = new ResponseShaper({
      operation,
      execution: this.#execution,
      policy,
      maxBytes: answerSize,
    });
  }

  /** Errors: `REQUEST_ABORTED` where the client has left before the first answer. */
  async respond(): Promise<ExecutionOutcome> {
    const { operation, request, plan, answerSize } = this.#options;
    const { signal, incrementalFormat: format } = request;
    const abort = (): void => this.#abort();
    signal.addEventListener('abort', abort, { once: true });
    if (format !== undefined && (operation.deferred.length > 0 || plan.isStreamed)) {
      this.#response = new IncrementalResponse({
        operation,
        execution: this.#execution,
        shaping: this.#shaping,
        format,
        maxBytes: answerSize,
        onEnd: () => {
          signal.removeEventListener('abort', abort);
          this.#endAnswer();
        },
      });
    }
    this.#execution.start();
    if (this.#response !== undefined) return this.#respondIncrementally(this.#response);
    try {
      return await this.#respondOnce();
    } finally {
      signal.removeEventListener('abort', abort);
      this.#endAnswer();
    }
  }

  async #respondIncrementally(response: IncrementalResponse): Promise<ExecutionOutcome> {
    await this.#wait.readyToSend;
    const late = this.#pendingIds();
    const outcome = await response.respond({
      isPending: (id) => late.has(id),
      isStreamed: this.#options.plan.isStreamed,
      enqueue: (places) => this.#enqueuePending(places, late),
    });
    if (outcome !== undefined) {
      this.#recordAnswered(late);
      return outcome;
    }
    await this.#wait.allComplete;
    this.#recordAnswered(new Set());
    return (await response.respond()) as ExecutionOutcome;
  }

  async #respondOnce(): Promise<ExecutionOutcome> {
    await this.#wait.readyToSend;
    const late = this.#pendingIds();
    if (late.size > 0) {
      const outcome = await this.#respondPartially(late);
      if (outcome !== undefined) return outcome;
      await this.#wait.allComplete;
    }
    this.#recordAnswered(new Set());
    const { operation, policy, answerSize } = this.#options;
    const made = createSingleResponse(operation, this.#execution, policy, answerSize);
    return 'kind' in made ? made : resolveInSlices(made);
  }

  /** `undefined` where something is late that only the whole answer could be left out for. */
  async #respondPartially(late: ReadonlySet<number>): Promise<ExecutionOutcome | undefined> {
    const { operation, answerSize } = this.#options;
    try {
      const groups = completedGroupsOf(operation, this.#execution);
      const shaped = await resolveInSlices(
        this.#shaping.shapeFirst(groups, { isPending: (id) => late.has(id) }),
      );
      if (shaped.isBlockedByPending) return undefined;
      const { data, errors, stale } = shaped;
      const enrichment =
        shaped.pending.length === 0 ? undefined : await this.#enqueuePending(shaped.pending, late);
      this.#recordAnswered(late);
      const extensions = createResponseExtensions(stale, enrichment);
      return await resolveInSlices(
        createShapedOutcome({ data, errors, extensions, caching: undefined }, answerSize),
      );
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return createFailedOutcome(error);
    }
  }

  async #enqueuePending(
    found: readonly PendingField[],
    late: ReadonlySet<number>,
  ): Promise<EnrichmentExtension> {
    // The client has left while the answer was made: all has been let go of, and there is nothing to be finished.
    if (!this.#isAnswering) throw requestAbortedError();
    const places = found.map(inlineDeferredFragments);
    const { operation, request, requestContext, coordinator } = this.#options;
    const run = new ExecutionAttempt({
      execution: this.#execution,
      shaping: this.#shaping,
      pending: places,
      onEnd: () => {
        this.#attempt = undefined;
        this.#endJob();
        this.#releaseIfDone();
      },
    });
    this.#attempt = run;
    const snapshot = await resolveInSlices(
      takeSnapshot(operation, this.#execution, places, [...late], request.incrementalFormat !== undefined),
    );
    const job = createEnrichmentJob({
      operation,
      request,
      headers: coordinator.headersToStore(request.headers),
      snapshot,
      pending: places,
    });
    this.#jobId = job.id;
    coordinator.equalJobs.start(job.id);
    return createEnrichmentExtension(
      places,
      await coordinator.enqueue(job, run satisfies JobAttempt, requestContext),
    );
  }

  /** What is not there has been left to an equal answer, here or in another process, or to nobody. */
  #endJob(): void {
    if (this.#jobId === undefined) return;
    const { coordinator, startedAt } = this.#options;
    const left = this.#wait.pending.filter(({ id }) => this.#execution.hasFetched(id + 1));
    const open = new Map(left.map((enrichment) => [enrichment.id, enrichment]));
    const elapsedMs = (): number => performance.now() - startedAt;
    coordinator.equalJobs.end(this.#jobId, {
      onReady: (id) => {
        const enrichment = open.get(id);
        if (enrichment !== undefined && open.delete(id)) coordinator.recordReady(enrichment, elapsedMs());
      },
      onAbandoned: () => {
        // One that was not waited for says nothing yet.
        const overdue = [...open.values()].filter(({ budgetMs }) => budgetMs > 0 && elapsedMs() > budgetMs);
        for (const enrichment of overdue) coordinator.recordReady(enrichment, Number.POSITIVE_INFINITY);
      },
    });
  }

  #completeGroup(group: number): void {
    this.#wait.completeGroup(group);
    this.#overdueWatch.completeGroup(group);
    this.#response?.completeGroup(group);
    this.#attempt?.completeGroup();
  }

  #pendingIds(): ReadonlySet<number> {
    return new Set(this.#wait.pending.map(({ id }) => id));
  }

  #recordReady(enrichment: AwaitedEnrichment, elapsedMs: number): void {
    if (elapsedMs > enrichment.budgetMs) this.#overBudget.add(enrichment.id);
    // What nothing was asked for says nothing of latencies: there may be no object that has the field.
    if (!this.#execution.hasFetched(enrichment.id + 1)) return;
    const { coordinator, startedAt } = this.#options;
    if (!this.#staleIds().has(enrichment.id)) {
      coordinator.recordReady(enrichment, elapsedMs);
      if (this.#jobId !== undefined) coordinator.equalJobs.reportReady(this.#jobId, enrichment.id);
      return;
    }
    // An older value says nothing of latencies; the fetch that it stands in for goes on and does.
    this.#wait.budget.onRefreshed(enrichment.id + 1, () => {
      coordinator.recordReady(enrichment, performance.now() - startedAt);
    });
  }

  #recordOverdue(enrichment: AwaitedEnrichment): void {
    // Where its fetches have not begun, it is others that take long.
    if (this.#execution.hasFetched(enrichment.id + 1)) this.#options.coordinator.recordOverdue(enrichment);
  }

  /** Enrichments of which the answer has values that were kept, since newer ones did not come within the budget. */
  #staleIds(): ReadonlySet<number> {
    return new Set(
      this.#execution.staleValues.flatMap(({ reason, group }) => (reason === 'budget' ? [group - 1] : [])),
    );
  }

  #recordAnswered(late: ReadonlySet<number>): void {
    const { plan, coordinator } = this.#options;
    const older = this.#staleIds();
    for (const enrichment of plan.enrichments) {
      const { id } = enrichment;
      if (late.has(id)) coordinator.recordAnswered(enrichment, plan.isStreamed ? 'incremental' : 'pending');
      // There may be no object that has the field.
      else if (!this.#execution.hasFetched(id + 1)) continue;
      else if (plan.isShadow && this.#overBudget.has(id)) {
        coordinator.recordAnswered(enrichment, 'shadow pending');
      } else coordinator.recordAnswered(enrichment, older.has(id) ? 'stale' : 'in time');
    }
  }

  /** The client has left. What it has been promised goes on. */
  #abort(): void {
    this.#wait.cancel(requestAbortedError());
    this.#response?.endEarly();
    this.#endAnswer();
  }

  #endAnswer(): void {
    this.#isAnswering = false;
    this.#releaseIfDone();
  }

  #releaseIfDone(): void {
    if (this.#isAnswering) return;
    if (this.#attempt !== undefined) {
      this.#execution.releaseCompleted();
      return;
    }
    this.#overdueWatch.stop();
    this.#execution.cancel();
    this.#execution.release();
  }
}
