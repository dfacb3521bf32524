import { type ASTNode, Kind, print, type ValueNode, visit } from 'graphql';

/** Directives whose arguments are part of the operation and no data: labels that have to differ, and conditions. */
const preservedDirectives = new Set(['defer', 'stream', 'skip', 'include']);

/** The definition with a placeholder of the same kind for every number and text: 0, "". Names stay, since a
 *  contract is about them: enum values, the fields of input objects, and so do true, false and null. A list keeps one
 *  of each kind of value. */
export function stripLiterals<Node extends ASTNode>(definition: Node): Node {
  return visit(definition, {
    [Kind.DIRECTIVE]: (node) => (preservedDirectives.has(node.name.value) ? false : undefined),
    [Kind.INT]: (node) => ({ ...node, value: '0' }),
    // A client that sends 2 and 2.5 sends one operation; an integer is right wherever a float is.
    [Kind.FLOAT]: () => ({ kind: Kind.INT, value: '0' }),
    [Kind.STRING]: (node) => ({ ...node, value: '', block: false }),
    [Kind.OBJECT]: {
      leave: (node) => ({
        ...node,
        fields: node.fields.toSorted((one, other) => (one.name.value < other.name.value ? -1 : 1)),
      }),
    },
    [Kind.LIST]: { leave: (node) => ({ ...node, values: distinctValues(node.values) }) },
  });
}

function distinctValues(values: readonly ValueNode[]): ValueNode[] {
  const byText = new Map(values.map((value) => [print(value), value]));
  return [...byText].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
}
