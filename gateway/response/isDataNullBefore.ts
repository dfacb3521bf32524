import type { FetchStep } from '../execution/program.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { SelectionSet } from '../operation/selection.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
import { shapeData } from './shapeData.ts';

/** Whether the root fields of a mutation before those of the step make `data` null: one of them is null and must not be, or
 *  a null inside of it propagates. Fields that the client may not read do not count, and neither do those that may be
 *  pending. */
export function* isDataNullBefore(
  { root, rootType, supergraph }: PreparedOperation,
  { shape }: FetchStep,
  tree: ResponseObject,
): SlicedTask<boolean> {
  const fields = root.selections.filter((selection) => selection.kind === 'Field');
  const first = fields.findIndex(({ internalName }) => shape.keys.includes(internalName));
  const earlier = fields.slice(0, Math.max(first, 0)).filter(({ isDenied }) => isDenied !== true);
  const { data, isBlockedByPending } = yield* shapeData(
    supergraph.apiSchema,
    new SelectionSet(earlier),
    rootType,
    tree,
    [],
    { isPending: () => true },
  );
  return data === null && !isBlockedByPending;
}
