// Messages between the gateway's main thread and a planner thread.

import type { ApolloPlannerOptions } from './apolloPlanner.ts';
import type { PlanRequest, SupergraphSummary } from './planner.ts';

/** `workerData` of the planner thread. */
export type PlannerThreadData = ApolloPlannerOptions;

/** A request to the planner thread. The next one is sent after the response to this one arrived. */
export type PlannerThreadRequest = PlanRequest;

export type PlannerThreadMessage =
  | ({ readonly kind: 'ready' } & SupergraphSummary)
  /** The supergraph could not be loaded. The thread then exits. */
  | { readonly kind: 'refused'; readonly message: string }
  /** `plan` is JSON text: parsing it takes the receiver half as long as a structured clone. */
  | { readonly kind: 'planned'; readonly plan: string }
  /** The planner threw. `exceeded` describes the limit if the planner rejected the operation for its size. */
  | { readonly kind: 'failed'; readonly message: string; readonly exceeded: string | undefined };
