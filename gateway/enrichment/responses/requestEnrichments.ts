import { randomUUID } from 'node:crypto';
import type { Execution } from '../../execution/execution.ts';
import { type AwaitedEnrichment, FirstResponseGate } from '../../execution/firstResponseGate.ts';
import type { LatencyBudget } from '../../execution/latencyBudget.ts';
import { type RequestContext, sharingKeyFor } from '../../execution/requestContext.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import { createEnrichmentExtension, type EnrichmentExtension } from '../../response/enrichmentExtension.ts';
import { inlineDeferredFragments } from '../../response/inlineDeferredFragments.ts';
import type { PendingFields, ResponseEnrichments } from '../../response/operationResponse.ts';
import type { ResponseShaper } from '../../response/responseShaper.ts';
import type { TraceSpan } from '../../telemetry/trace.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import { systemTimers } from '../../time/timers.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import { createEnrichmentJob, jobSpanAttributes } from './createEnrichmentJob.ts';
import type { BudgetPlan, EnrichmentCoordinator } from './enrichmentCoordinator.ts';
import type { JobLatencyListener } from './equalJobs.ts';
import { ExecutionAttempt } from './executionAttempt.ts';
import { takeSnapshot } from './executionSnapshot.ts';
import { OverdueWatch } from './overdueWatch.ts';

interface RequestEnrichmentsOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly requestContext: RequestContext;
  readonly execution: Execution;
  readonly plan: BudgetPlan;
  /** The one that the execution's enrichments are fetched with. */
  readonly budget: LatencyBudget;
  /** When the request began, on `performance.now()`'s clock. */
  readonly startedAt: number;
  readonly coordinator: EnrichmentCoordinator;
  /** See `FetchSender`. */
  readonly readVersion: string | undefined;
}

/** The job that continues the execution after the first response. */
type JobState =
  | { readonly kind: 'none' }
  | { readonly kind: 'preparing'; readonly attempt: ExecutionAttempt }
  | { readonly kind: 'enqueued'; readonly attempt: ExecutionAttempt; readonly id: string }
  | { readonly kind: 'ended'; readonly id: string | undefined };

/** The enrichments of one request: when the first response is sent without them, the job that finishes those that
 *  missed their budget, and what adaptive delivery learns from their latencies. */
export class RequestEnrichments implements ResponseEnrichments {
  readonly gate: FirstResponseGate;
  readonly isStreamed: boolean;
  readonly #options: RequestEnrichmentsOptions;
  readonly #overdueWatch: OverdueWatch;
  /** Groups that were complete after their budget. */
  readonly #overBudget = new Set<number>();
  #job: JobState = { kind: 'none' };
  #jobSpan: TraceSpan | undefined;
  #isResponseEnded = false;

  constructor(options: RequestEnrichmentsOptions) {
    this.#options = options;
    const { plan, budget } = options;
    const clock = { elapsedMs: () => this.#elapsedMs(), timers: systemTimers };
    this.isStreamed = plan.isStreamed;
    this.gate = new FirstResponseGate({
      ...clock,
      budget,
      enrichments: plan.enrichments,
      waitsForAll: plan.isShadow,
      // A payload of the same response is final; only jobs have further attempts.
      isRetryable: (group) => !plan.isShadow && !plan.isStreamed && this.#hasTransientFailure(group),
      onReady: (enrichment, elapsedMs) => this.#recordReady(enrichment, elapsedMs),
    });
    this.#overdueWatch = new OverdueWatch({
      ...clock,
      enrichments: plan.inline,
      onOverdue: (enrichment) => this.#recordOverdue(enrichment),
    });
  }

  completeGroup(group: number): void {
    this.gate.completeGroup(group);
    this.#overdueWatch.completeGroup(group);
    const job = this.#job;
    if (job.kind === 'preparing' || job.kind === 'enqueued') job.attempt.completeGroup();
  }

  async enqueue(pending: PendingFields, shaper: ResponseShaper): Promise<EnrichmentExtension> {
    const { operation, request, requestContext, execution, coordinator, readVersion } = this.#options;
    const fields = pending.fields.map(inlineDeferredFragments);
    const attempt: ExecutionAttempt = new ExecutionAttempt({
      execution,
      shaper,
      pending: fields,
      onEnd: () => this.#endJob(attempt.errorType),
    });
    this.#job = { kind: 'preparing', attempt };
    const snapshot = await resolveInSlices(
      takeSnapshot(
        operation,
        execution,
        fields,
        [...pending.groups],
        request.incrementalFormat !== undefined,
      ),
    );
    const subgraphs = [...new Set(operation.program.steps.map(({ shape }) => shape.subgraph))];
    const subgraphHeaders = requestContext.hasComputedHeaders
      ? subgraphs.map((subgraph) => [subgraph, requestContext.headersFor(subgraph)] as const)
      : undefined;
    const isShareable = subgraphs.every((subgraph) => sharingKeyFor(requestContext, subgraph) === '');
    const job = createEnrichmentJob({
      operation,
      request,
      // Computed headers are all that subgraphs get.
      headers: subgraphHeaders === undefined ? coordinator.headersToStore(request.headers) : [],
      claims: subgraphHeaders === undefined ? coordinator.claimsToStore(requestContext.claims) : undefined,
      subgraphHeaders,
      snapshot,
      pending: fields,
      traceparent: requestContext.trace?.root.headers[1],
      partition: isShareable ? readVersion : randomUUID(),
    });
    this.#startJobSpan(job);
    this.#job = { kind: 'enqueued', attempt, id: job.id };
    coordinator.equalJobs.start(job.id);
    const { failedGroups } = this.gate;
    const token = await coordinator.enqueue(job, attempt, requestContext);
    return createEnrichmentExtension(fields, failedGroups, token);
  }

  /** The fetches that start from now on belong to the job. */
  #startJobSpan(job: EnrichmentJob): void {
    const { trace } = this.#options.requestContext;
    if (trace === undefined) return;
    this.#jobSpan = trace.root.startLinked('tributary.enrichment', jobSpanAttributes(job, false))?.root;
    if (this.#jobSpan !== undefined) trace.current = this.#jobSpan;
  }

  recordResponse(pendingGroups: ReadonlySet<number>): void {
    const { plan, coordinator, execution, operation } = this.#options;
    if (operation.isSplitRefused) coordinator.recordUnsplit();
    const staleGroups = this.#staleGroups();
    for (const enrichment of plan.enrichments) {
      const { group } = enrichment;
      if (pendingGroups.has(group)) {
        coordinator.recordFirstResponse(enrichment, plan.isStreamed ? 'incremental' : 'pending');
      } else if (!execution.hasFetched(group)) {
        // The response has no object with the field.
      } else if (plan.isShadow && this.#overBudget.has(group)) {
        coordinator.recordFirstResponse(enrichment, 'shadow pending');
      } else coordinator.recordFirstResponse(enrichment, staleGroups.has(group) ? 'stale' : 'in time');
    }
  }

  endResponse(): void {
    this.#isResponseEnded = true;
    this.#releaseIfUnused();
  }

  #endJob(errorType: string | undefined): void {
    this.#jobSpan?.end(errorType);
    const id = this.#job.kind === 'enqueued' ? this.#job.id : undefined;
    this.#job = { kind: 'ended', id };
    if (id !== undefined) this.#learnFromEqualJobs(id);
    this.#releaseIfUnused();
  }

  /** Fields that are still pending are fetched by an equal job, in this process or another, or were abandoned. Their
   *  latency is learnt from the equal job of this process, if there is one. */
  #learnFromEqualJobs(jobId: string): void {
    const { coordinator, execution, startedAt } = this.#options;
    const open = this.gate.pendingEnrichments.filter(({ group }) => execution.hasFetched(group));
    coordinator.equalJobs.end(
      jobId,
      open.length === 0 ? undefined : new OpenEnrichments(open, coordinator, startedAt),
    );
  }

  #recordReady(enrichment: AwaitedEnrichment, elapsedMs: number): void {
    const { group, budgetMs } = enrichment;
    const { coordinator, execution, budget } = this.#options;
    if (elapsedMs > budgetMs) this.#overBudget.add(group);
    // A group without objects to fetch says nothing about latencies, and neither does a subgraph that fails at once.
    else if (this.#hasTransientFailure(group)) return;
    if (!execution.hasFetched(group)) return;
    if (this.#staleGroups().has(group)) {
      // A stale value says nothing about latencies; the fetch that it replaces continues and does.
      budget.onRefreshed(group, () => coordinator.recordReady(enrichment, this.#elapsedMs()));
      return;
    }
    coordinator.recordReady(enrichment, elapsedMs);
    if ('id' in this.#job && this.#job.id !== undefined) {
      coordinator.equalJobs.reportReady(this.#job.id, group);
    }
  }

  #recordOverdue(enrichment: AwaitedEnrichment): void {
    const { coordinator, execution } = this.#options;
    // Before its fetches have begun, an enrichment waits for slow fetches of others.
    if (execution.hasFetched(enrichment.group)) coordinator.recordOverdue(enrichment);
  }

  #hasTransientFailure(group: number): boolean {
    return this.#options.execution.transientErrorsOf([group]).length > 0;
  }

  /** Groups for which the response has stale values, because fresh ones were not complete within the budget. */
  #staleGroups(): ReadonlySet<number> {
    return new Set(
      this.#options.execution.staleValues.flatMap(({ reason, group }) =>
        reason === 'budget' ? [group] : [],
      ),
    );
  }

  #elapsedMs(): number {
    return performance.now() - this.#options.startedAt;
  }

  #releaseIfUnused(): void {
    const { execution } = this.#options;
    if (!this.#isResponseEnded) return;
    if (this.#job.kind === 'preparing' || this.#job.kind === 'enqueued') {
      execution.releaseCompleted();
      return;
    }
    this.#overdueWatch.stop();
    execution.cancel();
    execution.release();
  }
}

/** The enrichments of a request that an equal job fetches. A class of its own, because a closure would keep the whole
 *  execution in memory until that job ends. */
class OpenEnrichments implements JobLatencyListener {
  readonly #byGroup: Map<number, AwaitedEnrichment>;
  readonly #coordinator: EnrichmentCoordinator;
  readonly #startedAt: number;

  constructor(
    enrichments: readonly AwaitedEnrichment[],
    coordinator: EnrichmentCoordinator,
    startedAt: number,
  ) {
    this.#byGroup = new Map(enrichments.map((enrichment) => [enrichment.group, enrichment]));
    this.#coordinator = coordinator;
    this.#startedAt = startedAt;
  }

  onReady(group: number): void {
    const enrichment = this.#byGroup.get(group);
    if (enrichment === undefined || !this.#byGroup.delete(group)) return;
    this.#coordinator.recordReady(enrichment, performance.now() - this.#startedAt);
  }

  onAbandoned(): void {
    const elapsedMs = performance.now() - this.#startedAt;
    for (const enrichment of this.#byGroup.values()) {
      // Without a budget, or within it, the time so far says nothing about the latency.
      if (enrichment.budgetMs > 0 && elapsedMs > enrichment.budgetMs)
        this.#coordinator.recordReady(enrichment, Number.POSITIVE_INFINITY);
    }
  }
}
