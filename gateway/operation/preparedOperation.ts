import type { DocumentNode, GraphQLObjectType } from 'graphql';
import type { Program } from '../execution/program.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { EnrichmentRule } from './enrichmentRule.ts';
import type { DeferUsage } from './normalizeOperation.ts';
import type { SelectionSet } from './selection.ts';

/** An operation for one supergraph and one set of folded conditions, ready to be executed any number of times. */
export interface PreparedOperation {
  readonly supergraph: Supergraph;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly rootType: GraphQLObjectType;
  readonly root: SelectionSet;
  /** Uses of `@defer` that the client takes. */
  readonly deferred: readonly DeferUsage[];
  /** What may come late though nobody deferred it. */
  readonly enrichments: readonly EnrichmentUsage[];
  /** The enrichments' fetches are those that there would be if they were none. */
  readonly isFused: boolean;
  readonly program: Program;
  /** Labels of the progressive `@override`s that are on for it, of those that its plan depends on. */
  readonly overrides: readonly string[];
  /** Holds just the operation's introspection fields; `undefined` where there are none. */
  readonly introspection: DocumentNode | undefined;
}

/** A field that may come late. */
interface EnrichmentUsage {
  /** Its delivery group. */
  readonly group: number;
  readonly rule: EnrichmentRule;
}
