import type { DocumentNode, GraphQLObjectType } from 'graphql';
import type { Program } from '../execution/program.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { Access } from './authorization/access.ts';
import type { EnrichmentRule } from './enrichmentRule.ts';
import type { DeferUsage } from './normalizeOperation.ts';
import type { SelectionSet } from './selection.ts';

/** An operation for one supergraph and one combination of folded conditions. It can be executed any number of times. */
export interface PreparedOperation {
  readonly supergraph: Supergraph;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly rootType: GraphQLObjectType;
  readonly root: SelectionSet;
  /** Uses of `@defer`. Empty for a client that accepts no incremental delivery. */
  readonly deferred: readonly DeferUsage[];
  readonly enrichments: readonly EnrichmentUsage[];
  /** Whether enrichments are fetched with the primary data, in the requests of a plan without `@defer`. */
  readonly isFused: boolean;
  /** Whether enrichments may share requests with the primary data because the planner could not split them off, or would
   *  have taken too long. */
  readonly isSplitRefused: boolean;
  readonly program: Program;
  /** What `program` was compiled from; omitted when the operation needs no subgraph. */
  readonly plan?: QueryPlan | undefined;
  /** Active labels of progressive `@override`s, among those that the plan depends on. */
  readonly overrides: readonly string[];
  /** What the client may read; `undefined` if the operation touches nothing that is protected. */
  readonly access?: Access | undefined;
  /** A document with only the introspection fields of the operation; `undefined` if there are none. */
  readonly introspection: DocumentNode | undefined;
}

/** One field of the operation that is an enrichment. */
interface EnrichmentUsage {
  /** Delivery group of the field. */
  readonly group: number;
  readonly rule: EnrichmentRule;
}
