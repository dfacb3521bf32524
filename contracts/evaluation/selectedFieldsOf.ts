import {
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isNonNullType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { fragmentsOf } from '../../gateway/operation/fragmentsOf.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { operationOf } from '../graph/operationOf.ts';

/** A field of a type that an operation selects. */
export interface SelectedField {
  readonly typeName: string;
  readonly fieldName: string;
  /** `Type.field`. */
  readonly coordinate: string;
  /** Whether the field or a field around it can be null. */
  readonly canBeNull: boolean;
  /** Whether `__typename` is selected from it. */
  readonly isTypeNamed: boolean;
}

/** The fields that an operation selects, each once per type. Fields that the schema lacks are ignored. */
export function selectedFieldsOf(schema: GraphQLSchema, document: DocumentNode): readonly SelectedField[] {
  const operation = operationOf(document);
  const root = schema.getRootType(operation.operation);
  const fragments = fragmentsOf(document);
  const found = new Map<string, Omit<SelectedField, 'isTypeNamed'>>();
  const named = new Set<string>();
  // Visiting a fragment again, or within itself, adds nothing.
  const seen = new Set<string>();
  if (root != null) walk(operation.selectionSet, root, false, undefined);
  return [...found.values()].map((field) => ({ ...field, isTypeNamed: named.has(field.coordinate) }));

  /** `holder`: the coordinate of the field that is selected from. */
  function walk(
    { selections }: SelectionSetNode,
    type: GraphQLNamedType,
    canBeNull: boolean,
    holder: string | undefined,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        if (name === '__typename' && holder !== undefined) named.add(holder);
        const field = fieldOf(type, name);
        if (field === undefined) continue;
        const coordinate = `${type.name}.${name}`;
        const isNullable = canBeNull || !isNonNullType(field.type);
        const known = found.get(coordinate);
        found.set(coordinate, {
          typeName: type.name,
          fieldName: name,
          coordinate,
          // It can be null only if it can be null everywhere.
          canBeNull: isNullable && known?.canBeNull !== false,
        });
        if (selection.selectionSet !== undefined) {
          walk(selection.selectionSet, getNamedType(field.type), isNullable, coordinate);
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
        const key = `${fragment.name.value} ${canBeNull} ${holder}`;
        if (seen.has(key)) continue;
        seen.add(key);
      }
      walk(fragment.selectionSet, inner, canBeNull, holder);
    }
  }
}
