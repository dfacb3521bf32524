import type { QueryPlan } from './queryPlan.ts';

export interface PlanRequest {
  /** A normalised, valid executable document with one operation. */
  readonly document: string;
  /** Whether `@defer` in the document shall split the plan. With false, the document has none. */
  readonly defer: boolean;
  /** Labels of progressive `@override`s that are on, sorted; every other one is off. */
  readonly overrides?: readonly string[];
}

/** Plans operations for one supergraph. The only thing that the gateway knows of a query planner. */
export interface Planner {
  /** Errors: `GatewayError` with `PLANNING_FAILED` (the planner threw: its words are the cause) or
   *  `OPERATION_TOO_COMPLEX` (the time or memory limit was over). */
  plan(request: PlanRequest): Promise<QueryPlan>;
  /** False for a planner that is never to be asked with `defer`: the executor divides every plan by itself. */
  readonly supportsDefer?: boolean;
  /** Ends the planner's thread; plans under way are rejected with `PLANNING_FAILED`. */
  close(): Promise<void>;
}
