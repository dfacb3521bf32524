import { performance } from 'node:perf_hooks';
import { GatewayError } from '../errors.ts';
import type { ExecutionObserver } from '../execution/executionObserver.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { ExecutionOrigin, Feature, FeatureContext } from '../feature.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SubgraphCallEvent } from '../subgraphs/httpSubgraphClient.ts';
import type { SubgraphState } from '../subgraphs/policies/callPolicies.ts';
import { roundMs } from '../time/roundMs.ts';
import type { CancelTimer } from '../time/timers.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { sendProblem } from '../transport/http/rawBodyRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import { AnswerTimes } from './answerTimes.ts';
import { ExplainedTrace } from './explainedTracing.ts';
import { explainPayload } from './explainPayload.ts';
import type { InsightsData, OperationInsights, SubgraphInsights } from './insightsData.ts';
import { addInsightsPage, findInsightsDirectory } from './insightsPage.ts';
import { OperationTable } from './operationTable.ts';
import { readCounts } from './readCounts.ts';
import { SubgraphCalls } from './subgraphCalls.ts';
import { SubgraphShares, shareOf } from './subgraphShares.ts';
import { pointIntervalMs, TimeSeries } from './timeSeries.ts';

/** What other parts of the gateway know. */
export interface InsightsSources {
  /** The name of this process among several that share a port. */
  readonly worker: string | undefined;
  subgraphStates(): readonly SubgraphState[];
  /** `limit`: in each state. Rejects with a `GatewayError` if they cannot be read. */
  listJobs(limit: number): Promise<readonly unknown[]>;
  describeContracts(): object;
}

interface DataQuery {
  readonly Querystring: { readonly operations?: unknown };
}

const maxOperations = 1_000;
const defaultOperations = 100;
const maxJobs = 100;
const maxNewDocumentsPerSecond = 100;

/** Insights: where the time of answers goes. Reports the critical path in responses to clients that may see it
 *  (`security.exposeSubgraphs`), and serves the data of the insights page. */
export class InsightsFeature implements Feature {
  readonly #context: FeatureContext;
  readonly #sources: InsightsSources;
  readonly #operations: OperationTable;
  readonly #calls: SubgraphCalls;
  readonly #series: TimeSeries;
  readonly #startedAt: number;
  /** Every answer is recorded step by step, because it reports its critical path. */
  readonly #recordsAll: boolean;
  #eventLoop = performance.eventLoopUtilization();
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(context: FeatureContext, sources: InsightsSources) {
    this.#context = context;
    this.#sources = sources;
    // The clock of the pipeline.
    const now = (): number => performance.now();
    this.#startedAt = context.now();
    this.#recordsAll = context.config.security.exposeSubgraphs;
    this.#series = new TimeSeries(this.#startedAt);
    this.#calls = new SubgraphCalls(now);
    this.#operations = new OperationTable({
      maxOperations,
      maxNewDocumentsPerSecond,
      now,
      wallClock: () => context.now(),
      onAnswer: (timings, end) => this.#series.addAnswer(timings, end),
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
    const isDetailed = !isJoined && (plan.takeTurn() || this.#recordsAll);
    return new AnswerTimes(plan, startedAt, isDetailed, explain);
  }

  addAdminRoutes(routes: Routes): void {
    addInsightsPage(routes, findInsightsDirectory());
    routes.get<DataQuery>('/insights/data', async ({ query }, reply) => {
      reply.header('cache-control', 'no-store');
      const { operations = String(defaultOperations) } = query;
      const limit = typeof operations === 'string' && /^\d{1,4}$/.test(operations) ? Number(operations) : -1;
      if (limit < 0 || limit > maxOperations) {
        return sendProblem(
          reply,
          400,
          `operations is ${JSON.stringify(operations)}; expected a number from 0 to ${maxOperations}.`,
        );
      }
      return this.#describe(limit);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  async #describe(limit: number): Promise<InsightsData> {
    const { supergraphs, now } = this.#context;
    const largest = [...this.#operations.operations]
      .map((operation) => ({ operation, totalMs: operation.totalMs }))
      .sort((a, b) => b.totalMs - a.totalMs)
      .slice(0, limit);
    const operations: OperationInsights[] = [];
    for (const { operation } of largest) {
      operations.push(operation.describe());
      await yieldToEventLoop();
    }
    const supergraph = supergraphs.current();
    return {
      worker: this.#sources.worker ?? null,
      now: new Date(now()).toISOString(),
      startedAt: new Date(this.#startedAt).toISOString(),
      subgraphs: this.#describeSubgraphs(),
      operations,
      operationCount: this.#operations.size,
      unrecordedRequests: this.#operations.unrecorded,
      series: this.#series.points,
      jobs: await this.#listJobs(),
      contracts: this.#sources.describeContracts(),
      supergraph:
        supergraph === undefined ? null : { id: supergraph.id, refusal: supergraphs.problem() ?? null },
    };
  }

  #describeSubgraphs(): readonly SubgraphInsights[] {
    const states = new Map(this.#sources.subgraphStates().map((state) => [state.subgraph, state]));
    const shares = new SubgraphShares();
    for (const { plans } of this.#operations.operations) for (const plan of plans) plan.addTo(shares);
    const current = this.#context.supergraphs.current();
    const urls = new Map(Array.from(current?.subgraphs.values() ?? [], ({ name, url }) => [name, url]));
    const names = new Set([...urls.keys(), ...states.keys()]);
    return [...names].sort().map((name) => {
      const { answers, failures, gated, gatedSumMs } = shares.of(name);
      return {
        ...this.#calls.describe(name, urls.get(name) ?? null, states.get(name)),
        errorShare: shareOf(failures, answers),
        gatedShare: shareOf(gated, shares.recorded),
        gatedMs: gated === 0 ? 0 : roundMs(gatedSumMs / gated),
      };
    });
  }

  async #listJobs(): Promise<InsightsData['jobs']> {
    try {
      return await this.#sources.listJobs(maxJobs);
    } catch (error) {
      if (error instanceof GatewayError) return { error: error.message };
      throw error;
    }
  }

  #scheduleNextPoint(): void {
    this.#cancelTimer = this.#context.timers.after(pointIntervalMs, () => void this.#closePoint());
  }

  async #closePoint(): Promise<void> {
    try {
      const { backlog, ...counts } = await readCounts(this.#context.metrics.registry);
      const states = this.#sources.subgraphStates();
      const eventLoop = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(eventLoop, this.#eventLoop);
      this.#eventLoop = eventLoop;
      this.#series.closePoint(this.#context.now(), counts, {
        queued: states.reduce((sum, { queued }) => sum + queued, 0),
        openBreakers: states.filter(({ circuit }) => circuit === 'open').length,
        backlog,
        eventLoop: Math.round(utilization * 1_000) / 1_000,
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
