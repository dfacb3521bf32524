import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type EnumTypeDefinitionNode,
  type InputObjectTypeDefinitionNode,
  Kind,
  type ScalarTypeDefinitionNode,
} from 'graphql';
import { argumentOf, replaceArgument } from './supergraphDocument.ts';

/** A subgraph that was added to the planner's supergraph as a copy of part of another one. Both members are values of
 *  `join__Graph`. */
export interface GraphCopy {
  readonly graph: string;
  readonly copyGraph: string;
}

type LeafDefinition = EnumTypeDefinitionNode | InputObjectTypeDefinitionNode | ScalarTypeDefinitionNode;

export function isLeafDefinition(definition: DefinitionNode): definition is LeafDefinition {
  return (
    definition.kind === Kind.ENUM_TYPE_DEFINITION ||
    definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION ||
    definition.kind === Kind.SCALAR_TYPE_DEFINITION
  );
}

/** Adds the copies to a type that has no fields with resolvers. The enum `join__Graph` gets a value for each copy. */
export function addLeafCopies(definition: LeafDefinition, copies: readonly GraphCopy[]): LeafDefinition {
  if (definition.name.value === 'join__Graph')
    return addGraphValues(definition as EnumTypeDefinitionNode, copies);
  const copied = addCopyDirectives(definition, copies);
  if (copied.kind === Kind.ENUM_TYPE_DEFINITION) {
    return { ...copied, values: (copied.values ?? []).map((value) => addCopyDirectives(value, copies)) };
  }
  if (copied.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
    return { ...copied, fields: (copied.fields ?? []).map((field) => addCopyDirectives(field, copies)) };
  }
  return copied;
}

function addGraphValues(
  graphs: EnumTypeDefinitionNode,
  copies: readonly GraphCopy[],
): EnumTypeDefinitionNode {
  const values = (graphs.values ?? []).flatMap((value) => [
    value,
    ...copies
      .filter(({ graph }) => graph === value.name.value)
      .map(({ copyGraph }) => ({
        ...value,
        name: { kind: Kind.NAME, value: copyGraph } as const,
        directives: (value.directives ?? []).map((directive) =>
          replaceArgument(directive, 'name', { kind: Kind.STRING, value: copyGraph }),
        ),
      })),
  ]);
  return { ...graphs, values };
}

/** Adds to a node the `@join__` directives of the copies, each after its equivalent for the copied graph. */
export function addCopyDirectives<
  N extends { readonly directives?: readonly ConstDirectiveNode[] | undefined },
>(node: N, copies: readonly GraphCopy[]): N {
  const directives = (node.directives ?? []).flatMap((directive) => {
    if (!directive.name.value.startsWith('join__')) return [directive];
    const copied = copies.filter(({ graph }) => graph === argumentOf(directive, 'graph'));
    return [
      directive,
      ...copied.map(({ copyGraph }) =>
        replaceArgument(directive, 'graph', { kind: Kind.ENUM, value: copyGraph }),
      ),
    ];
  });
  return { ...node, directives };
}
