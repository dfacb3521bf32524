import {
  type GraphQLCompositeType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isListType,
  isNonNullType,
} from 'graphql';
import { possibleTypesOf } from './possibleTypesOf.ts';

/** Whether the field is nullable on every possible runtime type of the parent. */
export function canBeNull(schema: GraphQLSchema, parent: GraphQLCompositeType, fieldName: string): boolean {
  return fieldTypes(schema, parent, fieldName).every((type) => !isNonNullType(type));
}

/** Whether the field, or a list element of its type, is nullable on every possible runtime type of the parent. */
export function hasNullablePosition(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  fieldName: string,
): boolean {
  return fieldTypes(schema, parent, fieldName).every(isNullableSomewhere);
}

/** Types of the field on all possible runtime types. An object type may declare non-null what its interface does not. */
function fieldTypes(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  fieldName: string,
): readonly GraphQLOutputType[] {
  return possibleTypesOf(schema, parent).flatMap((type) => type.getFields()[fieldName]?.type ?? []);
}

/** Whether a field of this type, or an element of its list, can be null. */
export function isNullableSomewhere(type: GraphQLOutputType): boolean {
  if (!isNonNullType(type)) return true;
  return isListType(type.ofType) && isNullableSomewhere(type.ofType.ofType);
}
