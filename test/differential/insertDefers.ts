import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type InlineFragmentNode,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  parseValue,
  print,
  type SelectionNode,
  type SelectionSetNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { createRandom, type Random } from '../../subgraphs/shared/random.ts';
import type { DeferTrial } from './trials.ts';

/** One use of `@defer`. */
interface Defer {
  readonly label?: string;
  readonly if?: boolean | { readonly variable: string };
}

/** The positions of a document where `@defer` can be inserted, in its order. `set`: around all selections of a
 *  selection set; `selection`: around one of several selections; `fragment`: on an existing fragment; `repeat`:
 *  around a copy of a selection that also stays. */
type PositionKind = 'set' | 'selection' | 'fragment' | 'repeat';

export function listPositions(document: DocumentNode): readonly PositionKind[] {
  const kinds: PositionKind[] = [];
  transform(document, (kind) => {
    kinds.push(kind);
    return undefined;
  });
  return kinds;
}

/** Inserts `@defer` at the positions with these numbers. */
export function insertDefers(document: DocumentNode, defers: ReadonlyMap<number, Defer>): string {
  let number = 0;
  const variables = [...defers.values()].flatMap((defer) =>
    typeof defer.if === 'object' ? [defer.if.variable] : [],
  );
  return print(
    withVariables(
      transform(document, () => defers.get(number++)),
      variables,
    ),
  );
}

/** Chooses random positions, labels and conditions. */
export function chooseDefers(document: DocumentNode, random: Random, most: number): ChosenDefers {
  const positions = listPositions(document);
  const defers = new Map<number, Defer>();
  const variables: Record<string, unknown> = {};
  for (const position of random.sample([...positions.keys()], random.integer(1, most))) {
    const label = random.chance(0.5) ? { label: `at ${position}` } : {};
    if (random.chance(0.75)) defers.set(position, label);
    else if (random.chance(0.3)) defers.set(position, { ...label, if: random.chance(0.5) });
    else {
      const variable = `deferred${position}`;
      variables[variable] = random.chance(0.7);
      defers.set(position, { ...label, if: { variable } });
    }
  }
  return { source: insertDefers(document, defers), variables };
}

interface ChosenDefers {
  readonly source: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Calls `choose` for every position, always in the same order, to get the `@defer` to insert there. */
function transform(document: DocumentNode, choose: (kind: PositionKind) => Defer | undefined): DocumentNode {
  return {
    ...document,
    definitions: document.definitions.map((definition) => {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        const mayDefer = definition.typeCondition.name.value !== 'Mutation';
        return { ...definition, selectionSet: transformSet(definition.selectionSet, mayDefer) };
      }
      if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
      // The specification forbids `@defer` at the root of a mutation, because its fields run serially.
      const mayDefer = definition.operation === OperationTypeNode.QUERY;
      return { ...definition, selectionSet: transformSet(definition.selectionSet, mayDefer) };
    }),
  };

  function transformSet(set: SelectionSetNode, mayDefer: boolean): SelectionSetNode {
    const around = mayDefer ? choose('set') : undefined;
    const isAlone = set.selections.length === 1;
    const selections = set.selections.flatMap((node): SelectionNode[] => {
      if (node.kind === Kind.FIELD) {
        const inner =
          node.selectionSet === undefined
            ? node
            : { ...node, selectionSet: transformSet(node.selectionSet, true) };
        const alone = mayDefer && !isAlone ? choose('selection') : undefined;
        const repeated = mayDefer ? choose('repeat') : undefined;
        const wrapped = alone === undefined ? inner : deferred([inner], alone);
        return repeated === undefined ? [wrapped] : [wrapped, deferred([withoutLabels(inner)], repeated)];
      }
      const own = mayDefer ? choose('fragment') : undefined;
      const inner =
        node.kind === Kind.INLINE_FRAGMENT
          ? { ...node, selectionSet: transformSet(node.selectionSet, mayDefer) }
          : node;
      return own === undefined
        ? [inner]
        : [{ ...inner, directives: [...(inner.directives ?? []), directive(own)] }];
    });
    return { ...set, selections: around === undefined ? selections : [deferred(selections, around)] };
  }
}

/** Labels must be unique in a document. */
function withoutLabels(node: FieldNode): FieldNode {
  return visit(node, {
    [Kind.ARGUMENT]: (argument: ArgumentNode, _key, _parent, _path, ancestors) => {
      const directiveNode = ancestors.at(-1) as DirectiveNode | undefined;
      const isLabel = directiveNode?.kind === Kind.DIRECTIVE && directiveNode.name.value === 'defer';
      return isLabel && argument.name.value === 'label' ? null : undefined;
    },
  });
}

function deferred(selections: readonly SelectionNode[], defer: Defer): InlineFragmentNode {
  return {
    kind: Kind.INLINE_FRAGMENT,
    directives: [directive(defer)],
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  };
}

function directive(defer: Defer): DirectiveNode {
  const values = {
    ...(defer.label === undefined ? {} : { label: JSON.stringify(defer.label) }),
    ...(defer.if === undefined
      ? {}
      : { if: typeof defer.if === 'object' ? `$${defer.if.variable}` : String(defer.if) }),
  };
  return {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: 'defer' },
    arguments: Object.entries(values).map(([name, value]) => ({
      kind: Kind.ARGUMENT,
      name: { kind: Kind.NAME, value: name },
      value: parseValue(value),
    })),
  };
}

function withVariables(document: DocumentNode, names: readonly string[]): DocumentNode {
  if (names.length === 0) return document;
  const definitions = names.map(
    (value): VariableDefinitionNode => ({
      kind: Kind.VARIABLE_DEFINITION,
      variable: { kind: Kind.VARIABLE, name: { kind: Kind.NAME, value } },
      type: {
        kind: Kind.NON_NULL_TYPE,
        type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: 'Boolean' } },
      },
    }),
  );
  return visit(document, {
    [Kind.OPERATION_DEFINITION]: (operation: OperationDefinitionNode) => ({
      ...operation,
      variableDefinitions: [...(operation.variableDefinitions ?? []), ...definitions],
    }),
  });
}

/** The trial with uses of `@defer`, the same for the same seed. */
export function placeDefers(whole: DeferTrial['withoutDefer'], seed: number): DeferTrial {
  const { source, variables } = chooseDefers(parse(whole.source), createRandom(seed), 6);
  return { ...whole, source, variables: { ...whole.variables, ...variables }, withoutDefer: whole };
}
