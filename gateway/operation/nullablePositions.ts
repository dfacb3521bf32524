import {
  type GraphQLCompositeType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isListType,
  isNonNullType,
} from 'graphql';

/** Whether an answer may have null for the field, whatever the object's type turns out to be. */
export function canBeNull(schema: GraphQLSchema, parent: GraphQLCompositeType, fieldName: string): boolean {
  return fieldTypes(schema, parent, fieldName).every((type) => !isNonNullType(type));
}

/** The same for the field or an element of its list: something above what is selected of it. */
export function hasNullablePosition(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  fieldName: string,
): boolean {
  return fieldTypes(schema, parent, fieldName).every(isNullableSomewhere);
}

/** Of every type that an object may have: an object's field may be non-null where its interface's is not. */
function fieldTypes(
  schema: GraphQLSchema,
  parent: GraphQLCompositeType,
  fieldName: string,
): readonly GraphQLOutputType[] {
  const types = isAbstractType(parent) ? schema.getPossibleTypes(parent) : [parent];
  return types.flatMap((type) => type.getFields()[fieldName]?.type ?? []);
}

function isNullableSomewhere(type: GraphQLOutputType): boolean {
  if (!isNonNullType(type)) return true;
  return isListType(type.ofType) && isNullableSomewhere(type.ofType.ofType);
}
