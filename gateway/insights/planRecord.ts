import type { ResponseEnd } from '../execution/executionObserver.ts';
import type { AnswerRecorder, AnswerSample, AnswerTimings } from './answerTimes.ts';
import { PlanAnswers } from './planAnswers.ts';
import {
  type DeferCandidate,
  type DescribedOperation,
  findDeferCandidates,
  type PlanDescription,
} from './planDescription.ts';
import type { PlanState } from './planState.ts';
import { RecentWindow } from './recentWindow.ts';
import type { SubgraphShares } from './subgraphShares.ts';

/** Refers to a record until that is evicted. For maps by what may live much longer. */
export interface RecordReference<Record> {
  record: Record | undefined;
}

interface PlanRecordOptions {
  readonly plan: PlanDescription;
  readonly windowMs: number;
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** `at`: on the clock of `now`. */
  onAnswer(timings: AnswerTimings, end: ResponseEnd, at: number): void;
}

/** What one plan's answers have in common, of its newest five to ten minutes. */
export class PlanRecord implements AnswerRecorder {
  readonly plan: PlanDescription;
  readonly now: () => number;
  readonly reference: RecordReference<PlanRecord> = { record: this };
  /** On the clock of `now`. */
  lastUsedAt: number;
  readonly #options: PlanRecordOptions;
  readonly #operation: WeakRef<DescribedOperation>;
  readonly #window: RecentWindow<PlanAnswers>;
  /** The newest samples, for predictions, in no order. */
  readonly #samples: AnswerSample[] = [];
  #sampleCount = 0;
  #uses = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #deferCandidates: readonly DeferCandidate[] | undefined;

  /** `operation`: one with this plan. The record does not keep it alive, because its supergraph may be replaced. */
  constructor(operation: DescribedOperation, options: PlanRecordOptions) {
    this.plan = options.plan;
    this.now = options.now;
    this.#options = options;
    this.#operation = new WeakRef(operation);
    this.lastUsedAt = options.now();
    this.#window = new RecentWindow(options.windowMs, this.lastUsedAt, () => new PlanAnswers(options.plan));
  }

  /** The record makes room for another one. */
  evict(): void {
    this.reference.record = undefined;
  }

  /** Whether an answer that begins `at` this time is recorded step by step: each of the first ones, so that rare operations
   *  are known, and a sample of the others. */
  takeTurn(at: number): boolean {
    this.#uses += 1;
    if (this.#uses <= fullyRecordedAnswers) return true;
    if (this.#uses % sampleInterval !== 0 || at - this.#sampledAt < minSampleGapMs) return false;
    this.#sampledAt = at;
    return true;
  }

  onEnd(timings: AnswerTimings, end: ResponseEnd, sample: AnswerSample | undefined, endedAt: number): void {
    this.lastUsedAt = endedAt;
    this.#options.onAnswer(timings, end, endedAt);
    const answers = this.#window.at(endedAt);
    answers.count(end.failedSteps);
    if (sample === undefined || !end.isComplete || Number.isNaN(sample.firstPayloadMs)) return;
    answers.add(sample);
    this.#samples[this.#sampleCount % maxSamples] = sample;
    this.#sampleCount += 1;
  }

  /** Adds the shares that subgraphs have in recent answers. An operation that is no longer sent says nothing about the
   *  subgraphs of today. */
  addTo(shares: SubgraphShares): void {
    for (const answers of this.#window.recentAt(this.now())) answers.addTo(shares);
  }

  /** `samples`: how many of the newest samples it has at most. */
  state(samples = maxSamples): PlanState {
    const answers = new PlanAnswers(this.plan);
    for (const recent of this.#window.all) answers.merge(recent);
    const operation = this.#operation.deref();
    if (this.#samples.length > 0 && operation !== undefined)
      this.#deferCandidates ??= findDeferCandidates(operation);
    return {
      plan: this.plan,
      answers,
      samples: Array.from(
        { length: Math.min(samples, this.#samples.length) },
        (_, age) => this.#samples[(this.#sampleCount - 1 - age) % maxSamples] as AnswerSample,
      ),
      deferCandidates: this.#deferCandidates ?? [],
    };
  }
}

const fullyRecordedAnswers = 32;
/** Of the answers after the first ones, each so many-th is recorded step by step. */
const sampleInterval = 16;
/** More samples of an operation say nothing new, and each takes as long as ten other answers. */
const minSampleGapMs = 20;
export const maxSamples = 32;
