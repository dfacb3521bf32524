import type { DocumentNode, GraphQLObjectType } from 'graphql';
import type { Program } from '../execution/program.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { DeferredPlace } from './normalize.ts';
import type { SelectionSet } from './selection.ts';

/** An operation for one supergraph and one set of folded conditions, ready to be executed any number of times. */
export interface PreparedOperation {
  readonly supergraph: Supergraph;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly rootType: GraphQLObjectType;
  readonly root: SelectionSet;
  readonly deferred: readonly DeferredPlace[];
  readonly program: Program;
  /** Holds just the operation's introspection fields; `undefined` where there are none. */
  readonly introspection: DocumentNode | undefined;
}
