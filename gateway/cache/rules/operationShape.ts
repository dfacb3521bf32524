import type { OperationDefinitionNode } from 'graphql';

/** What the rules read of a fetch shape. */
export interface OperationShape {
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly isEntityFetch: boolean;
  /** With its fragments inlined. */
  readonly document: OperationDefinitionNode;
}
