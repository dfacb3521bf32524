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
  visit,
} from 'graphql';
import { stripLiterals } from './stripLiterals.ts';

export interface RecordableOperation {
  /** `Anonymous` where it has none. */
  readonly label: string;
  /** Of the normalised text: operations that differ only in literals, order or layout have the same. */
  readonly hash: string;
  /** A valid document with one named operation and the fragments that it uses. */
  readonly text: string;
}

/** The operation as a contract needs it: without the client's values, with everything in an order of its own, so that
 *  it is the same operation however it was written. Errors: `Error` where the document has no such operation. */
export function normaliseOperation(
  document: DocumentNode,
  operationName: string | undefined,
): RecordableOperation {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error(`The document has no operation "${operationName ?? ''}".`);
  // Mutations run in the order in which they stand.
  const isSorted = operation.operation !== OperationTypeNode.MUTATION;
  const fragments = usedFragments(document, operation)
    .map((fragment) => normalise(fragment, isSorted))
    .sort(byText(nameOf));
  const normalised = normalise(operation, isSorted);
  const hash = shortHash(printAll([normalised, ...fragments]));
  const { name = nameNode(`Anonymous_${hash}`) } = normalised;
  return {
    label: operation.name?.value ?? 'Anonymous',
    hash,
    text: printAll([{ ...normalised, name }, ...fragments]),
  };
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

function normalise<Definition extends OperationDefinitionNode | FragmentDefinitionNode>(
  definition: Definition,
  isSorted: boolean,
): Definition {
  return visit(stripLiterals(definition), {
    [Kind.OPERATION_DEFINITION]: {
      leave: (node) => ({
        ...node,
        variableDefinitions: node.variableDefinitions?.toSorted(byText(({ variable }) => nameOf(variable))),
      }),
    },
    [Kind.FIELD]: {
      leave: (node) => ({ ...node, arguments: node.arguments?.toSorted(byText(nameOf)) }),
    },
    [Kind.DIRECTIVE]: {
      leave: (node) => ({ ...node, arguments: node.arguments?.toSorted(byText(nameOf)) }),
    },
    [Kind.SELECTION_SET]: {
      leave: (node) => (isSorted ? { ...node, selections: node.selections.toSorted(byText(print)) } : node),
    },
  });
}

function nameOf({ name }: { readonly name: NameNode }): string {
  return name.value;
}

/** By code units, which is the same everywhere. */
function byText<T>(textOf: (value: T) => string): (one: T, other: T) => number {
  return (one, other) => {
    const [text, otherText] = [textOf(one), textOf(other)];
    if (text === otherText) return 0;
    return text < otherText ? -1 : 1;
  };
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
