/** A query plan as plain JSON, which can be sent between threads. The names are those of the federation query plan
 *  format. */
export interface QueryPlan {
  readonly kind: 'QueryPlan';
  /** Absent for an operation that needs no subgraph, such as introspection. */
  readonly node?: PlanNode | SubscriptionNode;
}

export type PlanNode = SequenceNode | ParallelNode | FetchNode | FlattenNode | DeferNode;

interface SequenceNode {
  readonly kind: 'Sequence';
  readonly nodes: readonly PlanNode[];
}

interface ParallelNode {
  readonly kind: 'Parallel';
  readonly nodes: readonly PlanNode[];
}

export interface FetchNode {
  readonly kind: 'Fetch';
  readonly serviceName: string;
  /** Unique within the plan. Present only when a deferred block depends on this fetch. */
  readonly id?: string;
  /** The fields of a representation. Present only for an entity fetch. */
  readonly requires?: readonly RequiresSelection[];
  readonly variableUsages: readonly string[];
  /** Text of the subgraph operation. */
  readonly operation: string;
  readonly operationName?: string;
  readonly operationKind: 'query' | 'mutation' | 'subscription';
  readonly inputRewrites?: readonly FetchDataRewrite[];
  readonly outputRewrites?: readonly FetchDataRewrite[];
  readonly contextRewrites?: readonly KeyRenamer[];
  /** The same fetch divided by its `@fromContext` arguments, for objects that lack the value of one of these. */
  readonly parts?: readonly FetchNode[];
}

export type RequiresSelection = RequiresField | RequiresInlineFragment;

/** An object that lacks the field is not sent. */
interface RequiresField {
  readonly kind: 'Field';
  /** The subgraph's name of the field, which is the key in the representation. */
  readonly name: string;
  /** The key in the response tree, if it differs from `name`. */
  readonly alias?: string;
  readonly selections?: readonly RequiresSelection[];
}

export interface RequiresInlineFragment {
  readonly kind: 'InlineFragment';
  readonly typeCondition?: string;
  readonly selections: readonly RequiresSelection[];
}

export type FetchDataRewrite = ValueSetter | KeyRenamer;

interface ValueSetter {
  readonly kind: 'ValueSetter';
  /** Response names and `... on T` conditions. */
  readonly path: readonly string[];
  readonly setValueTo: unknown;
}

export interface KeyRenamer {
  readonly kind: 'KeyRenamer';
  /** Response names, `... on T` conditions and, in context rewrites, `..` for the parent. */
  readonly path: readonly string[];
  readonly renameKeyTo: string;
}

export interface FlattenNode {
  readonly kind: 'Flatten';
  /** Response names, and `@` for every element of a list. A part may end with type conditions, as in `name|[A,B]`. */
  readonly path: readonly (string | number)[];
  readonly node: PlanNode;
}

export interface DeferNode {
  readonly kind: 'Defer';
  readonly primary: { readonly subselection?: string; readonly node?: PlanNode };
  readonly deferred: readonly DeferredNode[];
}

interface DeferredNode {
  readonly depends: readonly { readonly id: string; readonly deferLabel?: string }[];
  readonly label?: string;
  /** Path from the root: response names and `... on T`, without list markers. */
  readonly queryPath: readonly string[];
  readonly subselection?: string;
  readonly node?: PlanNode;
}

export interface SubscriptionNode {
  readonly kind: 'Subscription';
  readonly primary: FetchNode;
  readonly rest?: PlanNode;
}
