import { type DocumentNode, Kind } from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';

/** Names of a supergraph, also of elements that clients do not see. Can be sent between threads. */
export interface SupergraphNames {
  readonly fields: ReadonlySet<string>;
  readonly objectTypes: ReadonlySet<string>;
  /** Object types, interfaces and unions. */
  readonly compositeTypes: ReadonlySet<string>;
  /** The object types of each interface and union. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  readonly enumValues: ReadonlyMap<string, ReadonlySet<string>>;
}

export function readSupergraphNames(supergraph: DocumentNode): SupergraphNames {
  const fields = new Set<string>();
  const objectTypes = new Set<string>();
  const compositeTypes = new Set<string>();
  const members = new Map<string, Set<string>>();
  const enumValues = new Map<string, ReadonlySet<string>>();
  const addMember = (parent: string, member: string): void => {
    getOrInsertComputed(members, parent, () => new Set()).add(member);
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
      for (const field of definition.fields ?? []) fields.add(field.name.value);
    }
  }
  return { fields, objectTypes, compositeTypes, members, enumValues };
}
