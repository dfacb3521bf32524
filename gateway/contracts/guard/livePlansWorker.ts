// Entry of a thread that tries plans on subgraphs as they run, for as long as a new supergraph is looked at. Making a
// schema of a subgraph's SDL may take longer than requests should wait.

import { parentPort, workerData } from 'node:worker_threads';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import { messageOf } from '../../supergraph/messageOf.ts';
import { type LiveProblem, PlanTrial, type TrialGraph } from './planTrial.ts';

export type TrialSide = 'next' | 'current';

export type LivePlansTask = Readonly<Record<TrialSide, TrialGraph>>;

export interface TrialQuestion {
  readonly id: number;
  readonly side: TrialSide;
  readonly plans: readonly QueryPlan[];
}

export type TrialAnswer =
  | {
      readonly id: number;
      /** For each plan. */
      readonly problems: readonly (readonly LiveProblem[])[];
      /** So far. */
      readonly unusable: ReadonlyMap<string, string>;
    }
  | { readonly id: number; readonly fault: string };

const task = workerData as LivePlansTask;
const trials: Readonly<Record<TrialSide, PlanTrial>> = {
  next: new PlanTrial(task.next),
  current: new PlanTrial(task.current),
};

function answer({ id, side, plans }: TrialQuestion): TrialAnswer {
  const trial = trials[side];
  try {
    return { id, problems: plans.map((plan) => trial.try(plan)), unusable: trial.unusable };
  } catch (error) {
    return { id, fault: messageOf(error) };
  }
}

parentPort?.on('message', (question: TrialQuestion) => parentPort?.postMessage(answer(question)));
