import type { GraphQLSchema } from 'graphql';
import type { OverrideLabels } from '../planning/overrideLabels.ts';
import type { Planner } from '../planning/planner.ts';
import type { SupergraphNames } from '../planning/supergraphNames.ts';

/** An immutable snapshot of a supergraph and everything that is derived from its SDL. An operation uses one snapshot until
 *  it ends, even when another one becomes current meanwhile. */
export interface Supergraph {
  /** Hexadecimal SHA-256 of the SDL. Part of the cache keys of everything that depends on the supergraph. */
  readonly id: string;
  readonly sdl: string;
  /** The schema for clients, with the definition of `@defer` and without `@stream`. */
  readonly apiSchema: GraphQLSchema;
  readonly subgraphs: ReadonlyMap<string, SubgraphEntry>;
  readonly overrides: OverrideLabels;
  readonly planner: Planner;
  /** What the planner has read of the SDL. */
  readonly names: SupergraphNames;
}

export interface SubgraphEntry {
  readonly name: string;
  /** The URL in the configuration, or in `join__Graph` of the supergraph. */
  readonly url: string;
}
