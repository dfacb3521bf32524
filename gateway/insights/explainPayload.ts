import type { Explanation } from '../execution/executionObserver.ts';
import { printPlan } from '../planning/printPlan.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import { roundMs } from '../time/roundMs.ts';
import type { ExplainedTrace } from './explainedTracing.ts';

/** The explanation in a payload of a request that began at `startedAt`. `plan`: for the first payload. */
export function explainPayload(
  { fetches }: ExplainedTrace,
  startedAt: number,
  plan: QueryPlan | undefined,
): Explanation {
  return {
    ...(plan === undefined ? {} : { plan: printPlan(plan) }),
    fetches: fetches.map(({ subgraph, entities, group, outcome, error, ...fetch }) => ({
      subgraph,
      entities,
      group,
      startMs: roundMs(fetch.startedAt - startedAt),
      endMs: fetch.endedAt === undefined ? null : roundMs(fetch.endedAt - startedAt),
      ...(outcome === undefined ? {} : { outcome }),
      ...(error === undefined ? {} : { error }),
    })),
  };
}
