import type { AnswerSample } from './answerTimes.ts';
import type { PlanInsights } from './insightsData.ts';
import { PlanAnswers, type PlanAnswersData } from './planAnswers.ts';
import { type DeferCandidate, type PlanDescription, signatureOf } from './planDescription.ts';
import { predictChanges } from './predictChanges.ts';

/** What is recorded of one plan, in one process or in several. */
export interface PlanState {
  readonly plan: PlanDescription;
  readonly answers: PlanAnswers;
  /** For predictions, the newest of each process first. */
  readonly samples: readonly AnswerSample[];
  readonly deferCandidates: readonly DeferCandidate[];
}

export function describePlanState({ plan, answers, samples, deferCandidates }: PlanState): PlanInsights {
  return { ...answers.describe(), whatIf: predictChanges(plan, samples, deferCandidates) };
}

/** Adds up equal plans. The order is that of their first state. */
export function mergePlanStates(states: readonly PlanState[]): readonly PlanState[] {
  const bySignature = Map.groupBy(states, ({ plan }) => signatureOf(plan));
  return Array.from(bySignature.values(), (equal) => {
    const [first] = equal as [PlanState];
    if (equal.length === 1) return first;
    const answers = new PlanAnswers(first.plan);
    for (const state of equal) answers.merge(state.answers);
    return {
      plan: first.plan,
      answers,
      samples: equal.flatMap(({ samples }) => samples),
      // A process whose supergraph was replaced has none.
      deferCandidates: equal.find(({ deferCandidates }) => deferCandidates.length > 0)?.deferCandidates ?? [],
    };
  });
}

/** `PlanState` as JSON. */
export interface PlanStateData {
  readonly plan: PlanDescription;
  readonly answers: PlanAnswersData;
  readonly samples: readonly SampleData[];
  readonly deferCandidates: readonly DeferCandidateData[];
}

type DeferCandidateData = Omit<DeferCandidate, 'released'> & { readonly released: readonly number[] };

/** `null` for `NaN`, which JSON does not have. */
type Time = number | null;

interface SampleData {
  /** `plannedMs`, `readyMs`, `firstPayloadMs` and `completeMs`. */
  readonly timings: readonly Time[];
  readonly starts: readonly Time[];
  readonly ends: readonly Time[];
  readonly pendingGroups: readonly number[];
}

export function toPlanStateData({ plan, answers, samples, deferCandidates }: PlanState): PlanStateData {
  return {
    plan,
    answers: answers.toJSON(),
    samples: samples.map(({ plannedMs, readyMs, firstPayloadMs, completeMs, steps, pendingGroups }) => ({
      timings: toTimes([plannedMs, readyMs, firstPayloadMs, completeMs]),
      starts: toTimes(steps.starts),
      ends: toTimes(steps.ends),
      pendingGroups: [...pendingGroups],
    })),
    deferCandidates: deferCandidates.map((candidate) => ({
      ...candidate,
      released: [...candidate.released],
    })),
  };
}

export function readPlanState({ plan, answers, samples, deferCandidates }: PlanStateData): PlanState {
  return {
    plan,
    answers: PlanAnswers.from(plan, answers),
    samples: samples.map(({ timings, starts, ends, pendingGroups }) => {
      const [plannedMs, readyMs, firstPayloadMs, completeMs] = readTimes(timings) as [
        number,
        number,
        number,
        number,
      ];
      const steps = { starts: readTimes(starts), ends: readTimes(ends) };
      return {
        plannedMs,
        readyMs,
        firstPayloadMs,
        completeMs,
        steps,
        pendingGroups: new Set(pendingGroups),
      };
    }),
    deferCandidates: deferCandidates.map((candidate) => ({
      ...candidate,
      released: new Set(candidate.released),
    })),
  };
}

/** To a hundredth of a millisecond, which shortens the text. */
function toTimes(times: ArrayLike<number>): Time[] {
  return Array.from(times, (time) => (Number.isNaN(time) ? null : Math.round(time * 100) / 100));
}

function readTimes(times: readonly Time[]): number[] {
  return times.map((time) => time ?? Number.NaN);
}
