import { type DocumentNode, type FieldDefinitionNode, type FieldNode, Kind, print, visit } from 'graphql';
import { contextArgumentsOf, joinsOf, parseFieldSet } from './supergraphDocument.ts';

/** Names of a supergraph, also of elements that clients do not see. Can be sent between threads. */
export interface SupergraphNames {
  readonly fields: ReadonlySet<string>;
  readonly objectTypes: ReadonlySet<string>;
  /** Object types, interfaces and unions. */
  readonly compositeTypes: ReadonlySet<string>;
  /** The object types of each interface and union. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  readonly enumValues: ReadonlyMap<string, ReadonlySet<string>>;
  /** The fields that `@fromContext` selects, with their arguments as text, which may differ between the selections. */
  readonly contextFields: ReadonlyMap<string, ReadonlySet<string>>;
}

export function readSupergraphNames(supergraph: DocumentNode): SupergraphNames {
  const fields = new Set<string>();
  const objectTypes = new Set<string>();
  const compositeTypes = new Set<string>();
  const members = new Map<string, Set<string>>();
  const enumValues = new Map<string, ReadonlySet<string>>();
  const contextFields = new Map<string, Set<string>>();
  const addMember = (parent: string, member: string): void => {
    const known = members.get(parent);
    if (known === undefined) members.set(parent, new Set([member]));
    else known.add(member);
  };
  for (const definition of supergraph.definitions) {
    switch (definition.kind) {
      case Kind.ENUM_TYPE_DEFINITION: {
        const values = (definition.values ?? []).map((value) => value.name.value);
        enumValues.set(definition.name.value, new Set(values));
        break;
      }
      case Kind.UNION_TYPE_DEFINITION:
        compositeTypes.add(definition.name.value);
        for (const member of definition.types ?? []) addMember(definition.name.value, member.name.value);
        break;
      case Kind.OBJECT_TYPE_DEFINITION:
        objectTypes.add(definition.name.value);
        for (const parent of definition.interfaces ?? []) addMember(parent.name.value, definition.name.value);
        compositeTypes.add(definition.name.value);
        break;
      case Kind.INTERFACE_TYPE_DEFINITION:
        compositeTypes.add(definition.name.value);
        break;
    }
    if (
      definition.kind === Kind.OBJECT_TYPE_DEFINITION ||
      definition.kind === Kind.INTERFACE_TYPE_DEFINITION ||
      definition.kind === Kind.OBJECT_TYPE_EXTENSION ||
      definition.kind === Kind.INTERFACE_TYPE_EXTENSION
    ) {
      for (const field of definition.fields ?? []) {
        fields.add(field.name.value);
        for (const selected of contextSelectionsOf(field)) {
          const known = contextFields.get(selected.name.value) ?? new Set();
          contextFields.set(selected.name.value, known.add(argumentsText(selected)));
        }
      }
    }
  }
  return { fields, objectTypes, compositeTypes, members, enumValues, contextFields };
}

/** The arguments of a field as text. */
export function argumentsText({ arguments: given = [] }: FieldNode): string {
  return given.map(print).join(', ');
}

/** The fields that the `@fromContext` arguments of a field select. */
function contextSelectionsOf(field: FieldDefinitionNode): FieldNode[] {
  const selected: FieldNode[] = [];
  for (const { selection } of joinsOf(field, 'join__field').flatMap(contextArgumentsOf)) {
    const set = parseFieldSet(selection);
    if (set !== undefined) visit(set, { [Kind.FIELD]: (node) => void selected.push(node) });
  }
  return selected;
}
