import type { QueryPlan } from './queryPlan.ts';

export interface PlanRequest {
  /** A normalised, valid executable document with one operation: no fragment definitions, nothing that could be
   *  folded, no alias that equals the name of another field, the type of the operation written out. */
  readonly document: string;
  /** Whether `@defer` in the document shall split the plan. With false, the document has none. Each `@defer` has a
   *  label, which is a number of its own. */
  readonly shouldSplitDefer: boolean;
  /** Labels of progressive `@override`s that are on, sorted; every other one is off. */
  readonly overrides?: readonly string[];
  /** Whether the asker can do without this plan: it is given up early, with `OPERATION_TOO_COMPLEX`, and without harm
   *  to others. */
  readonly isOptional?: boolean;
}

/** Plans operations for one supergraph. The only thing that the gateway knows of a query planner; what is said here
 *  is tried by `test/unit/planning/describePlannerContract.ts`. */
export interface Planner {
  /** A plan that is plain JSON and shared: nobody writes into it. Equal requests give equal plans. Any number may be
   *  under way, and the caller's thread goes on meanwhile. Subgraph operations are valid for their subgraph, with
   *  `variableUsages` as their variables (`representations` aside), in the response names of the document.
   *  Where a `@defer` cannot be split, that is `PLANNING_FAILED`: the gateway asks again without it and divides the
   *  plan by itself. It must not be passed over in silence.
   *  Errors, nothing else: `GatewayError` with `PLANNING_FAILED` (the planner threw: its words are the cause),
   *  `OPERATION_TOO_COMPLEX` (a limit of planning was reached: `extensions.limit`), `OVERLOADED`. */
  plan(request: PlanRequest): Promise<QueryPlan>;
  /** False for a planner that is never to be asked with `defer`: the executor divides every plan by itself. */
  readonly supportsDefer?: boolean;
  /** Gives back threads and memory; plans under way, and whatever is asked later, are rejected with
   *  `PLANNING_FAILED`. Idempotent. */
  close(): Promise<void>;
}
