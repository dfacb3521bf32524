import {
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { fragmentsOf } from '../../gateway/operation/fragmentsOf.ts';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { operationOf } from '../graph/operationOf.ts';
import type { SelectedField } from './selectedFieldsOf.ts';

/** Data that subgraphs still return and that an operation no longer gets. */
interface LostData {
  readonly message: string;
  readonly coordinates: readonly string[];
}

/** Finds values and types that clients can see in the schema `old`, but not in `next`, although subgraphs return them: the
 *  gateway answers null instead. `served`: the schema of the new supergraph with the elements that clients do not see;
 *  called only when something is hidden. */
export function findHiddenValues(
  fields: readonly SelectedField[],
  old: GraphQLSchema,
  next: GraphQLSchema,
  served: () => GraphQLSchema,
): readonly LostData[] {
  return fields.flatMap(({ typeName, fieldName, coordinate }) => {
    const type = getNamedType(fieldOf(old.getType(typeName), fieldName)?.type);
    // Validation refuses a field whose type is not visible at all.
    if (type === undefined || next.getType(type.name) === undefined) return [];
    const visible = new Set(valuesOf(next, type.name));
    const gone = valuesOf(old, type.name).filter((value) => !visible.has(value));
    if (gone.length === 0) return [];
    const returned = new Set(valuesOf(served(), type.name));
    return gone
      .filter((value) => returned.has(value))
      .map((value) => ({
        message: `${coordinate} is null where it is ${value}, which is hidden`,
        coordinates: [value],
      }));
  });
}

/** Coordinates of the values of an enum, or names of the types of an interface or union. */
function valuesOf(schema: GraphQLSchema, name: string): readonly string[] {
  const type = schema.getType(name);
  if (isEnumType(type)) return type.getValues().map((value) => `${name}.${value.name}`);
  return isAbstractType(type) ? schema.getPossibleTypes(type).map((possible) => possible.name) : [];
}

/** Finds fragments on interfaces and unions that apply to a type in the schema `old` and no longer do in `next`,
 *  although the type is still returned there: what they select is missing from the response. */
export function findUnmatchedTypes(
  document: DocumentNode,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly LostData[] {
  const operation = operationOf(document);
  const root = old.getRootType(operation.operation);
  const fragments = fragmentsOf(document);
  const found = new Map<string, LostData>();
  const seen = new Set<string>();
  if (root != null)
    walk(operation.selectionSet, root, objectTypes(old, root.name), objectTypes(next, root.name));
  return [...found.values()];

  /** `before` and `after`: the object types that the selections apply to in both schemas. */
  function walk(
    { selections }: SelectionSetNode,
    type: GraphQLNamedType,
    before: ReadonlySet<string>,
    after: ReadonlySet<string>,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(type, selection.name.value);
        if (field === undefined || selection.selectionSet === undefined) continue;
        const inner = getNamedType(field.type);
        walk(selection.selectionSet, inner, objectTypes(old, inner.name), objectTypes(next, inner.name));
        continue;
      }
      const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
      const fragment = isSpread ? fragments.get(selection.name.value) : selection;
      if (fragment === undefined) continue;
      // Visiting a fragment again for the same types, or within itself, finds nothing new.
      if (isSpread) {
        const key = JSON.stringify([selection.name.value, type.name, ...before, '', ...after]);
        if (seen.has(key)) continue;
        seen.add(key);
      }
      const condition = fragment.typeCondition?.name.value ?? type.name;
      const inner = old.getType(condition);
      if (inner === undefined) continue;
      const [applied, applies] = [objectTypes(old, condition), objectTypes(next, condition)];
      for (const name of before.intersection(applied)) {
        if (!after.has(name) || applies.size === 0 || applies.has(name)) continue;
        const message = `the fragment on ${condition} no longer applies to ${name}`;
        found.set(message, { message, coordinates: [name] });
      }
      walk(fragment.selectionSet, inner, before.intersection(applied), after.intersection(applies));
    }
  }
}

/** The object types that a value of a type can have; empty when the schema lacks the type. */
function objectTypes(schema: GraphQLSchema, name: string): Set<string> {
  return new Set(possibleTypesOf(schema, schema.getType(name)).map((possible) => possible.name));
}
