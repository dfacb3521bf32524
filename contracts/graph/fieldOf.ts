import { type GraphQLField, type GraphQLNamedType, isInterfaceType, isObjectType } from 'graphql';

/** A field of an object type or an interface; `undefined` when there is no such field. */
export function fieldOf(
  type: GraphQLNamedType | undefined,
  fieldName: string,
): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
}
