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
  readonly ownGraph: string;
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
export function withLeafCopies(definition: LeafDefinition, copies: readonly GraphCopy[]): LeafDefinition {
  if (definition.name.value === 'join__Graph')
    return withGraphs(definition as EnumTypeDefinitionNode, copies);
  const own = withCopies(definition, copies);
  if (own.kind === Kind.ENUM_TYPE_DEFINITION) {
    return { ...own, values: (own.values ?? []).map((value) => withCopies(value, copies)) };
  }
  if (own.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) {
    return { ...own, fields: (own.fields ?? []).map((field) => withCopies(field, copies)) };
  }
  return own;
}

function withGraphs(graphs: EnumTypeDefinitionNode, copies: readonly GraphCopy[]): EnumTypeDefinitionNode {
  const values = (graphs.values ?? []).flatMap((value) => [
    value,
    ...copies
      .filter(({ graph }) => graph === value.name.value)
      .map(({ ownGraph }) => ({
        ...value,
        name: { kind: Kind.NAME, value: ownGraph } as const,
        directives: (value.directives ?? []).map((directive) =>
          withArgument(directive, 'name', { kind: Kind.STRING, value: ownGraph }),
        ),
      })),
  ]);
  return { ...graphs, values };
}

/** Something with the `@join__` directives of the copies as well. */
export function withCopies<N extends { readonly directives?: readonly ConstDirectiveNode[] | undefined }>(
  node: N,
  copies: readonly GraphCopy[],
): N {
  return { ...node, directives: copyDirectives(node.directives ?? [], copies) };
}

/** The directives with those of the copies of their graphs. */
export function copyDirectives(
  directives: readonly ConstDirectiveNode[],
  copies: readonly GraphCopy[],
): ConstDirectiveNode[] {
  return directives.flatMap((directive) => {
    if (!directive.name.value.startsWith('join__')) return [directive];
    const own = copies.filter(({ graph }) => graph === argumentOf(directive, 'graph'));
    return [directive, ...own.map(({ ownGraph }) => inGraph(directive, ownGraph))];
  });
}

export function inGraph(directive: ConstDirectiveNode, value: string): ConstDirectiveNode {
  return withArgument(directive, 'graph', { kind: Kind.ENUM, value });
}
