import type { GraphQLSchema } from 'graphql';
import type { SubgraphMetadata } from './supergraphMetadata.ts';

/** Why a fetch does not get from a subgraph what it was planned for. */
export interface FetchProblem {
  readonly kind: /** There is no such subgraph. */
    | 'no subgraph'
    /** The subgraph refuses the document. */
    | 'invalid'
    /** A representation has no key that the subgraph resolves: the entity comes back as an error or null. */
    | 'no key'
    /** A field is computed without all of its inputs: silently wrong. */
    | 'missing input'
    /** The subgraph has a field in name only. */
    | 'not served'
    /** Values are not what the gateway takes them for. */
    | 'other type'
    | 'may be null'
    | 'unknown value'
    /** What clients may give in variables is not what the subgraph takes. */
    | 'input';
  /** False where it hangs on the data or on variables. */
  readonly isCertain: boolean;
  readonly message: string;
  /** In the subgraph's schema. */
  readonly coordinates: readonly string[];
}

/** A subgraph as it runs. */
export interface FetchTarget {
  readonly name: string;
  readonly schema: GraphQLSchema;
  readonly metadata: SubgraphMetadata;
}
