import { Kind, parse, print, type SelectionNode, stripIgnoredCharacters } from 'graphql';
import { mapFetches } from './mapFetches.ts';
import type { QueryPlan } from './queryPlan.ts';

/** Replaces fragments on a root type by their selections, at the top of the root operations of a plan. The planner adds
 *  `... on Query` around deferred root fields, and a subgraph may have another name for its query type. `rootTypes`: their
 *  names in the supergraph by the kind of operation. */
export function removeRootFragments(plan: QueryPlan, rootTypes: ReadonlyMap<string, string>): QueryPlan {
  return mapFetches(plan, (fetch) => {
    const rootType = rootTypes.get(fetch.operationKind);
    if (rootType === undefined || !fetch.operation.includes(`on ${rootType}`)) return fetch;
    const document = parse(fetch.operation, { noLocation: true });
    const definitions = document.definitions.map((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION
        ? {
            ...definition,
            selectionSet: {
              ...definition.selectionSet,
              selections: unwrap(definition.selectionSet.selections, rootType),
            },
          }
        : definition,
    );
    return { ...fetch, operation: stripIgnoredCharacters(print({ ...document, definitions })) };
  });
}

function unwrap(selections: readonly SelectionNode[], rootType: string): SelectionNode[] {
  return selections.flatMap((selection) =>
    selection.kind === Kind.INLINE_FRAGMENT &&
    selection.typeCondition?.name.value === rootType &&
    selection.directives?.length === 0
      ? unwrap(selection.selectionSet.selections, rootType)
      : selection,
  );
}
