import { type ASTNode, type DocumentNode, Kind, print, visit } from 'graphql';

/** The text of a document with empty values instead of its literals, which may be secrets. Values of variables are never in
 *  it. */
export function hideLiterals(document: DocumentNode): string {
  return print(visit(document, { enter: (node) => emptyValueOf(node) }));
}

/** `undefined` for a node that has no value. */
function emptyValueOf({ kind }: ASTNode): ASTNode | undefined {
  if (kind === Kind.INT || kind === Kind.FLOAT) return { kind, value: '0' };
  if (kind === Kind.STRING) return { kind, value: '' };
  if (kind === Kind.LIST) return { kind, values: [] };
  if (kind === Kind.OBJECT) return { kind, fields: [] };
  return undefined;
}
