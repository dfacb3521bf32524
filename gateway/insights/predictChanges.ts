import { roundMs } from '../time/roundMs.ts';
import type { AnswerSample } from './answerTimes.ts';
import type { WhatIf } from './insightsData.ts';
import type { DeferCandidate, PlanDescription } from './planDescription.ts';
import { predictCached, predictDeferred } from './predictions.ts';

/** Predicts from recorded answers of a plan what deferring these fields, or caching the data of a fetch, would change: the
 *  most useful changes first. */
export function predictChanges(
  plan: PlanDescription,
  samples: readonly AnswerSample[],
  deferCandidates: readonly DeferCandidate[],
): readonly WhatIf[] {
  if (samples.length === 0) return [];
  const current = {
    currentFirstPayloadMs: median(samples.map(({ firstPayloadMs }) => firstPayloadMs)),
    currentCompletionMs: median(samples.map(({ completeMs }) => completeMs)),
  };
  const deferred = deferCandidates.map(
    ({ subgraph = null, fields, released }): WhatIf => ({
      kind: 'deferred',
      subgraph,
      fields,
      firstPayloadMs: median(samples.map((sample) => predictDeferred(plan, sample, released))),
      completionMs: null,
      ...current,
    }),
  );
  const cached = plan.steps.flatMap(({ subgraph, path, fields, isCacheable }, index): WhatIf[] => {
    if (!isCacheable) return [];
    const predictions = samples.map((sample) => predictCached(plan, sample, new Set([index])));
    return [
      {
        kind: 'cached',
        subgraph,
        fields: fields.map((field) => [...path.filter((part) => part !== '@'), field].join('.')),
        firstPayloadMs: median(predictions.map(({ firstPayloadMs }) => firstPayloadMs)),
        completionMs: median(predictions.map(({ completeMs }) => completeMs)),
        ...current,
      },
    ];
  });
  return [...mostUseful(deferred), ...mostUseful(cached)];
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

const maxPredictionsPerKind = 10;
const minSavedMs = 0.5;
