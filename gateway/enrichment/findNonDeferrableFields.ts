import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/** Which of these fields no query can get late: they are non-null, and on every way from the query root to them
 *  everything is, so that nothing could be null in their place. Fields that no query reaches are not among them. */
export function findNonDeferrableFields(schema: GraphQLSchema, coordinates: readonly string[]): string[] {
  const nonNull = coordinates.filter((coordinate) => isNonNullEverywhere(schema, coordinate));
  if (nonNull.length === 0) return [];
  const reached = findReachableTypes(schema);
  return nonNull.filter((coordinate) => {
    const types = objectTypesOf(schema, coordinate.split('.')[0] ?? '').filter((type) => reached.has(type));
    return types.length > 0 && types.every((type) => reached.get(type) === 'by non-null only');
  });
}

function isNonNullEverywhere(schema: GraphQLSchema, coordinate: string): boolean {
  const [typeName = '', fieldName = ''] = coordinate.split('.');
  return objectTypesOf(schema, typeName).every((type) => isNonNullType(type.getFields()[fieldName]?.type));
}

function objectTypesOf(schema: GraphQLSchema, typeName: string): readonly GraphQLObjectType[] {
  const type = schema.getType(typeName);
  if (isObjectType(type)) return [type];
  return isAbstractType(type) ? schema.getPossibleTypes(type) : [];
}

type Reachability = 'by non-null only' | 'by nullable too';

/** The object types that queries reach, and whether something on one of the ways there can be null. */
function findReachableTypes(schema: GraphQLSchema): ReadonlyMap<GraphQLObjectType, Reachability> {
  const reached = new Map<GraphQLObjectType, Reachability>();
  const waiting: GraphQLObjectType[] = [];
  const reach = (type: GraphQLObjectType, how: Reachability): void => {
    if (reached.get(type) === how || reached.get(type) === 'by nullable too') return;
    reached.set(type, how);
    waiting.push(type);
  };
  const root = schema.getQueryType();
  if (root != null) reach(root, 'by non-null only');
  // Each type is visited twice at most: when it is found, and when a nullable way to it is.
  for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
    const above = reached.get(type);
    for (const field of Object.values(type.getFields())) {
      const how =
        above === 'by nullable too' || isNullableSomewhere(field.type)
          ? 'by nullable too'
          : 'by non-null only';
      const inner = getNamedType(field.type);
      if (!isCompositeType(inner)) continue;
      for (const objectType of isAbstractType(inner) ? schema.getPossibleTypes(inner) : [inner]) {
        reach(objectType, how);
      }
    }
  }
  return reached;
}

/** Whether the field or an element of its list can be null. */
function isNullableSomewhere(type: GraphQLOutputType): boolean {
  if (!isNonNullType(type)) return true;
  return isListType(type.ofType) && isNullableSomewhere(type.ofType.ofType);
}
