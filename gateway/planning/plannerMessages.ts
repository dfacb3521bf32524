// What the gateway's thread and the planner's thread say to each other.

import type { ApolloPlannerOptions } from './apolloPlanner.ts';
import type { OverrideLabels } from './overrideLabels.ts';
import type { PlanRequest } from './planner.ts';

/** `workerData` of the planner's thread. */
export type PlannerThreadData = ApolloPlannerOptions;

/** To the planner. One request at a time: the next one is sent when the answer is there. */
export type PlannerThreadRequest = PlanRequest;

export type PlannerThreadMessage =
  | {
      readonly kind: 'ready';
      readonly apiSchemaSdl: string;
      readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
      readonly overrides: OverrideLabels;
    }
  /** The supergraph cannot be loaded; the thread ends. */
  | { readonly kind: 'refused'; readonly message: string }
  /** `plan` is JSON text: reading it costs the receiver half of what a structured clone does. */
  | { readonly kind: 'planned'; readonly plan: string }
  /** The planner threw; `exceeded` says what was too much where it did so at a limit of its own. */
  | { readonly kind: 'failed'; readonly message: string; readonly exceeded: string | undefined };
