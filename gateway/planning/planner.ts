import type { OverrideLabels } from './overrideLabels.ts';
import type { QueryPlan } from './queryPlan.ts';
import type { SupergraphNames } from './supergraphNames.ts';

/** What the planner has read of its supergraph. */
export interface SupergraphSummary {
  /** SDL of the API schema, including the definition of `@defer`. */
  readonly apiSchemaSdl: string;
  /** A URL may be empty. */
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  readonly overrides: OverrideLabels;
  readonly names: SupergraphNames;
}

export interface PlanRequest {
  /** A normalized, valid executable document with one operation: no fragment definitions, no conditions, no
   *  alias that equals the name of another field, and an explicit operation type. */
  readonly document: string;
  /** Whether `@defer` splits the plan. With false, the document contains no `@defer`. Each `@defer` has a unique number
   *  as its label. Splitting ends at the shorter `splitTimeout`, with `OPERATION_TOO_COMPLEX`, and the planner thread stays
   *  usable: the caller has a fallback. */
  readonly shouldSplitDefer: boolean;
  /** Active labels of progressive `@override`s, sorted. All other labels are inactive. */
  readonly overrides?: readonly string[];
}

/** Plans operations for one supergraph. The gateway depends on query planners only through this interface, which
 *  `test/harness/plannerContract.ts` tests. */
export interface Planner {
  /** Returns a plan of plain JSON. Plans are shared, so that callers must not change them. Equal requests give equal
   *  plans. Any number of requests may be in flight, and planning does not block the caller's thread. Each subgraph
   *  operation is valid for its subgraph, declares `variableUsages` (and `representations`) as its variables, and uses
   *  the response names of the document.
   *
   *  A planner that cannot split a `@defer` must reject and must not ignore the directive: the gateway then plans the
   *  document without `@defer` and splits the plan itself.
   *  @throws {GatewayError} `PLANNING_FAILED` (the planner threw; its error is the cause), `OPERATION_TOO_COMPLEX` (a
   *  planning limit was exceeded, named in `extensions.limit`) or `OVERLOADED`, and nothing else. */
  plan(request: PlanRequest): Promise<QueryPlan>;
  /** Releases threads and memory. Running and later requests are rejected with `PLANNING_FAILED`. Idempotent. */
  close(): Promise<void>;
}
