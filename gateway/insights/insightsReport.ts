import { maskSecrets } from '../config/addressSecrets.ts';
import { GatewayError, messageWithCause } from '../errors.ts';
import type { FeatureContext } from '../feature.ts';
import type { SubgraphState } from '../subgraphs/policies/callPolicies.ts';
import type { OtherWorkers, WorkerAnswers } from '../telemetry/workerMetrics.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { type InsightsData, maxBrokenOperations, maxJobs, type OperationInsights } from './insightsData.ts';
import {
  describeOperation,
  mergeOperationStates,
  type OperationStateData,
  readOperationState,
  toOperationStateData,
} from './operationState.ts';
import type { OperationTable } from './operationTable.ts';
import { maxSamples } from './planRecord.ts';
import {
  describeSubgraphs,
  mergeTotals,
  type ProcessSummary,
  type ProcessSummaryData,
  readSummary,
} from './processSummary.ts';
import type { SubgraphCalls } from './subgraphCalls.ts';
import { SubgraphShares } from './subgraphShares.ts';
import { describePoint, mergeSeries, type TimeSeries } from './timeSeries.ts';

/** What other libraries of the gateway know. */
export interface InsightsSources {
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

/** Parsing an answer of another worker takes one turn of the event loop: about 5 kB for each operation. */
const operationsPerCall = 25;

/** Calls from worker to worker. */
const summaryCall = 'insights';
const operationsCall = 'insights-operations';

interface InsightsReportOptions {
  readonly context: Pick<FeatureContext, 'supergraphs' | 'now' | 'log'>;
  readonly sources: InsightsSources;
  readonly operations: OperationTable;
  readonly calls: SubgraphCalls;
  readonly series: TimeSeries;
}

/** Describes what this process and the other workers have recorded. */
export class InsightsReport {
  readonly #options: InsightsReportOptions;
  readonly #startedAt: number;

  constructor(options: InsightsReportOptions) {
    const { workers } = options.sources;
    this.#options = options;
    this.#startedAt = options.context.now();
    workers?.handle(summaryCall, async () => JSON.stringify(this.#summarize()));
    workers?.handle(operationsCall, (query) => this.#printOperations(JSON.parse(query)));
  }

  /** `search`: a part of the names of operations, in lower case. */
  async describe(limit: number, search: string): Promise<InsightsData> {
    const { supergraphs, now } = this.#options.context;
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
        this.#options.sources.workers === undefined
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
      contracts: this.#options.sources.describeContracts(maxBrokenOperations),
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
    const { operations, unrecorded } = this.#options.operations;
    for (const { plans } of operations.values()) for (const plan of plans) plan.addTo(shares);
    return {
      startedAt: this.#startedAt,
      totalsMs: Array.from(operations, ([key, { totalMs }]) => [key, totalMs] as const),
      unrecordedRequests: unrecorded,
      calls: this.#options.calls.recent(),
      subgraphs: this.#options.sources
        .subgraphStates()
        .map(({ subgraph, circuit, concurrencyLimit, running, queued }) => ({
          subgraph,
          circuit,
          concurrencyLimit,
          running,
          queued,
        })),
      shares,
      series: this.#options.series.points,
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
        const own = this.#options.operations.operations.get(key)?.state(samples);
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
      const state = this.#options.operations.operations.get(key)?.state(samples);
      if (state === undefined) continue;
      members.push(`${JSON.stringify(key)}:${JSON.stringify(toOperationStateData(state))}`);
      await yieldToEventLoop();
    }
    return `{${members.join()}}`;
  }

  async #callOthers(name: string, body?: string, only?: ReadonlySet<string>): Promise<WorkerAnswers> {
    const called = await this.#options.sources.workers?.callOthers(name, body, only);
    return called ?? { answers: new Map(), silent: 0 };
  }

  async #listJobs(): Promise<InsightsData['jobs']> {
    try {
      return await this.#options.sources.listJobs(maxJobs);
    } catch (error) {
      if (error instanceof GatewayError) return { error: messageWithCause(error) };
      this.#options.context.log.error(
        { err: error },
        'The enrichment jobs could not be listed for the insights',
      );
      return { error: 'The log of the gateway has the reason.' };
    }
  }
}

/** The part of an operation's key in which a search looks: its name; all of it, with the hash, for one without a name. */
function searchTextOf(key: string): string {
  return (key.startsWith('Anonymous ') ? key : key.slice(0, key.indexOf(' '))).toLowerCase();
}
