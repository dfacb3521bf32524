import type { GraphQLSchema } from 'graphql';
import type { SubgraphMetadata } from './supergraphMetadata.ts';

/** Why a fetch does not get from a subgraph what it was planned for. */
export interface FetchProblem {
  readonly kind: /** There is no such subgraph. */
    | 'no subgraph'
    /** The subgraph refuses the document. */
    | 'invalid'
    /** The subgraph resolves none of the keys in a representation: the entity is null or an error. */
    | 'no key'
    /** The subgraph computes a field without all of its inputs, and the result is silently wrong. */
    | 'missing input'
    /** Another subgraph computes a field from a value that may be null, and has it as non-null. */
    | 'null input'
    /** The field is `@external` in the subgraph. */
    | 'not served'
    /** A fragment does not apply to a type that it was planned for: what it selects is missing. */
    | 'not matched'
    /** Objects of a type that the subgraph did not return here, so that the plan selects nothing from them. */
    | 'unselected type'
    /** Values have another type than the gateway expects. */
    | 'other type'
    | 'may be null'
    | 'unknown value'
    /** The subgraph does not accept all variables that clients may send. */
    | 'input';
  /** False when it depends on the data or on variables. */
  readonly isCertain: boolean;
  readonly message: string;
  /** Coordinates in the subgraph's schema. */
  readonly coordinates: readonly string[];
}

/** A subgraph as it runs. */
export interface FetchTarget {
  readonly name: string;
  readonly schema: GraphQLSchema;
  readonly metadata: Pick<SubgraphMetadata, 'keys' | 'fields'>;
}
