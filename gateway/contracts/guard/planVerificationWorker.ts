// Entry of a worker thread that verifies plans against the running subgraphs while a new supergraph is checked.
// Building a schema from a subgraph's SDL would block requests for too long.

import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import { type LiveGraph, type LivePlanProblem, PlanVerifier } from './planVerifier.ts';

export type SupergraphRole = 'next' | 'current';

export type PlanVerificationTask = Readonly<Record<SupergraphRole, LiveGraph>>;

export interface PlanVerificationRequest {
  readonly id: number;
  readonly role: SupergraphRole;
  readonly plans: readonly QueryPlan[];
}

export type PlanVerificationReply =
  | {
      readonly id: number;
      /** One list per plan. */
      readonly problems: readonly (readonly LivePlanProblem[])[];
      /** Subgraphs found unusable so far, with the reason. */
      readonly unusable: ReadonlyMap<string, string>;
    }
  | { readonly id: number; readonly fault: string };

const task = workerData as PlanVerificationTask;
const verifiers: Readonly<Record<SupergraphRole, PlanVerifier>> = {
  next: new PlanVerifier(task.next),
  current: new PlanVerifier(task.current),
};

function handleRequest({ id, role, plans }: PlanVerificationRequest): PlanVerificationReply {
  const verifier = verifiers[role];
  try {
    return { id, problems: plans.map((plan) => verifier.verify(plan)), unusable: verifier.unusable };
  } catch (error) {
    return { id, fault: messageOf(error) };
  }
}

parentPort?.on('message', (request: PlanVerificationRequest) =>
  parentPort?.postMessage(handleRequest(request)),
);
