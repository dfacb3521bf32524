import {
  type GraphQLAbstractType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import type { RuntimeType, SelectionSet } from '../operation/selection.ts';

/** The type by which an object is shaped where the schema declares an abstract one; `undefined` where the
 *  API schema has no such type.
 *
 *  A subgraph with an `@interfaceObject` does not know the runtime type, and the planner has another one asked
 *  only where the selection cannot do without. Then all possible types give the same answer. */
export function runtimeTypeOf(
  schema: GraphQLSchema,
  declared: GraphQLAbstractType,
  set: SelectionSet | undefined,
  typename: unknown,
): RuntimeType | undefined {
  const named = typeof typename === 'string' ? schema.getType(typename) : undefined;
  if (isObjectType(named)) return schema.isSubType(declared, named) ? named : undefined;
  if (typename !== undefined && !isAbstractType(named)) return undefined;
  if (set === undefined || set.dependsOnType) return undefined;
  return schema.getPossibleTypes(declared)[0] ?? (isInterfaceType(declared) ? declared : undefined);
}
