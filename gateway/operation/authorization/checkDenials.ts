import { GatewayError, type ResponsePath } from '../../errors.ts';
import type { NormalizedOperation } from '../normalizeOperation.ts';
import type { Selection } from '../selection.ts';
import type { Access } from './access.ts';

/** Maximum number of paths in an error. */
const maxPaths = 100;

/** Refuses an operation of which nothing may be executed: any operation with denied parts when these are rejected, and a
 *  subscription whose events are denied.
 *  @throws {GatewayError} `UNAUTHENTICATED` or `FORBIDDEN` with the paths of what is denied. */
export function checkDenials(kind: string, { root }: NormalizedOperation, access: Access): void {
  if (!access.hasDenials) return;
  const isWhole = kind === 'subscription' && root.selections.every((selection) => isDeniedField(selection));
  if (!access.isRejecting && !isWhole) return;
  const paths = deniedPathsOf(root.selections);
  if (paths.length === 0) return;
  const message =
    access.code === 'UNAUTHENTICATED'
      ? 'The operation needs a logged-in client, and the request has no valid token. Nothing was executed.'
      : 'The client may not use everything that the operation contains. Nothing was executed.';
  throw new GatewayError(access.code, message, { extensions: { paths: paths.slice(0, maxPaths) } });
}

function isDeniedField(selection: Selection): boolean {
  return selection.kind === 'Field' && selection.isDenied === true;
}

/** Paths of denied fields, and of fields whose objects may be of a denied type, in document order and without list
 *  indices. */
function deniedPathsOf(root: readonly Selection[]): readonly ResponsePath[] {
  const found = new Map<string, ResponsePath>();
  collect(root, []);
  return [...found.values()];

  function collect(selections: readonly Selection[], path: readonly string[]): void {
    for (const selection of selections) {
      if (selection.kind === 'Field') {
        const own = [...path, selection.responseName];
        if (selection.isDenied === true) found.set(own.join('.'), own);
        collect(selection.selectionSet?.selections ?? [], own);
      } else if (selection.kind === 'Fragment') {
        if (selection.isDenied === true) found.set(path.join('.'), path);
        collect(selection.selectionSet.selections, path);
      } else collect(selection.full.selections, path);
    }
  }
}
