import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type EnumTypeDefinitionNode,
  type InputObjectTypeDefinitionNode,
  Kind,
  type ScalarTypeDefinitionNode,
} from 'graphql';
import { argumentOf, withArgument } from './supergraphDocument.ts';

/** A subgraph that was added to a supergraph: a copy of part of another one. Values of `join__Graph`. */
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

/** A type that copies have as their subgraphs do; `join__Graph` gets their values. */
export function addLeafCopies(definition: LeafDefinition, copies: readonly GraphCopy[]): LeafDefinition {
  if (definition.name.value === 'join__Graph')
    return addGraphValues(definition as EnumTypeDefinitionNode, copies);
  const own = addCopyDirectives(definition, copies);
  if (own.kind === Kind.ENUM_TYPE_DEFINITION) {
    return { ...own, values: (own.values ?? []).map((value) => addCopyDirectives(value, copies)) };
  }
  if (own.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
    return { ...own, fields: (own.fields ?? []).map((field) => addCopyDirectives(field, copies)) };
  }
  return own;
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
          withArgument(directive, 'name', { kind: Kind.STRING, value: copyGraph }),
        ),
      })),
  ]);
  return { ...graphs, values };
}

/** Something with the `@join__` directives of the copies as well. */
export function addCopyDirectives<
  N extends { readonly directives?: readonly ConstDirectiveNode[] | undefined },
>(node: N, copies: readonly GraphCopy[]): N {
  return { ...node, directives: withCopiedDirectives(node.directives ?? [], copies) };
}

/** The directives with those of the copies of their graphs. */
export function withCopiedDirectives(
  directives: readonly ConstDirectiveNode[],
  copies: readonly GraphCopy[],
): ConstDirectiveNode[] {
  return directives.flatMap((directive) => {
    if (!directive.name.value.startsWith('join__')) return [directive];
    const own = copies.filter(({ graph }) => graph === argumentOf(directive, 'graph'));
    return [directive, ...own.map(({ copyGraph }) => withGraph(directive, copyGraph))];
  });
}

export function withGraph(directive: ConstDirectiveNode, value: string): ConstDirectiveNode {
  return withArgument(directive, 'graph', { kind: Kind.ENUM, value });
}
