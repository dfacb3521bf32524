import type {
  EnumValueDefinitionNode,
  FieldDefinitionNode,
  InputValueDefinitionNode,
  TypeDefinitionNode,
} from 'graphql';
import { Kind } from 'graphql';
import type { CanonicalSubgraph } from './canonicalSubgraph.ts';

/** A node that a coordinate in a subgraph's types can name. */
export type ElementNode =
  | TypeDefinitionNode
  | FieldDefinitionNode
  | InputValueDefinitionNode
  | EnumValueDefinitionNode;

/** Types, fields, arguments, input fields and enum values by coordinate. */
export function elementsOf(subgraph: CanonicalSubgraph): ReadonlyMap<string, ElementNode> {
  const elements = new Map<string, ElementNode>();
  for (const [type, definition] of subgraph.types) {
    elements.set(type, definition);
    for (const member of membersOf(definition)) {
      const coordinate = `${type}.${member.name.value}`;
      elements.set(coordinate, member);
      for (const argument of member.kind === Kind.FIELD_DEFINITION ? (member.arguments ?? []) : []) {
        elements.set(`${coordinate}(${argument.name.value}:)`, argument);
      }
    }
  }
  return elements;
}

/** The coordinates of the elements around an element, innermost first. */
export function ancestorsOf(coordinate: string): readonly string[] {
  const [field = coordinate] = coordinate.split('(');
  const [type = field] = field.split('.');
  return [...new Set([field, type])].filter((holder) => holder !== coordinate);
}

function membersOf(
  definition: TypeDefinitionNode,
): readonly (FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode)[] {
  switch (definition.kind) {
    case Kind.ENUM_TYPE_DEFINITION:
      return definition.values ?? [];
    case Kind.SCALAR_TYPE_DEFINITION:
    case Kind.UNION_TYPE_DEFINITION:
      return [];
    default:
      return definition.fields ?? [];
  }
}
