import type { RequiresSelection } from '../planning/queryPlan.ts';
import type { FetchShape } from './fetchShape.ts';
import type { FlattenPath, TargetCollector } from './flattenPath.ts';
import type { RepresentationReader } from './representationReader.ts';
import type { ContextReader } from './rewrites.ts';

/** A query plan made ready to run: its fetches with what each waits for, and what each payload waits for.
 *  Sequence, Parallel, Flatten, Condition and Defer nodes have become these two lists. */
export interface Program {
  readonly steps: readonly FetchStep[];
  /** By group number: 0 is the primary data, each of the others a use of `@defer` or an enrichment. */
  readonly groups: readonly DeliveryGroup[];
}

export interface FetchStep {
  readonly index: number;
  readonly shape: FetchShape;
  /** Where the fetch's objects are; empty for a root fetch. */
  readonly path: FlattenPath;
  readonly collectTargets: TargetCollector;
  /** What a representation consists of; empty for a root fetch. */
  readonly requires: readonly RequiresSelection[];
  /** Present for an entity fetch. */
  readonly representationReader: RepresentationReader | undefined;
  readonly contextReader: ContextReader | undefined;
  /** Indices of the steps that have to end before this one starts. */
  readonly dependsOn: readonly number[];
  /** The delivery group that this step is for, or the first of them: an error of it belongs there, and it is
   *  sent together only with fetches of the same group, so that no payload waits for another's subgraph. */
  readonly group: number;
}

export interface DeliveryGroup {
  /** Indices of the steps whose end makes this group's data complete, as far as its parents' are. */
  readonly steps: readonly number[];
  /** Those of them that bring data of this group; the others bring what these need. */
  readonly dataSteps: readonly number[];
}
