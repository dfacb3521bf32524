import type { ResponseEnd } from '../execution/executionObserver.ts';
import type { AnswerTimings } from './answerTimes.ts';
import type { OperationInsights } from './insightsData.ts';
import { LatencyHistogram, type LatencyHistogramData } from './latencyHistogram.ts';
import {
  describePlanState,
  mergePlanStates,
  type PlanState,
  type PlanStateData,
  readPlanState,
  toPlanStateData,
} from './planState.ts';

/** What is recorded of one operation, in one process or in several. Times are milliseconds since 1970. */
export interface OperationState extends Pick<OperationInsights, 'id' | 'name' | 'kind' | 'text'> {
  readonly since: number;
  readonly lastUsedAt: number;
  readonly answers: OperationAnswers;
  /** The newest first. */
  readonly plans: readonly PlanState[];
}

export function describeOperation({
  answers,
  plans,
  since,
  lastUsedAt,
  ...own
}: OperationState): OperationInsights {
  const { count, errors, aborted, firstPayload, completion } = answers;
  return {
    ...own,
    since: new Date(since).toISOString(),
    lastUsedAt: new Date(lastUsedAt).toISOString(),
    count,
    errors,
    aborted,
    firstPayload: firstPayload.summary(),
    completion: completion.summary(),
    plans: plans.map(describePlanState),
  };
}

/** Adds up what several processes have recorded of the same operation. */
export function mergeOperationStates(states: readonly [OperationState, ...OperationState[]]): OperationState {
  const [first, ...others] = states;
  if (others.length === 0) return first;
  const answers = new OperationAnswers();
  for (const state of states) answers.merge(state.answers);
  return {
    ...first,
    since: Math.min(...states.map(({ since }) => since)),
    lastUsedAt: Math.max(...states.map(({ lastUsedAt }) => lastUsedAt)),
    answers,
    plans: mergePlanStates(states.flatMap(({ plans }) => plans)),
  };
}

/** `OperationState` as JSON. */
export type OperationStateData = Omit<OperationState, 'answers' | 'plans'> & {
  readonly answers: OperationAnswersData;
  readonly plans: readonly PlanStateData[];
};

interface OperationAnswersData {
  readonly count: number;
  readonly errors: number;
  readonly aborted: number;
  readonly firstPayload: LatencyHistogramData;
  readonly completion: LatencyHistogramData;
}

/** For `JSON.stringify`. */
export function toOperationStateData({ plans, ...rest }: OperationState): object {
  return { ...rest, plans: plans.map(toPlanStateData) };
}

export function readOperationState({ answers, plans, ...rest }: OperationStateData): OperationState {
  return { ...rest, answers: OperationAnswers.from(answers), plans: plans.map(readPlanState) };
}

/** The answers of one operation in some time. */
export class OperationAnswers {
  count = 0;
  errors = 0;
  aborted = 0;
  firstPayload = new LatencyHistogram();
  completion = new LatencyHistogram();

  static from({ firstPayload, completion, ...counts }: OperationAnswersData): OperationAnswers {
    return Object.assign(new OperationAnswers(), counts, {
      firstPayload: LatencyHistogram.from(firstPayload),
      completion: LatencyHistogram.from(completion),
    });
  }

  add({ firstPayloadMs, completeMs }: AnswerTimings, { isComplete, hasErrors }: ResponseEnd): void {
    this.count += 1;
    if (hasErrors) this.errors += 1;
    if (!Number.isNaN(firstPayloadMs)) this.firstPayload.observe(firstPayloadMs);
    if (isComplete) this.completion.observe(completeMs);
    else this.aborted += 1;
  }

  merge(other: OperationAnswers): void {
    this.count += other.count;
    this.errors += other.errors;
    this.aborted += other.aborted;
    this.firstPayload.merge(other.firstPayload);
    this.completion.merge(other.completion);
  }
}
