import { createHash } from 'node:crypto';
import {
  type ASTNode,
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type NameNode,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionNode,
  type ValueNode,
  visit,
} from 'graphql';

export interface CanonicalOperation {
  /** `Anonymous` where it has none. */
  readonly label: string;
  /** Of the normalised text: operations that differ only in literals, order or layout have the same. */
  readonly hash: string;
  /** A valid document with one named operation and the fragments that it uses. */
  readonly text: string;
}

/** The operation as a contract needs it: without the client's values, with everything in an order of its own, so that
 *  it is the same operation however it was written. Errors: `Error` where the document has no such operation. */
export function canonicalizeOperation(
  document: DocumentNode,
  operationName: string | undefined,
): CanonicalOperation {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error(`The document has no operation "${operationName ?? ''}".`);
  // Mutations run in the order in which they stand.
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
  const all = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) all.set(definition.name.value, definition);
  }
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
  // A set also goes through what is added meanwhile.
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

/** What a selection is told apart by from those beside it. Neither its arguments nor what it selects in turn count:
 *  fields with one response name have the same arguments, and printing all of it at every level would take long. */
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

/** By code units, which is the same everywhere. */
function sortedBy<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, text: textOf(item) }))
    .sort((one, other) => {
      if (one.text === other.text) return 0;
      return one.text < other.text ? -1 : 1;
    })
    .map(({ item }) => item);
}

function printAll(definitions: readonly ASTNode[]): string {
  return `${definitions.map(print).join('\n\n')}\n`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function nameNode(value: string): NameNode {
  return { kind: Kind.NAME, value };
}

/** Directives whose arguments are part of the operation and no data: labels that have to differ, and conditions. */
const preservedDirectives = new Set(['defer', 'stream', 'skip', 'include']);

/** The definition with a placeholder of the same kind for every number and text: 0, "". Names stay, since a
 *  contract is about them: enum values, the fields of input objects, and so do true, false and null. A list keeps one
 *  of each kind of value. */
function stripLiterals<Node extends ASTNode>(definition: Node): Node {
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
