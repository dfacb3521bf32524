import { hash } from 'node:crypto';
import {
  type ASTNode,
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type NameNode,
  type ObjectValueNode,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionNode,
  type ValueNode,
  visit,
} from 'graphql';
import { fragmentsOf } from './fragmentsOf.ts';

export interface CanonicalOperation {
  /** Name of the operation, or `Anonymous`. */
  readonly label: string;
  /** Hash of the canonical text. Operations that differ only in literals, order or layout have the same hash. */
  readonly hash: string;
  /** A valid document with one named operation and the fragments that it uses. */
  readonly text: string;
}

/** The canonical form of an operation for a contract: without the client's literals and in a fixed order, so that
 *  every way to write the operation has the same text.
 *  @throws {Error} when the document does not have the operation. */
export function canonicalizeOperation(
  document: DocumentNode,
  operationName: string | undefined,
): CanonicalOperation {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error(`The document has no operation "${operationName ?? ''}".`);
  // Mutations run in the order of their root fields.
  const isSorted = operation.operation !== OperationTypeNode.MUTATION;
  const fragments = sortedBy(usedFragments(document, operation), nameOf).map((fragment) =>
    canonicalizeDefinition(fragment, isSorted),
  );
  const normalised = canonicalizeDefinition(operation, isSorted);
  const text = printAll([normalised, ...fragments]);
  const hash = shortHash(text);
  if (normalised.name !== undefined) return { label: normalised.name.value, hash, text };
  const named = { ...normalised, name: nameNode(`Anonymous_${hash}`) };
  return { label: 'Anonymous', hash, text: printAll([named, ...fragments]) };
}

function usedFragments(document: DocumentNode, operation: OperationDefinitionNode): FragmentDefinitionNode[] {
  const all = fragmentsOf(document);
  const used = new Set<FragmentDefinitionNode>();
  const spread = (node: DefinitionNode): void => {
    visit(node, {
      [Kind.FRAGMENT_SPREAD]({ name }) {
        const fragment = all.get(name.value);
        if (fragment !== undefined) used.add(fragment);
      },
    });
  };
  spread(operation);
  // Iterating over a set includes the elements that are added meanwhile.
  for (const fragment of used) spread(fragment);
  return [...used];
}

function canonicalizeDefinition<Definition extends OperationDefinitionNode | FragmentDefinitionNode>(
  definition: Definition,
  isSorted: boolean,
): Definition {
  return visit(stripLiterals(definition), {
    [Kind.OPERATION_DEFINITION]: {
      leave: (node) => ({
        ...node,
        variableDefinitions: sortedBy(node.variableDefinitions ?? [], ({ variable }) => nameOf(variable)),
      }),
    },
    [Kind.FIELD]: {
      leave: (node) => ({ ...node, arguments: sortedBy(node.arguments ?? [], nameOf) }),
    },
    [Kind.DIRECTIVE]: {
      leave: (node) => ({ ...node, arguments: sortedBy(node.arguments ?? [], nameOf) }),
    },
    [Kind.SELECTION_SET]: {
      leave: (node) => (isSorted ? { ...node, selections: sortedBy(node.selections, sortKeyOf) } : node),
    },
  });
}

function nameOf({ name }: { readonly name: NameNode }): string {
  return name.value;
}

/** Sorts the selections of one selection set. Arguments and sub-selections are ignored: fields with one response
 *  name have equal arguments, and printing sub-selections at every level would take too long. */
function sortKeyOf(selection: SelectionNode): string {
  const directives = (selection.directives ?? []).map(print).join(' ');
  switch (selection.kind) {
    case Kind.FIELD:
      return `${(selection.alias ?? selection.name).value} ${directives}`;
    case Kind.FRAGMENT_SPREAD:
      return `...${selection.name.value} ${directives}`;
    case Kind.INLINE_FRAGMENT:
      return `... on ${selection.typeCondition?.name.value ?? ''} ${directives}`;
  }
}

/** By code units, which do not depend on the locale. */
function sortedBy<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, text: textOf(item) }))
    .sort((a, b) => {
      if (a.text === b.text) return 0;
      return a.text < b.text ? -1 : 1;
    })
    .map(({ item }) => item);
}

function printAll(definitions: readonly ASTNode[]): string {
  return `${definitions.map(print).join('\n\n')}\n`;
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 12);
}

function nameNode(value: string): NameNode {
  return { kind: Kind.NAME, value };
}

/** Directives whose arguments belong to the operation, not to its data: labels and conditions. */
const preservedDirectives = new Set(['defer', 'stream', 'skip', 'include']);

/** Removes descriptions, and replaces numbers and strings by placeholders of the same kind: 0, "". What contracts are about
 *  stays: enum values, names of input fields, true, false and null. Lists keep one value of each kind. */
function stripLiterals<Node extends ASTNode>(definition: Node): Node {
  return visit(definition, {
    [Kind.DIRECTIVE]: (node) => (preservedDirectives.has(node.name.value) ? false : undefined),
    [Kind.INT]: (node) => ({ ...node, value: '0' }),
    // A client that sends 2 and 2.5 sends one operation. An integer is valid wherever a float is.
    [Kind.FLOAT]: () => ({ kind: Kind.INT, value: '0' }),
    [Kind.STRING]: (node, key) => (key === 'description' ? null : { ...node, value: '', block: false }),
    [Kind.OBJECT]: { leave: withSortedFields },
    [Kind.LIST]: { leave: (node) => ({ ...node, values: distinctValues(node.values) }) },
  });
}

/** Also equal objects whose fields are in another order have one text then. */
export function withSortedFields(node: ObjectValueNode): ObjectValueNode {
  return { ...node, fields: node.fields.toSorted((a, b) => (a.name.value < b.name.value ? -1 : 1)) };
}

function distinctValues(values: readonly ValueNode[]): ValueNode[] {
  const byText = new Map(values.map((value) => [print(value), value]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
