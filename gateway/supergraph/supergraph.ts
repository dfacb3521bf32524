import type { GraphQLSchema } from 'graphql';
import type { OverrideLabels } from '../planning/overrideLabels.ts';
import type { Planner } from '../planning/planner.ts';

/** One immutable snapshot of a supergraph with all that is made from it. An operation keeps the
 *  snapshot that it started with until it ends, whatever is loaded meanwhile. */
export interface Supergraph {
  /** SHA-256 of the SDL, in hex: part of every key of something derived from this supergraph. */
  readonly id: string;
  readonly sdl: string;
  /** What clients see, with the definition of `@defer` (and without `@stream`). */
  readonly apiSchema: GraphQLSchema;
  readonly subgraphs: ReadonlyMap<string, SubgraphEntry>;
  readonly overrides: OverrideLabels;
  readonly planner: Planner;
}

export interface SubgraphEntry {
  readonly name: string;
  /** From the supergraph's `join__Graph`, unless the configuration names another. */
  readonly url: string;
}
