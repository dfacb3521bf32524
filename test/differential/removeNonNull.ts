import {
  GraphQLList,
  type GraphQLOutputType,
  type GraphQLSchema,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/** Changes the schema so that nulls do not propagate. */
export function removeNonNull(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) field.type = nullableOf(field.type);
  }
  return schema;
}

function nullableOf(type: GraphQLOutputType): GraphQLOutputType {
  if (isNonNullType(type)) return nullableOf(type.ofType);
  return isListType(type) ? new GraphQLList(nullableOf(type.ofType)) : type;
}
