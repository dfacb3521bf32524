/** A query plan, as the planner writes it: plain JSON, safe to send between threads. The names are
 *  those of the federation query plan format. */
export interface QueryPlan {
  readonly kind: 'QueryPlan';
  /** Absent for an operation that needs no subgraph (introspection, `__typename`). */
  readonly node?: PlanNode | SubscriptionNode;
}

export type PlanNode = SequenceNode | ParallelNode | FetchNode | FlattenNode | ConditionNode | DeferNode;

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
  /** Unique in the whole plan; set only where a deferred block depends on this fetch. */
  readonly id?: string;
  /** Present for an entity fetch: what a representation consists of. */
  readonly requires?: readonly RequiresSelection[];
  readonly variableUsages: readonly string[];
  /** The subgraph operation's text. */
  readonly operation: string;
  readonly operationName?: string;
  readonly operationKind: 'query' | 'mutation' | 'subscription';
  readonly inputRewrites?: readonly FetchDataRewrite[];
  readonly outputRewrites?: readonly FetchDataRewrite[];
  readonly contextRewrites?: readonly KeyRenamer[];
}

export type RequiresSelection = RequiresField | RequiresInlineFragment;

interface RequiresField {
  readonly kind: 'Field';
  /** As the subgraph knows it: the key in the representation. */
  readonly name: string;
  /** The key in the response tree, where it is another one. */
  readonly alias?: string;
  /** Left out of the representation of an object that does not have it; all others have to be there. */
  readonly isOptional?: boolean;
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
  /** Response names and `@` for every element of a list; a part may carry type conditions as `name|[A,B]`. */
  readonly path: readonly (string | number)[];
  readonly node: PlanNode;
}

export interface ConditionNode {
  readonly kind: 'Condition';
  /** Name of a Boolean variable, without `$`. */
  readonly condition: string;
  readonly ifClause?: PlanNode;
  readonly elseClause?: PlanNode;
}

export interface DeferNode {
  readonly kind: 'Defer';
  readonly primary: { readonly subselection?: string; readonly node?: PlanNode };
  readonly deferred: readonly DeferredNode[];
}

interface DeferredNode {
  readonly depends: readonly { readonly id: string; readonly deferLabel?: string }[];
  readonly label?: string;
  /** Absolute; response names and `... on T`, without list markers. */
  readonly queryPath: readonly string[];
  readonly subselection?: string;
  readonly node?: PlanNode;
}

export interface SubscriptionNode {
  readonly kind: 'Subscription';
  readonly primary: FetchNode;
  readonly rest?: PlanNode;
}
