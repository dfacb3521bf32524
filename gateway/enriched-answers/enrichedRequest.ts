import type { EnrichmentRun } from '../enrichment/enrichmentJob.ts';
import { clientGone, GatewayError } from '../errors.ts';
import type { Execution, GroupUrgency } from '../execution/execution.ts';
import { type AwaitedEnrichment, FirstAnswerWait } from '../execution/firstAnswerWait.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import { answerExtensions } from '../response/answerExtensions.ts';
import { AnswerShaping } from '../response/answerShaping.ts';
import { completeGroups } from '../response/completeGroups.ts';
import { type EnrichmentExtension, enrichmentExtension } from '../response/enrichmentExtension.ts';
import type { ErrorPolicy } from '../response/formatErrors.ts';
import { IncrementalResponse } from '../response/incrementalResponse.ts';
import type { ExecutionOutcome } from '../response/outcome.ts';
import type { LatePlace } from '../response/shape.ts';
import { failedOutcome, shapedOutcome, singleResponse } from '../response/singleResponse.ts';
import { wholePlace } from '../response/wholePlace.ts';
import { resultInSlices } from '../time/inSlices.ts';
import { systemTimers } from '../time/timers.ts';
import type { BudgetPlan } from './budgetPlan.ts';
import type { Enriching } from './enriching.ts';
import { groupUrgencies } from './groupUrgencies.ts';
import { lateJob } from './lateJob.ts';
import { LateRun } from './lateRun.ts';
import { takeSnapshot } from './lateSnapshot.ts';
import { OverdueWatch } from './overdueWatch.ts';

export interface EnrichedRequestOptions {
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly plan: BudgetPlan;
  /** When the request began, on `performance.now()`'s clock. */
  readonly startedAt: number;
  readonly enriching: Enriching;
  readonly policy: ErrorPolicy;
  readonly answerSize: number;
  execute(urgency: readonly GroupUrgency[], onGroupComplete: (group: number) => void): Execution;
}

/** The answer of a query with enrichments: what there is when the first answer leaves, and what becomes of the rest. */
export class EnrichedRequest {
  readonly #options: EnrichedRequestOptions;
  readonly #wait: FirstAnswerWait;
  readonly #overdue: OverdueWatch;
  readonly #execution: Execution;
  readonly #shaping: AnswerShaping;
  #run: LateRun | undefined;
  /** Id of the job that its rest is. */
  #rest: string | undefined;
  #response: IncrementalResponse | undefined;
  #isAnswering = true;
  /** Enrichments that were ready after their budget. */
  readonly #overBudget = new Set<number>();

  constructor(options: EnrichedRequestOptions) {
    this.#options = options;
    const { operation, plan, startedAt, policy, answerSize } = options;
    const clock = { elapsedMs: () => performance.now() - startedAt, timers: systemTimers };
    this.#wait = new FirstAnswerWait({
      ...clock,
      enrichments: plan.enrichments,
      isPatient: plan.isShadow,
      onReady: (enrichment, elapsedMs) => this.#noteReady(enrichment, elapsedMs),
    });
    this.#overdue = new OverdueWatch({
      ...clock,
      enrichments: plan.inline,
      onOverdue: (enrichment) => this.#noteOverdue(enrichment),
    });
    const urgencies = groupUrgencies(operation, { budget: this.#wait.budget, isPatient: plan.isShadow });
    this.#execution = options.execute(urgencies, (group) => this.#completeGroup(group));
    this.#shaping = new AnswerShaping({
      operation,
      execution: this.#execution,
      policy,
      maxBytes: answerSize,
    });
  }

  /** Errors: `REQUEST_ABORTED` where the client has left before the first answer. */
  async respond(): Promise<ExecutionOutcome> {
    const { operation, request, plan, answerSize } = this.#options;
    const { signal, incremental: format } = request;
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
    await this.#wait.over;
    const late = this.#lateIds();
    const outcome = await response.respond({
      isLate: (id) => late.has(id),
      isStreamed: this.#options.plan.isStreamed,
      takeOver: (places) => this.#takeOver(places, late),
    });
    if (outcome !== undefined) {
      this.#noteAnswered(late);
      return outcome;
    }
    await this.#wait.complete;
    this.#noteAnswered(new Set());
    return (await response.respond()) as ExecutionOutcome;
  }

  async #respondOnce(): Promise<ExecutionOutcome> {
    await this.#wait.over;
    const late = this.#lateIds();
    if (late.size > 0) {
      const outcome = await this.#respondEarly(late);
      if (outcome !== undefined) return outcome;
      await this.#wait.complete;
    }
    this.#noteAnswered(new Set());
    const { operation, policy, answerSize } = this.#options;
    const made = singleResponse(operation, this.#execution, policy, answerSize);
    return 'kind' in made ? made : resultInSlices(made);
  }

  /** `undefined` where something is late that only the whole answer could be left out for. */
  async #respondEarly(late: ReadonlySet<number>): Promise<ExecutionOutcome | undefined> {
    const { operation, answerSize } = this.#options;
    try {
      const groups = completeGroups(operation, this.#execution);
      const shaped = await resultInSlices(this.#shaping.first(groups, { isLate: (id) => late.has(id) }));
      if (shaped.isTooEarly) return undefined;
      const { data, errors, stale } = shaped;
      const enrichment = shaped.late.length === 0 ? undefined : await this.#takeOver(shaped.late, late);
      this.#noteAnswered(late);
      const extensions = answerExtensions(stale, enrichment);
      return await resultInSlices(
        shapedOutcome({ data, errors, extensions, caching: undefined }, answerSize),
      );
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return failedOutcome(error);
    }
  }

  async #takeOver(found: readonly LatePlace[], late: ReadonlySet<number>): Promise<EnrichmentExtension> {
    // The client has left while the answer was made: all has been let go of, and there is nothing to be finished.
    if (!this.#isAnswering) throw clientGone();
    const places = found.map(wholePlace);
    const { operation, request, enriching } = this.#options;
    const run = new LateRun({
      execution: this.#execution,
      shaping: this.#shaping,
      places,
      onEnd: () => {
        this.#run = undefined;
        this.#endRest();
        this.#releaseIfDone();
      },
    });
    this.#run = run;
    const snapshot = await resultInSlices(
      takeSnapshot(operation, this.#execution, places, [...late], request.incremental !== undefined),
    );
    const job = lateJob({
      operation,
      request,
      headers: enriching.headersToKeep(request.headers),
      snapshot,
      places,
    });
    this.#rest = job.id;
    enriching.rests.begin(job.id);
    return enrichmentExtension(places, await enriching.handOver(job, run satisfies EnrichmentRun, request));
  }

  /** What is not there has been left to an equal answer, here or in another process, or to nobody. */
  #endRest(): void {
    if (this.#rest === undefined) return;
    const { enriching, startedAt } = this.#options;
    const left = this.#wait.late.filter(({ id }) => this.#execution.hasFetched(id + 1));
    const open = new Map(left.map((enrichment) => [enrichment.id, enrichment]));
    const elapsedMs = (): number => performance.now() - startedAt;
    enriching.rests.end(this.#rest, {
      onReady: (id) => {
        const enrichment = open.get(id);
        if (enrichment !== undefined && open.delete(id)) enriching.noteReady(enrichment, elapsedMs());
      },
      onGivenUp: () => {
        // One that was not waited for says nothing yet.
        const overdue = [...open.values()].filter(({ budgetMs }) => budgetMs > 0 && elapsedMs() > budgetMs);
        for (const enrichment of overdue) enriching.noteReady(enrichment, Number.POSITIVE_INFINITY);
      },
    });
  }

  #completeGroup(group: number): void {
    this.#wait.completeGroup(group);
    this.#overdue.completeGroup(group);
    this.#response?.completeGroup(group);
    this.#run?.completeGroup();
  }

  #lateIds(): ReadonlySet<number> {
    return new Set(this.#wait.late.map(({ id }) => id));
  }

  #noteReady(enrichment: AwaitedEnrichment, elapsedMs: number): void {
    if (elapsedMs > enrichment.budgetMs) this.#overBudget.add(enrichment.id);
    // What nothing was asked for says nothing of latencies: there may be no object that has the field.
    if (!this.#execution.hasFetched(enrichment.id + 1)) return;
    const { enriching, startedAt } = this.#options;
    if (!this.#olderValues().has(enrichment.id)) {
      enriching.noteReady(enrichment, elapsedMs);
      if (this.#rest !== undefined) enriching.rests.tellReady(this.#rest, enrichment.id);
      return;
    }
    // An older value says nothing of latencies; the fetch that it stands in for goes on and does.
    this.#wait.budget.onNewer(enrichment.id + 1, () => {
      enriching.noteReady(enrichment, performance.now() - startedAt);
    });
  }

  #noteOverdue(enrichment: AwaitedEnrichment): void {
    // Where its fetches have not begun, it is others that take long.
    if (this.#execution.hasFetched(enrichment.id + 1)) this.#options.enriching.noteOverdue(enrichment);
  }

  /** Enrichments of which the answer has values that were kept, since newer ones did not come within the budget. */
  #olderValues(): ReadonlySet<number> {
    return new Set(
      this.#execution.stale.flatMap(({ reason, group }) => (reason === 'budget' ? [group - 1] : [])),
    );
  }

  #noteAnswered(late: ReadonlySet<number>): void {
    const { plan, enriching } = this.#options;
    const older = this.#olderValues();
    for (const enrichment of plan.enrichments) {
      const { id } = enrichment;
      if (late.has(id)) enriching.noteAnswered(enrichment, plan.isStreamed ? 'incremental' : 'pending');
      // There may be no object that has the field.
      else if (!this.#execution.hasFetched(id + 1)) continue;
      else if (plan.isShadow && this.#overBudget.has(id)) {
        enriching.noteAnswered(enrichment, 'shadow pending');
      } else enriching.noteAnswered(enrichment, older.has(id) ? 'stale' : 'in time');
    }
  }

  /** The client has left. What it has been promised goes on. */
  #abort(): void {
    this.#wait.cancel(clientGone());
    this.#response?.cut();
    this.#endAnswer();
  }

  #endAnswer(): void {
    this.#isAnswering = false;
    this.#releaseIfDone();
  }

  #releaseIfDone(): void {
    if (this.#isAnswering) return;
    if (this.#run !== undefined) {
      this.#execution.releaseEnded();
      return;
    }
    this.#overdue.stop();
    this.#execution.cancel();
    this.#execution.release();
  }
}
