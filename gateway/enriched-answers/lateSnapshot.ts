import { isSubgraphFailure } from '../cached-fetches/subgraphFailure.ts';
import type { Execution } from '../execution/execution.ts';
import { programFingerprint } from '../execution/programFingerprint.ts';
import { isLight, textInSlices } from '../json/stringifyInSlices.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { LatePlace } from '../response/shape.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import { type SavedError, saveError } from './savedError.ts';

/** What an execution had done when its first answer left, as plain JSON: enough to do the rest anywhere. */
export interface LateSnapshot {
  /** The response tree as JSON text: the execution that it was taken of goes on with its own. */
  readonly tree: string;
  /** Indices of the steps that something still waits for: those that had not ended, and those that had failed in a way
   *  that another attempt may mend. */
  readonly steps: readonly number[];
  /** Of all other steps. */
  readonly errors: readonly SavedError[];
  /** Enrichments that were not there. */
  readonly late: readonly number[];
  /** How the operation has to be prepared for its steps to have the same indices, and what tells that they have. */
  readonly isIncremental: boolean;
  readonly isFused: boolean;
  readonly overrides: readonly string[];
  readonly fingerprint: string;
}

/** As work in slices. What comes into the tree meanwhile is fetched again by whoever goes on: the steps that are left are
 *  those of the beginning. */
export function* takeSnapshot(
  operation: PreparedOperation,
  execution: Execution,
  places: readonly LatePlace[],
  late: readonly number[],
  isIncremental: boolean,
): SlicedWork<LateSnapshot> {
  const groups = new Set(places.flatMap(({ enrichments }) => enrichments.map((id) => id + 1)));
  const failed = execution.errors.filter(
    ({ group, reason }) => groups.has(group) && isSubgraphFailure(reason),
  );
  const steps = execution.stepsLeft([...groups], new Set(failed.map(({ step }) => step)));
  const errors = execution.errors.filter(({ step }) => !steps.has(step)).map(saveError);
  const { tree } = execution;
  return {
    tree: isLight(tree) ? JSON.stringify(tree) : yield* textInSlices(tree),
    steps: [...steps],
    errors,
    late,
    isIncremental,
    isFused: operation.isFused,
    overrides: operation.overrides,
    fingerprint: programFingerprint(operation.program),
  };
}
