import {
  type GraphQLAbstractType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import type { RuntimeType, SelectionSet } from '../operation/selection.ts';

/** The type that an object is shaped by when the schema declares an abstract one; `undefined` if the API schema does
 *  not have the type.
 *
 *  A subgraph with an `@interfaceObject` does not know the runtime type, and the planner adds a fetch for it only if
 *  the selection depends on it. Otherwise all possible types have the same fields, and any of them will do. */
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
