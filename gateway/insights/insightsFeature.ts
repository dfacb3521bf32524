import { performance } from 'node:perf_hooks';
import { maskSecrets } from '../config/addressSecrets.ts';
import { GatewayError, messageWithCause } from '../errors.ts';
import type { ExecutionObserver } from '../execution/executionObserver.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { ExecutionOrigin, Feature, FeatureContext } from '../feature.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { SubgraphCallEvent } from '../subgraphs/httpSubgraphClient.ts';
import type { SubgraphState } from '../subgraphs/policies/callPolicies.ts';
import type { OtherWorkers, WorkerAnswers } from '../telemetry/workerMetrics.ts';
import { createUtilizationReader } from '../time/createUtilizationReader.ts';
import type { CancelTimer } from '../time/timers.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { sendProblem } from '../transport/http/rawBodyRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import { AnswerTimes } from './answerTimes.ts';
import { ExplainedTrace } from './explainedTracing.ts';
import { explainPayload } from './explainPayload.ts';
import { type InsightsData, maxBrokenOperations, maxJobs, type OperationInsights } from './insightsData.ts';
import { addInsightsPage, findInsightsDirectory } from './insightsPage.ts';
import {
  describeOperation,
  mergeOperationStates,
  type OperationStateData,
  readOperationState,
  toOperationStateData,
} from './operationState.ts';
import { OperationTable } from './operationTable.ts';
import { maxSamples } from './planRecord.ts';
import {
  describeSubgraphs,
  mergeTotals,
  type ProcessSummary,
  type ProcessSummaryData,
  readSummary,
} from './processSummary.ts';
import { readCounts } from './readCounts.ts';
import { SubgraphCalls } from './subgraphCalls.ts';
import { SubgraphShares } from './subgraphShares.ts';
import { describePoint, mergeSeries, msUntilPointEnds, TimeSeries } from './timeSeries.ts';

/** What other parts of the gateway know. */
interface InsightsSources {
  /** The other processes that share the port. */
  readonly workers: OtherWorkers | undefined;
  subgraphStates(): readonly SubgraphState[];
  /** `limit`: in each state. Rejects with a `GatewayError` if they cannot be read. */
  listJobs(limit: number): Promise<readonly unknown[]>;
  /** `maxOperations`: of each list of broken operations. */
  describeContracts(maxOperations: number): object;
}

/** A call from worker to worker for the details of operations. */
interface OperationsQuery {
  readonly keys: readonly string[];
  readonly samples: number;
}

interface DataQuery {
  readonly Querystring: { readonly operations?: unknown; readonly search?: unknown };
}

const maxOperations = 1_000;
const defaultOperations = 100;
const maxNewDocumentsPerSecond = 100;

/** Parsing an answer of another worker takes one turn of the event loop: about 5 kB for each operation. */
const operationsPerCall = 25;

/** Calls from worker to worker. */
const summaryCall = 'insights';
const operationsCall = 'insights-operations';

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
  readonly #readUtilization = createUtilizationReader();
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(context: FeatureContext, sources: InsightsSources) {
    this.#context = context;
    this.#sources = sources;
    // The clock of the pipeline.
    const now = (): number => performance.now();
    this.#startedAt = context.now();
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
    sources.workers?.handle(summaryCall, async () => JSON.stringify(this.#summarize()));
    sources.workers?.handle(operationsCall, (query) => this.#printOperations(JSON.parse(query)));
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
      return this.#describe(limit, search.trim().toLowerCase());
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  /** `search`: a part of the names of operations, in lower case. */
  async #describe(limit: number, search: string): Promise<InsightsData> {
    const { supergraphs, now } = this.#context;
    const jobs = this.#listJobs();
    const { answers, silent } = await this.#callOthers(summaryCall);
    const summaries = [
      this.#summarize(),
      ...Array.from(answers.values(), (answer) => readSummary(JSON.parse(answer) as ProcessSummaryData)),
    ];
    const totals = [...mergeTotals(summaries)].filter(([key]) => searchTextOf(key).includes(search));
    const supergraph = supergraphs.current();
    const urls = new Map(
      Array.from(supergraph?.subgraphs.values() ?? [], ({ name, url }) => [name, maskSecrets(url)]),
    );
    return {
      workers:
        this.#sources.workers === undefined
          ? null
          : { answered: summaries.length, running: summaries.length + silent },
      now: new Date(now()).toISOString(),
      startedAt: new Date(Math.min(...summaries.map(({ startedAt }) => startedAt))).toISOString(),
      subgraphs: describeSubgraphs(summaries, urls),
      operations: await this.#describeOperations(
        totals.sort(([, a], [, b]) => b - a).slice(0, limit),
        // Together, the processes have as many samples as a single one.
        Math.ceil(maxSamples / summaries.length),
        new Set(answers.keys()),
      ),
      operationCount: totals.length,
      unrecordedRequests: summaries.reduce((sum, { unrecordedRequests }) => sum + unrecordedRequests, 0),
      series: mergeSeries(summaries.map(({ series }) => series)).map(describePoint),
      jobs: await jobs,
      contracts: this.#sources.describeContracts(maxBrokenOperations),
      supergraph:
        supergraph === undefined
          ? null
          : {
              id: supergraph.id,
              refusal: supergraphs.refusal() ?? null,
              sourceProblem: supergraphs.sourceProblem() ?? null,
            },
    };
  }

  /** What this process has recorded. */
  #summarize(): ProcessSummary {
    const shares = new SubgraphShares();
    const { operations, unrecorded } = this.#operations;
    for (const { plans } of operations.values()) for (const plan of plans) plan.addTo(shares);
    return {
      startedAt: this.#startedAt,
      totalsMs: Array.from(operations, ([key, { totalMs }]) => [key, totalMs] as const),
      unrecordedRequests: unrecorded,
      calls: this.#calls.recent(),
      subgraphs: this.#sources
        .subgraphStates()
        .map(({ subgraph, circuit, concurrencyLimit, running, queued }) => ({
          subgraph,
          circuit,
          concurrencyLimit,
          running,
          queued,
        })),
      shares,
      series: this.#series.points,
    };
  }

  /** What this process and `workers` have recorded of these operations. Other requests have their turn between two
   *  operations. A worker that does not answer is not called again: each call would wait for its timeout. */
  async #describeOperations(
    chosen: readonly (readonly [string, number])[],
    samples: number,
    workers: ReadonlySet<string>,
  ): Promise<OperationInsights[]> {
    const described: OperationInsights[] = [];
    let called = workers;
    for (let at = 0; at < chosen.length; at += operationsPerCall) {
      const keys = chosen.slice(at, at + operationsPerCall).map(([key]) => key);
      const { answers } = await this.#callOthers(operationsCall, JSON.stringify({ keys, samples }), called);
      called = new Set(answers.keys());
      const remote = Array.from(
        answers.values(),
        (answer) => JSON.parse(answer) as Record<string, OperationStateData>,
      );
      for (const key of keys) {
        const own = this.#operations.operations.get(key)?.state(samples);
        const others = remote.flatMap(({ [key]: data }) =>
          data === undefined ? [] : [readOperationState(data)],
        );
        const [first, ...more] = own === undefined ? others : [own, ...others];
        // Dropped meanwhile.
        if (first === undefined) continue;
        described.push(describeOperation(mergeOperationStates([first, ...more])));
        await yieldToEventLoop();
      }
    }
    return described;
  }

  /** The details of these operations as JSON, by key. */
  async #printOperations({ keys, samples }: OperationsQuery): Promise<string> {
    const members: string[] = [];
    for (const key of keys) {
      const state = this.#operations.operations.get(key)?.state(samples);
      if (state === undefined) continue;
      members.push(`${JSON.stringify(key)}:${JSON.stringify(toOperationStateData(state))}`);
      await yieldToEventLoop();
    }
    return `{${members.join()}}`;
  }

  async #callOthers(name: string, body?: string, only?: ReadonlySet<string>): Promise<WorkerAnswers> {
    const called = await this.#sources.workers?.callOthers(name, body, only);
    return called ?? { answers: new Map(), silent: 0 };
  }

  async #listJobs(): Promise<InsightsData['jobs']> {
    try {
      return await this.#sources.listJobs(maxJobs);
    } catch (error) {
      if (error instanceof GatewayError) return { error: messageWithCause(error) };
      this.#context.log.error({ err: error }, 'The enrichment jobs could not be listed for the insights');
      return { error: 'The log of the gateway has the reason.' };
    }
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

/** The part of an operation's key in which a search looks: its name; all of it, with the hash, for one without a name. */
function searchTextOf(key: string): string {
  return (key.startsWith('Anonymous ') ? key : key.slice(0, key.indexOf(' '))).toLowerCase();
}
