import { type GraphQLField, type GraphQLSchema, isInterfaceType, isObjectType } from 'graphql';

/** A field of an object type or an interface; `undefined` when the schema has no such field. */
export function fieldOf(
  schema: GraphQLSchema,
  typeName: string,
  fieldName: string,
): GraphQLField<unknown, unknown> | undefined {
  const type = schema.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
}
