import type {
  CriticalFetch,
  ExecutionObserver,
  Explanation,
  PayloadTimes,
  ResponseEnd,
  ResponseTimings,
} from '../execution/executionObserver.ts';
import type { FetchStep } from '../execution/program.ts';
import { roundMs } from '../time/roundMs.ts';
import type { PlanDescription } from './planDescription.ts';
import { findCriticalPath, type StepTimes } from './stepTimes.ts';

/** The times of one answer, in milliseconds from the start of the request. */
export interface AnswerTimings {
  /** When the first fetches started. */
  readonly plannedMs: number;
  /** When the first payload had its data, or its budget was over. */
  readonly readyMs: number;
  readonly firstPayloadMs: number;
  readonly completeMs: number;
}

/** The steps of one answer, for those that are recorded in detail. */
export interface AnswerSample extends AnswerTimings {
  readonly steps: StepTimes;
  /** Delivery groups that the first payload was sent without. */
  readonly pendingGroups: ReadonlySet<number>;
}

/** Takes the times of the answers of one plan. */
export interface AnswerRecorder {
  readonly plan: PlanDescription;
  /** Milliseconds. */
  now(): number;
  /** Called once for each answer. `sample`: for an answer that is recorded in detail. `endedAt`: on the clock of `now`. */
  onEnd(timings: AnswerTimings, end: ResponseEnd, sample: AnswerSample | undefined, endedAt: number): void;
}

const noGroups: ReadonlySet<number> = new Set();

/** Records the times of one answer, from the start of its request to its last payload. */
export class AnswerTimes implements ExecutionObserver {
  readonly #recorder: AnswerRecorder;
  readonly #startedAt: number;
  readonly #plannedMs: number;
  readonly #explain: ((isFirst: boolean) => Explanation) | undefined;
  #starts: number[] | undefined;
  #ends: number[] | undefined;
  #pendingGroups = noGroups;
  #readyMs = Number.NaN;
  #firstPayloadMs = Number.NaN;

  /** `startedAt`: when the request began, on the clock of `recorder.now`. `isDetailed`: whether the times of the steps are
   *  recorded. `explain`: for a client that gets an explanation with its payloads. */
  constructor(
    recorder: AnswerRecorder,
    startedAt: number,
    isDetailed: boolean,
    explain?: (isFirst: boolean) => Explanation,
  ) {
    this.#recorder = recorder;
    this.#startedAt = startedAt;
    this.#explain = explain;
    this.#plannedMs = this.#elapsedMs();
    if (!isDetailed) return;
    const { length } = recorder.plan.steps;
    // Not typed arrays, of which each takes 200 bytes: thousands of answers are stored, most of a few steps.
    this.#starts = new Array(length).fill(Number.NaN);
    this.#ends = new Array(length).fill(Number.NaN);
  }

  onStepStart({ index }: FetchStep): void {
    if (this.#starts !== undefined) this.#starts[index] = this.#elapsedMs();
  }

  onStepEnd({ index }: FetchStep): void {
    if (this.#ends !== undefined) this.#ends[index] = this.#elapsedMs();
  }

  onResponseReady(pendingGroups: ReadonlySet<number>): void {
    this.#readyMs = this.#elapsedMs();
    this.#pendingGroups = pendingGroups;
  }

  onFirstPayload(): void {
    this.#firstPayloadMs = this.#elapsedMs();
  }

  onResponseEnd(end: ResponseEnd): void {
    const endedAt = this.#recorder.now();
    const completeMs = endedAt - this.#startedAt;
    if (end.isComplete && Number.isNaN(this.#firstPayloadMs)) this.#firstPayloadMs = completeMs;
    const timings = {
      plannedMs: this.#plannedMs,
      readyMs: this.#readyMs,
      firstPayloadMs: this.#firstPayloadMs,
      completeMs,
    };
    const steps = this.#steps;
    const pendingGroups = this.#pendingGroups;
    // A job may continue the execution.
    this.#starts = undefined;
    this.#ends = undefined;
    this.#recorder.onEnd(timings, end, steps && { ...timings, steps, pendingGroups }, endedAt);
  }

  timesOf(groups?: ReadonlySet<number>): PayloadTimes | undefined {
    const steps = this.#steps;
    if (steps === undefined) return undefined;
    const { plan } = this.#recorder;
    const gating = groups ?? firstPayloadGroups(plan, this.#pendingGroups);
    const chain = findCriticalPath(plan, steps, gating);
    const criticalPath = toCriticalPath(plan, steps, chain, this.#plannedMs);
    const explanation = this.#explain && { explain: this.#explain(groups === undefined) };
    if (groups !== undefined) return { criticalPath, ...explanation };
    const timings = timingsOf({
      plannedMs: this.#plannedMs,
      fetchedMs: endOf(chain, steps, this.#plannedMs),
      readyMs: this.#pendingGroups.size > 0 ? this.#readyMs : undefined,
      firstPayloadMs: this.#elapsedMs(),
    });
    return { criticalPath, timings, ...explanation };
  }

  get #steps(): StepTimes | undefined {
    const starts = this.#starts;
    const ends = this.#ends;
    return starts === undefined || ends === undefined ? undefined : { starts, ends };
  }

  #elapsedMs(): number {
    return this.#recorder.now() - this.#startedAt;
  }
}

/** The delivery groups that a first payload has the data of. */
export function firstPayloadGroups(
  { enrichmentGroups }: PlanDescription,
  pendingGroups: ReadonlySet<number>,
): number[] {
  return [0, ...enrichmentGroups.filter((group) => !pendingGroups.has(group))];
}

/** When the last fetch of a critical path ended. */
export function endOf(chain: readonly number[], { ends }: StepTimes, plannedMs: number): number {
  const last = chain.at(-1);
  return last === undefined ? plannedMs : (ends[last] as number);
}

interface FirstPayloadMoments extends Pick<AnswerTimings, 'plannedMs' | 'firstPayloadMs'> {
  /** When the last fetch ended that the payload has data of. */
  readonly fetchedMs: number;
  /** When a payload with pending fields was ready; `undefined` for one without. */
  readonly readyMs: number | undefined;
}

/** What the first payload waited for besides its fetches. */
export function timingsOf({
  plannedMs,
  fetchedMs,
  readyMs,
  firstPayloadMs,
}: FirstPayloadMoments): ResponseTimings {
  const ready = Math.max(readyMs ?? fetchedMs, fetchedMs);
  return {
    planningMs: roundMs(plannedMs),
    budgetMs: roundMs(ready - fetchedMs),
    shapingMs: roundMs(Math.max(0, firstPayloadMs - ready)),
  };
}

/** Steps for which nothing had to be fetched are omitted. */
function toCriticalPath(
  { steps }: PlanDescription,
  { ends }: StepTimes,
  chain: readonly number[],
  plannedMs: number,
): CriticalFetch[] {
  let before = plannedMs;
  return chain.flatMap((index) => {
    const { subgraph, path } = steps[index] as PlanDescription['steps'][number];
    const end = ends[index] as number;
    const ms = roundMs(end - before);
    before = end;
    return ms > 0 ? [{ subgraph, path, ms }] : [];
  });
}
