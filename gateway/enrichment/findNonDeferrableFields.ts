import { type GraphQLObjectType, type GraphQLSchema, getNamedType, isNonNullType } from 'graphql';
import { isNullableSomewhere } from '../operation/nullablePositions.ts';
import { possibleTypesOf } from '../operation/possibleTypesOf.ts';

/** Returns the fields that every first response must wait for: the field and all positions on every path from the query
 *  root to it are non-null, so that nothing can be null in its place. Fields that no query reaches are not returned. */
export function findNonDeferrableFields(schema: GraphQLSchema, coordinates: readonly string[]): string[] {
  const nonNull = coordinates.filter((coordinate) => isNonNullEverywhere(schema, coordinate));
  if (nonNull.length === 0) return [];
  const reached = findReachableTypes(schema);
  return nonNull.filter((coordinate) => {
    const types = typesAt(schema, coordinate).filter((type) => reached.has(type));
    return types.length > 0 && types.every((type) => reached.get(type) === 'non-null only');
  });
}

/** The object types that have the field at a coordinate. */
function typesAt(schema: GraphQLSchema, coordinate: string): readonly GraphQLObjectType[] {
  return possibleTypesOf(schema, schema.getType(coordinate.split('.')[0] ?? ''));
}

function isNonNullEverywhere(schema: GraphQLSchema, coordinate: string): boolean {
  const [, fieldName = ''] = coordinate.split('.');
  return typesAt(schema, coordinate).every((type) => isNonNullType(type.getFields()[fieldName]?.type));
}

type Reachability = 'non-null only' | 'nullable';

/** The object types that queries reach, and whether a position on one of the paths to them is nullable. */
function findReachableTypes(schema: GraphQLSchema): ReadonlyMap<GraphQLObjectType, Reachability> {
  const reached = new Map<GraphQLObjectType, Reachability>();
  const waiting: GraphQLObjectType[] = [];
  const reach = (type: GraphQLObjectType, reachability: Reachability): void => {
    if (reached.get(type) === reachability || reached.get(type) === 'nullable') return;
    reached.set(type, reachability);
    waiting.push(type);
  };
  const root = schema.getQueryType();
  if (root != null) reach(root, 'non-null only');
  // Each type is visited at most twice: when it is found, and when a nullable path to it is found.
  for (let type = waiting.pop(); type !== undefined; type = waiting.pop()) {
    const parent = reached.get(type);
    for (const field of Object.values(type.getFields())) {
      const reachability =
        parent === 'nullable' || isNullableSomewhere(field.type) ? 'nullable' : 'non-null only';
      for (const objectType of possibleTypesOf(schema, getNamedType(field.type))) {
        reach(objectType, reachability);
      }
    }
  }
  return reached;
}
