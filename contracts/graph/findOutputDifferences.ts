import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  isScalarType,
} from 'graphql';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';
import { fieldOf } from './fieldOf.ts';

/** Finds how the values that a subgraph serves for a field differ from what a gateway expects. `planned` is the
 *  gateway's schema, including elements that clients do not see. `isTypeNamed`: the gateway fetches `__typename`. */
export function findOutputDifferences(
  typeName: string,
  served: GraphQLField<unknown, unknown>,
  planned: GraphQLSchema,
  target: FetchTarget,
  isTypeNamed: boolean,
): readonly FetchProblem[] {
  const expected = fieldOf(planned.getType(typeName), served.name);
  if (expected === undefined) return [];
  const coordinate = `${typeName}.${served.name}`;
  const schemas = { expectedIn: planned, servedIn: target.schema, isTypeNamed };
  return findTypeDifferences(expected.type, served.type, schemas).map(
    ({ kind, description, coordinates }): FetchProblem => ({
      kind,
      isCertain: kind === 'other type',
      message:
        kind === 'unknown value'
          ? `subgraph "${target.name}" serves values of ${coordinate} that the gateway does not know: ${description}`
          : `subgraph "${target.name}" serves ${coordinate} as ${served.type}, but the gateway expects ${expected.type}: ${description}`,
      coordinates: [coordinate, ...coordinates],
    }),
  );
}

interface TypeDifference {
  readonly kind: 'other type' | 'may be null' | 'unknown value';
  readonly description: string;
  /** Unknown values and types, besides the field itself. */
  readonly coordinates: readonly string[];
}

interface TypeComparison {
  readonly expectedIn: GraphQLSchema;
  readonly servedIn: GraphQLSchema;
  /** Whether the selection contains `__typename`. Otherwise an object type may have another name. */
  readonly isTypeNamed: boolean;
}

/** Finds how values of the type `served` in one schema can violate what a client of the type `expected` in another
 *  schema relies on. */
export function findTypeDifferences(
  expected: GraphQLOutputType,
  served: GraphQLOutputType,
  comparison: TypeComparison,
): readonly TypeDifference[] {
  if (isNonNullType(served)) {
    const inner = isNonNullType(expected) ? expected.ofType : expected;
    return findTypeDifferences(inner, served.ofType, comparison);
  }
  if (isNonNullType(expected)) {
    return [
      { kind: 'may be null', description: `${served} may be null`, coordinates: [] },
      ...findTypeDifferences(expected.ofType, served, comparison),
    ];
  }
  if (isListType(expected) && isListType(served)) {
    return findTypeDifferences(expected.ofType, served.ofType, comparison);
  }
  if (isListType(expected) || isListType(served)) return [incompatibleType(expected, served)];
  return findNamedTypeDifferences(expected, served, comparison);
}

function findNamedTypeDifferences(
  expected: GraphQLNamedType,
  served: GraphQLNamedType,
  comparison: TypeComparison,
): readonly TypeDifference[] {
  if (areStringTypes(expected, served) || isIntServedAsFloat(expected, served)) return [];
  if (expected.name !== served.name && !mayBeRenamed(expected, served, comparison)) {
    return [incompatibleType(expected, served)];
  }
  if (isEnumType(expected) && isScalarType(served)) {
    const description = `it may be any value of the scalar ${served}`;
    return [{ kind: 'unknown value', description, coordinates: [served.name] }];
  }
  const unknown = isEnumType(served)
    ? findUnknownValues(expected, served.getValues(), served.name)
    : findUnknownTypes(expected, served, comparison);
  if (unknown.length === 0) return [];
  return [{ kind: 'unknown value', description: `it may be ${unknown.join(', ')}`, coordinates: unknown }];
}

/** Whether values of a type with another name can be what the client expects. Validation checks the selected fields. */
function mayBeRenamed(
  expected: GraphQLNamedType,
  served: GraphQLNamedType,
  { isTypeNamed }: TypeComparison,
): boolean {
  if (isEnumType(expected)) return isEnumType(served);
  if (!isCompositeType(expected) || !isCompositeType(served)) return false;
  // The names that clients get from an interface or union are those of its types.
  return isAbstractType(expected) || !isTypeNamed;
}

/** Both arrive as strings. */
function areStringTypes(...types: readonly GraphQLNamedType[]): boolean {
  return types.every(({ name }) => name === 'ID' || name === 'String');
}

/** A client that expects a Float can handle an Int, but not the other way round. */
function isIntServedAsFloat(expected: GraphQLNamedType, served: GraphQLNamedType): boolean {
  return expected.name === 'Float' && served.name === 'Int';
}

function findUnknownValues(
  expected: GraphQLNamedType,
  values: readonly { readonly name: string }[],
  name: string,
): readonly string[] {
  if (!isEnumType(expected)) return [];
  return values.flatMap((value) => (expected.getValue(value.name) == null ? [`${name}.${value.name}`] : []));
}

function findUnknownTypes(
  expected: GraphQLNamedType,
  served: GraphQLNamedType,
  { expectedIn, servedIn }: TypeComparison,
): readonly string[] {
  if (!isAbstractType(expected) || !isCompositeType(served)) return [];
  // A subgraph with `@interfaceObject` serves the interface as an object type.
  if (isObjectType(served) && served.name === expected.name) return [];
  const known = new Set(expectedIn.getPossibleTypes(expected).map(({ name }) => name));
  return possibleTypesOf(servedIn, served).flatMap(({ name }) => (known.has(name) ? [] : [name]));
}

function incompatibleType(
  expected: GraphQLOutputType | GraphQLNamedType,
  served: GraphQLOutputType | GraphQLNamedType,
): TypeDifference {
  return { kind: 'other type', description: `${served} is not ${expected}`, coordinates: [] };
}
