import type { ResponseEnd } from '../execution/executionObserver.ts';
import { roundMs } from '../time/roundMs.ts';
import {
  type AnswerRecorder,
  type AnswerSample,
  type AnswerTimings,
  endOf,
  firstPayloadGroups,
  timingsOf,
} from './answerTimes.ts';
import type { FetchInsights, PayloadInsights, PlanInsights, WhatIf } from './insightsData.ts';
import { LatencyHistogram } from './latencyHistogram.ts';
import {
  type DeferCandidate,
  type DescribedOperation,
  findDeferCandidates,
  type PlanDescription,
} from './planDescription.ts';
import { predictCached, predictDeferred } from './predictions.ts';
import { RecentWindow } from './recentWindow.ts';
import { findCriticalPath } from './stepTimes.ts';
import { SubgraphShares, shareOf } from './subgraphShares.ts';

interface PlanRecordOptions {
  readonly plan: PlanDescription;
  readonly windowMs: number;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  onAnswer(timings: AnswerTimings, end: ResponseEnd): void;
}

/** What one plan's answers have in common, of its newest five to ten minutes. */
export class PlanRecord implements AnswerRecorder {
  readonly plan: PlanDescription;
  readonly now: () => number;
  readonly #options: PlanRecordOptions;
  readonly #operation: WeakRef<DescribedOperation>;
  readonly #window: RecentWindow<PlanAnswers>;
  /** The newest samples, for predictions, in no order. */
  readonly #samples: AnswerSample[] = [];
  #sampleCount = 0;
  #uses = 0;
  #deferCandidates: readonly DeferCandidate[] | undefined;

  /** `operation`: one with this plan. The record does not keep it alive, because its supergraph may be replaced. */
  constructor(operation: DescribedOperation, options: PlanRecordOptions) {
    this.plan = options.plan;
    this.now = options.now;
    this.#options = options;
    this.#operation = new WeakRef(operation);
    this.#window = new RecentWindow(options.windowMs, options.now(), () => new PlanAnswers(options.plan));
  }

  /** Whether the next answer is recorded step by step: each of the first ones, so that rare operations are known, and a
   *  sample of the others. */
  takeTurn(): boolean {
    this.#uses += 1;
    return this.#uses <= fullyRecordedAnswers || this.#uses % sampleInterval === 0;
  }

  onEnd(timings: AnswerTimings, end: ResponseEnd, sample: AnswerSample | undefined): void {
    this.#options.onAnswer(timings, end);
    const answers = this.#window.at(this.now());
    answers.count(end.failedSteps);
    if (sample === undefined || !end.isComplete || Number.isNaN(sample.firstPayloadMs)) return;
    answers.add(sample);
    this.#samples[this.#sampleCount % maxSamples] = sample;
    this.#sampleCount += 1;
  }

  /** Adds the shares that subgraphs have in the answers. */
  addTo(shares: SubgraphShares): void {
    for (const answers of this.#window.all) answers.addTo(shares);
  }

  describe(): PlanInsights {
    const merged = new PlanAnswers(this.plan);
    for (const answers of this.#window.all) merged.merge(answers);
    return { ...merged.describe(), whatIf: this.#predict() };
  }

  #predict(): readonly WhatIf[] {
    const samples = this.#samples;
    if (samples.length === 0) return [];
    const currentFirstPayloadMs = median(samples.map(({ firstPayloadMs }) => firstPayloadMs));
    const currentCompletionMs = median(samples.map(({ completeMs }) => completeMs));
    const current = { currentFirstPayloadMs, currentCompletionMs };
    const operation = this.#operation.deref();
    this.#deferCandidates ??= operation === undefined ? undefined : findDeferCandidates(operation);
    const deferred = (this.#deferCandidates ?? []).map(
      ({ subgraph = null, fields, released }): WhatIf => ({
        kind: 'deferred',
        subgraph,
        fields,
        firstPayloadMs: median(samples.map((sample) => predictDeferred(this.plan, sample, released))),
        completionMs: null,
        ...current,
      }),
    );
    const cached = this.plan.steps.map(({ subgraph, path, fields }, index): WhatIf => {
      const predictions = samples.map((sample) => predictCached(this.plan, sample, new Set([index])));
      return {
        kind: 'cached',
        subgraph,
        fields: fields.map((field) => [...path.filter((part) => part !== '@'), field].join('.')),
        firstPayloadMs: median(predictions.map(({ firstPayloadMs }) => firstPayloadMs)),
        completionMs: median(predictions.map(({ completeMs }) => completeMs)),
        ...current,
      };
    });
    return [...mostUseful(deferred), ...mostUseful(cached)];
  }
}

/** The answers of one plan in one window. */
class PlanAnswers {
  readonly #plan: PlanDescription;
  readonly #fetches: readonly FetchTimes[];
  readonly #payloads: readonly PayloadTimesOfGroup[];
  readonly #timings = { planningMs: 0, budgetMs: 0, shapingMs: 0 };
  readonly #shares = new SubgraphShares();
  readonly #subgraphs: ReadonlySet<string>;
  #count = 0;
  /** Answers that were recorded step by step. */
  #recorded = 0;

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

/** Those that save the most time, if they save any. */
function mostUseful(candidates: readonly WhatIf[]): readonly WhatIf[] {
  return candidates
    .map((candidate) => ({ candidate, savedMs: savedBy(candidate) }))
    .filter(({ savedMs }) => savedMs >= minSavedMs)
    .sort((a, b) => b.savedMs - a.savedMs)
    .slice(0, maxPredictionsPerKind)
    .map(({ candidate }) => candidate);
}

function savedBy(prediction: WhatIf): number {
  const first = prediction.currentFirstPayloadMs - prediction.firstPayloadMs;
  const complete =
    prediction.currentCompletionMs - (prediction.completionMs ?? prediction.currentCompletionMs);
  return Math.max(first, complete);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const value =
    sorted.length % 2 === 1
      ? (sorted[middle] as number)
      : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
  return roundMs(value);
}

const fullyRecordedAnswers = 32;
/** Of the answers after the first ones, each so many-th is recorded step by step. */
const sampleInterval = 16;
const maxSamples = 32;
const maxPathsPerPayload = 16;
const maxPredictionsPerKind = 10;
const minSavedMs = 0.5;
