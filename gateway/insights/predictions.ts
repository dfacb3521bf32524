import { type AnswerSample, firstPayloadGroups } from './answerTimes.ts';
import type { PlanDescription } from './planDescription.ts';

/** Predicts when the first payload of an answer would have been sent if the first payload did not wait for `released`,
 *  because their fields are deferred. */
export function predictDeferred(
  plan: PlanDescription,
  sample: AnswerSample,
  released: ReadonlySet<number>,
): number {
  const gating = gatingSteps(plan, sample).filter((step) => !released.has(step));
  return predictFirstPayload(plan, sample, gating, endsWithout(plan, sample, released));
}

/** Predicts the times of an answer if the data of these steps came from the cache, in no time. */
export function predictCached(
  plan: PlanDescription,
  sample: AnswerSample,
  cached: ReadonlySet<number>,
): { readonly firstPayloadMs: number; readonly completeMs: number } {
  const ends = endsWithout(plan, sample, cached);
  const firstPayloadMs = predictFirstPayload(plan, sample, gatingSteps(plan, sample), ends);
  const saved = latest(sample.steps.ends, sample.plannedMs) - latest(ends, sample.plannedMs);
  return { firstPayloadMs, completeMs: Math.max(firstPayloadMs, sample.completeMs - saved) };
}

function predictFirstPayload(
  plan: PlanDescription,
  sample: AnswerSample,
  gating: readonly number[],
  ends: readonly number[],
): number {
  const { plannedMs, readyMs, firstPayloadMs, pendingGroups } = sample;
  const fetched = latest(
    gating.map((step) => ends[step] as number),
    plannedMs,
  );
  const fetchedBefore = latest(
    gatingSteps(plan, sample).map((step) => sample.steps.ends[step] as number),
    plannedMs,
  );
  // With pending fields the payload waited for their budget, unless its data was later than that.
  const isBudgetBound = pendingGroups.size > 0 && readyMs > fetchedBefore;
  const ready = isBudgetBound ? Math.max(fetched, readyMs) : fetched;
  return ready + (firstPayloadMs - Math.max(readyMs, fetchedBefore));
}

/** When each step would have ended if `skipped` had taken no time. A step waits for as long as it did after those that it
 *  depends on, so that a step without an effect on others changes nothing. */
function endsWithout(
  { steps }: PlanDescription,
  { steps: { starts, ends }, plannedMs }: AnswerSample,
  skipped: ReadonlySet<number>,
): number[] {
  const predicted: number[] = [];
  // A step stands after those that it depends on.
  for (const [index, { dependsOn }] of steps.entries()) {
    const readyAt = (times: ArrayLike<number>): number =>
      latest(
        dependsOn.map((step) => times[step] as number),
        plannedMs,
      );
    const start = readyAt(predicted) + (starts[index] as number) - readyAt(ends);
    const duration = (ends[index] as number) - (starts[index] as number);
    predicted.push(skipped.has(index) ? start : start + duration);
  }
  return predicted;
}

function gatingSteps(plan: PlanDescription, { pendingGroups }: AnswerSample): number[] {
  const groups = firstPayloadGroups(plan, pendingGroups);
  return [...new Set(groups.flatMap((group) => plan.groups[group]?.steps ?? []))];
}

/** Steps that have not ended do not count. */
function latest(times: ArrayLike<number>, earliest: number): number {
  let last = earliest;
  for (let index = 0; index < times.length; index++) {
    const time = times[index] as number;
    if (time > last) last = time;
  }
  return last;
}
