import { performance } from 'node:perf_hooks';
import type { ExecutionObserver } from '../execution/executionObserver.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { ExecutionOrigin, Feature, FeatureContext } from '../feature.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SubgraphCallEvent } from '../subgraphs/httpSubgraphClient.ts';
import { createUtilizationReader } from '../time/createUtilizationReader.ts';
import type { CancelTimer } from '../time/timers.ts';
import { sendProblem } from '../transport/http/rawBodyRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import { AnswerTimes } from './answerTimes.ts';
import { ExplainedTrace } from './explainedTracing.ts';
import { explainPayload } from './explainPayload.ts';
import { addInsightsPage, findInsightsDirectory } from './insightsPage.ts';
import { InsightsReport, type InsightsSources } from './insightsReport.ts';
import { OperationTable } from './operationTable.ts';
import { readCounts } from './readCounts.ts';
import { SubgraphCalls } from './subgraphCalls.ts';
import { msUntilPointEnds, TimeSeries } from './timeSeries.ts';

interface DataQuery {
  readonly Querystring: { readonly operations?: unknown; readonly search?: unknown };
}

const maxOperations = 1_000;
const defaultOperations = 100;
const maxNewDocumentsPerSecond = 100;

/** Insights: where the time of answers goes. Reports the critical path in responses to clients that may see it
 *  (`security.exposeSubgraphs`), and serves the data of the insights page. */
export class InsightsFeature implements Feature {
  readonly #context: FeatureContext;
  readonly #sources: InsightsSources;
  readonly #operations: OperationTable;
  readonly #calls: SubgraphCalls;
  readonly #series: TimeSeries;
  readonly #report: InsightsReport;
  /** Every answer is recorded step by step, because it reports its critical path. */
  readonly #recordsAll: boolean;
  readonly #readUtilization = createUtilizationReader();
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(context: FeatureContext, sources: InsightsSources) {
    this.#context = context;
    this.#sources = sources;
    // The clock of the pipeline.
    const now = (): number => performance.now();
    this.#recordsAll = context.config.security.exposeSubgraphs;
    this.#series = new TimeSeries();
    this.#calls = new SubgraphCalls(now);
    this.#operations = new OperationTable({
      maxOperations,
      maxNewDocumentsPerSecond,
      now,
      wallClock: () => context.now(),
      onAnswer: (timings, end) => this.#series.addAnswer(timings, end),
    });
    this.#report = new InsightsReport({
      context,
      sources,
      operations: this.#operations,
      calls: this.#calls,
      series: this.#series,
    });
  }

  onSupergraph(): void {
    if (this.#cancelTimer === undefined) this.#scheduleNextPoint();
  }

  onCall(event: SubgraphCallEvent): void {
    this.#calls.onCall(event);
  }

  observeExecution(
    operation: PreparedOperation,
    { trace }: RequestContext,
    { request, startedAt, isJoined = false }: ExecutionOrigin,
  ): ExecutionObserver | undefined {
    // A job answers no request.
    if (startedAt === undefined) return undefined;
    const plan = this.#operations.planOf(operation, request);
    if (plan === undefined) return undefined;
    const explain =
      trace instanceof ExplainedTrace
        ? (isFirst: boolean) => explainPayload(trace, startedAt, isFirst ? operation.plan : undefined)
        : undefined;
    const isDetailed = !isJoined && (plan.takeTurn(startedAt) || this.#recordsAll);
    return new AnswerTimes(plan, startedAt, isDetailed, explain);
  }

  addAdminRoutes(routes: Routes): void {
    addInsightsPage(routes, findInsightsDirectory());
    routes.get<DataQuery>('/insights/data', async ({ query }, reply) => {
      reply.header('cache-control', 'no-store');
      const { operations = String(defaultOperations), search = '' } = query;
      const limit = typeof operations === 'string' && /^\d{1,4}$/.test(operations) ? Number(operations) : -1;
      if (limit < 0 || limit > maxOperations) {
        return sendProblem(
          reply,
          400,
          `operations is ${JSON.stringify(operations)}; expected a number from 0 to ${maxOperations}.`,
        );
      }
      if (typeof search !== 'string') return sendProblem(reply, 400, 'search is given more than once.');
      return this.#report.describe(limit, search.trim().toLowerCase());
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #scheduleNextPoint(): void {
    this.#cancelTimer = this.#context.timers.after(
      msUntilPointEnds(this.#context.now()),
      () => void this.#closePoint(),
    );
  }

  async #closePoint(): Promise<void> {
    try {
      const { backlog, ...counts } = await readCounts(this.#context.metrics.registry);
      const states = this.#sources.subgraphStates();
      this.#series.closePoint(this.#context.now(), counts, {
        queued: states.reduce((sum, { queued }) => sum + queued, 0),
        openBreakers: states.flatMap(({ circuit, subgraph }) => (circuit === 'open' ? [subgraph] : [])),
        backlog,
        eventLoop: Math.round(this.#readUtilization() * 1_000) / 1_000,
      });
    } catch (err) {
      this.#context.log.error(
        { err },
        'The counts of the last ten seconds could not be read for the insights',
      );
    }
    if (!this.#isStopped) this.#scheduleNextPoint();
  }
}
