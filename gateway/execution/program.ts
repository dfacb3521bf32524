import type { RequiresSelection } from '../planning/queryPlan.ts';
import type { FetchShape } from './fetchShape.ts';
import type { FlattenPath, TargetCollector } from './flattenPath.ts';
import type { RepresentationReader } from './representationReader.ts';
import type { ContextReader } from './rewrites.ts';

/** A compiled query plan: its fetches with their dependencies, and the delivery groups with the fetches that feed each.
 *  Sequence, Parallel, Flatten, Condition and Defer nodes are compiled into these two lists. */
export interface Program {
  readonly steps: readonly FetchStep[];
  /** By group number: 0 is the primary data, each of the others a use of `@defer` or an enrichment. */
  readonly groups: readonly DeliveryGroup[];
}

export interface FetchStep {
  readonly index: number;
  readonly shape: FetchShape;
  /** Path of the objects that the fetch is for; empty for a root fetch. */
  readonly path: FlattenPath;
  readonly collectTargets: TargetCollector;
  /** The fields of a representation; empty for a root fetch. */
  readonly requires: readonly RequiresSelection[];
  /** Present for an entity fetch. */
  readonly representationReader: RepresentationReader | undefined;
  readonly contextReader: ContextReader | undefined;
  /** See `FetchNode`. */
  readonly parts?: readonly FetchPart[] | undefined;
  /** Indices of the steps that have to end before this one starts. */
  readonly dependsOn: readonly number[];
  /** The first delivery group that needs the step. The step's errors belong to this group, and the step is batched only
   *  with fetches of the same group, so that no payload waits for the subgraph of another. */
  readonly group: number;
}

/** A part of a step's fetch. Its errors and its requests count as those of the step. */
export type FetchPart = Pick<
  FetchStep,
  'shape' | 'requires' | 'representationReader' | 'contextReader' | 'parts'
>;

export interface DeliveryGroup {
  /** Indices of the steps that complete the data of this group, as far as that of enclosing groups is complete. */
  readonly steps: readonly number[];
  /** Those of `steps` that fetch data of this group; the others fetch inputs. */
  readonly dataSteps: readonly number[];
}
