import type { GraphQLSchema } from 'graphql';
import type { OverrideLabels } from '../planning/overrideLabels.ts';
import type { Planner } from '../planning/planner.ts';
import type { SupergraphNames } from '../planning/supergraphNames.ts';
import type { SubgraphAddress } from './sources/fetchSubgraphSdl.ts';

/** An immutable snapshot of a supergraph and everything that is derived from its SDL. An operation uses one snapshot until
 *  it ends, even when another one becomes current meanwhile. */
export interface Supergraph {
  /** Hexadecimal SHA-256 of the SDL. Part of the cache keys of everything that depends on the supergraph. */
  readonly id: string;
  readonly sdl: string;
  /** The schema for clients, with the definition of `@defer` and without `@stream`. */
  readonly apiSchema: GraphQLSchema;
  /** By name. The URL is that of the configuration, or of `join__Graph` in the supergraph. */
  readonly subgraphs: ReadonlyMap<string, SubgraphAddress>;
  readonly overrides: OverrideLabels;
  readonly planner: Planner;
  /** What the planner has read of the SDL. */
  readonly names: SupergraphNames;
}
