import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  isScalarType,
  type OperationDefinitionNode,
} from 'graphql';
import { namedTypeOf } from '../../gateway/planning/supergraphDocument.ts';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';

/** Finds variables of an operation that a gateway with the schema `planned` accepts, and a subgraph may not. The
 *  types of the variables themselves are left to validation. */
export function findInputDifferences(
  operation: OperationDefinitionNode,
  planned: GraphQLSchema,
  target: FetchTarget,
): readonly FetchProblem[] {
  return findVariableDifferences(operation, planned, target.schema).map(
    ({ description, coordinate }): FetchProblem => ({
      kind: 'input',
      isCertain: false,
      message: `variables for subgraph "${target.name}": ${description}`,
      coordinates: [coordinate],
    }),
  );
}

interface InputDifference {
  readonly description: string;
  readonly coordinate: string;
}

/** Finds values that are valid for the variables' types in the schema `source`, and may be invalid for types of the
 *  same names in the schema `target`. */
export function findVariableDifferences(
  { variableDefinitions = [] }: OperationDefinitionNode,
  source: GraphQLSchema,
  target: GraphQLSchema,
): readonly InputDifference[] {
  const differences: InputDifference[] = [];
  const seen = new Set<string>();
  for (const definition of variableDefinitions) {
    const name = namedTypeOf(definition);
    const [from, to] = [source.getType(name), target.getType(name)];
    if (isInputType(from) && isInputType(to)) compare(from, to);
  }
  return differences;

  /** Compares types that may have different names: clients do not pass the names of types inside a variable. */
  function compare(from: GraphQLNamedType, to: GraphQLNamedType): void {
    const key = `${from.name} ${to.name}`;
    if (seen.has(key)) return;
    seen.add(key);
    if (isEnumType(from) && isEnumType(to)) {
      for (const value of from.getValues()) {
        if (to.getValue(value.name) != null) continue;
        const coordinate = `${from.name}.${value.name}`;
        add(`the value ${coordinate} is no longer accepted`, coordinate);
      }
    }
    if (isInputObjectType(from) && isInputObjectType(to)) compareFields(from, to);
    // A custom scalar may accept every value. Types with different names are compared where a value is passed.
    else if (from.name === to.name && from.constructor !== to.constructor && !isScalarType(to))
      add(`${to.name} is another kind of type`, to.name);
  }

  function compareFields(from: GraphQLInputObjectType, to: GraphQLInputObjectType): void {
    if (to.isOneOf && !from.isOneOf)
      add(`${to.name} is @oneOf, but several fields or null may be passed`, to.name);
    for (const field of Object.values(to.getFields())) {
      const same = from.getFields()[field.name];
      const coordinate = `${to.name}.${field.name}`;
      if (same === undefined) {
        if (isRequiredInputField(field))
          add(`${coordinate} is required, but clients do not know it`, coordinate);
      } else if (isRequiredInputField(field) && !isRequiredInputField(same)) {
        add(`${coordinate} is required, but may be omitted`, coordinate);
      } else if (!isAssignableInput(same.type, field.type)) {
        add(`${coordinate} is passed as ${same.type}, but expected as ${field.type}`, coordinate);
      }
    }
    for (const field of Object.values(from.getFields())) {
      const coordinate = `${from.name}.${field.name}`;
      const same = to.getFields()[field.name];
      if (same === undefined) add(`${coordinate} is not known`, coordinate);
      else compare(getNamedType(field.type), getNamedType(same.type));
    }
  }

  function add(description: string, coordinate: string): void {
    differences.push({ description, coordinate });
  }
}

/** Whether every value of one type, given in a variable, is a value of the other. Values of enums and fields of input
 *  objects are compared separately. */
function isAssignableInput(source: GraphQLInputType, target: GraphQLInputType): boolean {
  if (isNonNullType(target)) return isNonNullType(source) && isAssignableInput(source.ofType, target.ofType);
  if (isNonNullType(source)) return isAssignableInput(source.ofType, target);
  if (isListType(target)) {
    if (isListType(source)) return isAssignableInput(source.ofType, target.ofType);
    // GraphQL coerces a single value to a list of one, and null to null.
    return isAssignableInput(source, getNullableType(target.ofType));
  }
  return !isListType(source) && isCoercible(source, target);
}

function isCoercible(source: GraphQLNamedType, target: GraphQLNamedType): boolean {
  if (source.name === target.name) return true;
  if (isEnumType(source) && isEnumType(target)) return true;
  if (isInputObjectType(source) && isInputObjectType(target)) return true;
  // In a variable, a value of an enum is a string.
  return coercions.get(target.name)?.has(isEnumType(source) ? 'String' : source.name) === true;
}

/** Scalars whose values another scalar accepts in a variable. */
const coercions: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Float', new Set(['Int'])],
  ['ID', new Set(['Int', 'String'])],
  ['String', new Set(['String'])],
]);
