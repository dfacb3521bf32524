import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { operationOf } from '../graph/operationOf.ts';

/** A field that an operation selects of a type. */
export interface SelectedField {
  readonly typeName: string;
  readonly fieldName: string;
  /** `Type.field`. */
  readonly coordinate: string;
  /** Whether it, or something on the way to it, may be null. */
  readonly canBeNull: boolean;
}

/** The fields that an operation selects, each once, with the types that it selects them of. What the schema does not
 *  have is passed over. */
export function selectedFieldsOf(schema: GraphQLSchema, document: DocumentNode): readonly SelectedField[] {
  const operation = operationOf(document);
  const root = schema.getRootType(operation.operation);
  const fragments = new Map(
    document.definitions
      .filter(
        (definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION,
      )
      .map((fragment) => [fragment.name.value, fragment] as const),
  );
  const found = new Map<string, SelectedField>();
  // A fragment that is spread again, or within itself, has nothing to add.
  const seen = new Set<string>();
  if (root != null) walk(operation.selectionSet, root, false);
  return [...found.values()];

  function walk({ selections }: SelectionSetNode, type: GraphQLNamedType, canBeNull: boolean): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
        if (field === undefined) continue;
        const coordinate = `${type.name}.${name}`;
        const isNullable = canBeNull || !isNonNullType(field.type);
        const known = found.get(coordinate);
        found.set(coordinate, {
          typeName: type.name,
          fieldName: name,
          coordinate,
          // Everywhere, for it to count.
          canBeNull: isNullable && known?.canBeNull !== false,
        });
        if (selection.selectionSet !== undefined) {
          walk(selection.selectionSet, getNamedType(field.type), isNullable);
        }
        continue;
      }
      const fragment =
        selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (fragment === undefined) continue;
      const condition = fragment.typeCondition?.name.value;
      const inner = condition === undefined ? type : schema.getType(condition);
      if (inner === undefined) continue;
      if (fragment.kind === Kind.FRAGMENT_DEFINITION) {
        const key = `${fragment.name.value} ${canBeNull}`;
        if (seen.has(key)) continue;
        seen.add(key);
      }
      walk(fragment.selectionSet, inner, canBeNull);
    }
  }
}
