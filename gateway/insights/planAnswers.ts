import { roundMs } from '../time/roundMs.ts';
import { type AnswerSample, endOf, firstPayloadGroups, timingsOf } from './answerTimes.ts';
import type { FetchInsights, PayloadInsights, PlanInsights } from './insightsData.ts';
import { LatencyHistogram, type LatencyHistogramData } from './latencyHistogram.ts';
import type { PlanDescription } from './planDescription.ts';
import { findCriticalPath } from './stepTimes.ts';
import { SubgraphShares, shareOf } from './subgraphShares.ts';

/** The answers of one plan in some time. */
export class PlanAnswers {
  readonly #plan: PlanDescription;
  readonly #fetches: FetchTimes[];
  readonly #payloads: PayloadTimesOfGroup[];
  readonly #timings = { planningMs: 0, budgetMs: 0, shapingMs: 0 };
  readonly #shares = new SubgraphShares();
  readonly #subgraphs: ReadonlySet<string>;
  #count = 0;
  /** Answers that were recorded step by step. */
  #recorded = 0;

  /** `data`: answers of the same plan in another process. */
  static from(plan: PlanDescription, data: PlanAnswersData): PlanAnswers {
    const answers = new PlanAnswers(plan);
    answers.#count = data.count;
    answers.#recorded = data.recorded;
    addTimings(answers.#timings, data.timings, 1);
    for (const [index, { latency, ...times }] of data.fetches.entries())
      answers.#fetches[index] = { ...times, latency: LatencyHistogram.from(latency) };
    for (const [group, { ready, paths }] of data.payloads.entries())
      answers.#payloads[group] = { ready: LatencyHistogram.from(ready), paths: new Map(paths) };
    return answers;
  }

  /** Without the shares of subgraphs. */
  toJSON(): PlanAnswersData {
    return {
      count: this.#count,
      recorded: this.#recorded,
      timings: this.#timings,
      fetches: this.#fetches.map((times) => ({ ...times, latency: times.latency.toJSON() })),
      payloads: this.#payloads.map(({ ready, paths }) => ({ ready: ready.toJSON(), paths: [...paths] })),
    };
  }

  constructor(plan: PlanDescription) {
    this.#plan = plan;
    this.#subgraphs = new Set(plan.steps.map(({ subgraph }) => subgraph));
    this.#fetches = plan.steps.map(() => ({
      latency: new LatencyHistogram(),
      startSumMs: 0,
      criticalCount: 0,
      criticalSumMs: 0,
      failures: 0,
    }));
    this.#payloads = plan.groups.map(() => ({ ready: new LatencyHistogram(), paths: new Map() }));
  }

  count(failedSteps: ReadonlySet<number> | undefined): void {
    this.#count += 1;
    if (failedSteps === undefined) return;
    const failing = new Set<string>();
    for (const index of failedSteps) {
      const times = this.#fetches[index];
      if (times === undefined) continue;
      times.failures += 1;
      failing.add((this.#plan.steps[index] as PlanDescription['steps'][number]).subgraph);
    }
    for (const subgraph of failing) this.#shares.of(subgraph).failures += 1;
  }

  /** For an answer that was counted before. */
  add(sample: AnswerSample): void {
    const { steps, plannedMs, readyMs, firstPayloadMs, pendingGroups } = sample;
    this.#recorded += 1;
    for (const [index, times] of this.#fetches.entries()) {
      const duration = (steps.ends[index] as number) - (steps.starts[index] as number);
      // Without anything to fetch, a step ends at once.
      if (!(duration > 0)) continue;
      times.latency.observe(duration);
      times.startSumMs += steps.starts[index] as number;
    }
    const gating = firstPayloadGroups(this.#plan, pendingGroups);
    const chain = this.#addPayload(0, sample, gating);
    const fetchedMs = endOf(chain, steps, plannedMs);
    this.#addCritical(chain, sample);
    const timings = timingsOf({
      plannedMs,
      fetchedMs,
      readyMs: pendingGroups.size > 0 ? readyMs : undefined,
      firstPayloadMs,
    });
    addTimings(this.#timings, timings, 1);
    for (let group = 1; group < this.#payloads.length; group++) {
      if (!gating.includes(group)) this.#addPayload(group, sample, [group]);
    }
  }

  addTo(shares: SubgraphShares): void {
    shares.recorded += this.#recorded;
    for (const subgraph of this.#subgraphs) shares.of(subgraph).answers += this.#count;
    shares.merge(this.#shares);
  }

  merge(other: PlanAnswers): void {
    for (const [index, times] of this.#fetches.entries()) {
      const { latency, startSumMs, criticalCount, criticalSumMs, failures } = other.#fetches[
        index
      ] as FetchTimes;
      times.latency.merge(latency);
      times.startSumMs += startSumMs;
      times.criticalCount += criticalCount;
      times.criticalSumMs += criticalSumMs;
      times.failures += failures;
    }
    for (const [group, { ready, paths }] of this.#payloads.entries()) {
      const others = other.#payloads[group] as PayloadTimesOfGroup;
      ready.merge(others.ready);
      for (const [path, count] of others.paths) paths.set(path, (paths.get(path) ?? 0) + count);
    }
    addTimings(this.#timings, other.#timings, 1);
    this.#count += other.#count;
    this.#recorded += other.#recorded;
  }

  describe(): Omit<PlanInsights, 'whatIf'> {
    const count = this.#recorded;
    const mean = (sum: number, of: number): number => (of === 0 ? 0 : roundMs(sum / of));
    const timings = { planningMs: 0, budgetMs: 0, shapingMs: 0 };
    addTimings(timings, this.#timings, count === 0 ? 0 : 1 / count);
    return {
      recorded: count,
      timings: {
        planningMs: roundMs(timings.planningMs),
        budgetMs: roundMs(timings.budgetMs),
        shapingMs: roundMs(timings.shapingMs),
      },
      fetches: this.#plan.steps.map((step, index): FetchInsights => {
        const times = this.#fetches[index] as FetchTimes;
        const { subgraph, path, fields, dependsOn, group } = step;
        return {
          subgraph,
          path,
          fields,
          dependsOn,
          group,
          startMs: times.latency.count === 0 ? null : mean(times.startSumMs, times.latency.count),
          latency: times.latency.summary(),
          errorShare: shareOf(times.failures, this.#count),
          criticalShare: shareOf(times.criticalCount, count),
          criticalMs: mean(times.criticalSumMs, times.criticalCount),
        };
      }),
      payloads: this.#payloads.map(
        ({ ready, paths }, group): PayloadInsights => ({
          group,
          ready: ready.summary(),
          criticalPath: mostFrequent(paths),
        }),
      ),
    };
  }

  #addPayload(group: number, { steps, plannedMs }: AnswerSample, gating: readonly number[]): number[] {
    const { ready, paths } = this.#payloads[group] as PayloadTimesOfGroup;
    const chain = findCriticalPath(this.#plan, steps, gating);
    // The steps of a pending enrichment may not have ended.
    if (chain.length === 0 && group > 0) return chain;
    ready.observe(endOf(chain, steps, plannedMs));
    const key = chain.join();
    if (paths.has(key) || paths.size < maxPathsPerPayload) paths.set(key, (paths.get(key) ?? 0) + 1);
    return chain;
  }

  #addCritical(chain: readonly number[], { steps, plannedMs }: AnswerSample): void {
    let before = plannedMs;
    const bySubgraph = new Map<string, number>();
    for (const index of chain) {
      const end = steps.ends[index] as number;
      const ms = end - before;
      before = end;
      if (!(ms > 0)) continue;
      const times = this.#fetches[index] as FetchTimes;
      times.criticalCount += 1;
      times.criticalSumMs += ms;
      const { subgraph } = this.#plan.steps[index] as PlanDescription['steps'][number];
      bySubgraph.set(subgraph, (bySubgraph.get(subgraph) ?? 0) + ms);
    }
    for (const [subgraph, ms] of bySubgraph) {
      const share = this.#shares.of(subgraph);
      share.gated += 1;
      share.gatedSumMs += ms;
    }
  }
}

interface FetchTimes {
  readonly latency: LatencyHistogram;
  startSumMs: number;
  criticalCount: number;
  criticalSumMs: number;
  failures: number;
}

interface PayloadTimesOfGroup {
  readonly ready: LatencyHistogram;
  /** How often each critical path was seen. */
  readonly paths: Map<string, number>;
}

/** `PlanAnswers` as JSON. */
export interface PlanAnswersData {
  readonly count: number;
  readonly recorded: number;
  readonly timings: Readonly<Timings>;
  readonly fetches: readonly (Omit<FetchTimes, 'latency'> & { readonly latency: LatencyHistogramData })[];
  readonly payloads: readonly {
    readonly ready: LatencyHistogramData;
    readonly paths: readonly (readonly [string, number])[];
  }[];
}

type Timings = { planningMs: number; budgetMs: number; shapingMs: number };

function addTimings(
  sum: Timings,
  { planningMs, budgetMs, shapingMs }: Readonly<Timings>,
  factor: number,
): void {
  sum.planningMs += planningMs * factor;
  sum.budgetMs += budgetMs * factor;
  sum.shapingMs += shapingMs * factor;
}

function mostFrequent(paths: ReadonlyMap<string, number>): readonly number[] {
  let best = '';
  for (const [path, count] of paths) if (count > (paths.get(best) ?? 0)) best = path;
  return best === '' ? [] : best.split(',').map(Number);
}

const maxPathsPerPayload = 16;
