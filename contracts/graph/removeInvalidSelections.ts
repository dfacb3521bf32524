import {
  type ASTNode,
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { validateDocument } from '../../gateway/operation/validateDocument.ts';

/** A document without the selections, variables and fragments that make it invalid for a schema; `undefined` when
 *  nothing is left of it. */
export function removeInvalidSelections(
  document: DocumentNode,
  schema: GraphQLSchema,
): DocumentNode | undefined {
  let rest = document;
  // What uses a removed variable or fragment is invalid in the next pass. Each pass removes something.
  for (;;) {
    const invalid = new Set(validateDocument(schema, rest).flatMap(({ nodes = [] }) => nodes));
    if (invalid.size === 0) return rest;
    const smaller = removeAround(rest, invalid);
    if (smaller === undefined) return undefined;
    rest = smaller;
  }
}

const removable: ReadonlySet<Kind> = new Set([
  Kind.FIELD,
  Kind.INLINE_FRAGMENT,
  Kind.FRAGMENT_SPREAD,
  Kind.FRAGMENT_DEFINITION,
  Kind.VARIABLE_DEFINITION,
]);

/** Removes the innermost removable node around each of the nodes, and what becomes empty. */
function removeAround(document: DocumentNode, nodes: ReadonlySet<ASTNode>): DocumentNode | undefined {
  const removed = new Set<ASTNode>();
  /** The removable nodes around the visited node. */
  const around: ASTNode[] = [];
  visit(document, {
    enter: (node) => {
      if (removable.has(node.kind)) around.push(node);
      const innermost = around.at(-1);
      if (nodes.has(node) && innermost !== undefined) removed.add(innermost);
    },
    leave: (node) => {
      if (removable.has(node.kind)) around.pop();
    },
  });
  if (removed.size === 0) return undefined;
  const isEmpty = (node: { readonly selectionSet?: SelectionSetNode | undefined }): boolean =>
    node.selectionSet?.selections.length === 0;
  const smaller: DocumentNode = visit(document, {
    enter: (node) => (removed.has(node) ? null : undefined),
    leave: (node) => ('selectionSet' in node && removable.has(node.kind) && isEmpty(node) ? null : undefined),
  });
  const operation = smaller.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  return operation === undefined || isEmpty(operation as never) ? undefined : smaller;
}
