import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  type OperationDefinitionNode,
  type TypeNode,
} from 'graphql';
import type { FetchProblem, FetchTarget } from './fetchProblem.ts';

/** Finds variables of an operation that a gateway with the schema `planned` accepts, and a subgraph may not. The
 *  types of the variables themselves are left to validation. */
export function findInputDifferences(
  operation: OperationDefinitionNode,
  planned: GraphQLSchema,
  target: FetchTarget,
): readonly FetchProblem[] {
  return findVariableDifferences(operation, planned, target.schema).map(
    ({ isCertain, description, coordinate }): FetchProblem => ({
      kind: 'input',
      isCertain,
      message: `variables for subgraph "${target.name}": ${description}`,
      coordinates: [coordinate],
    }),
  );
}

interface InputDifference {
  /** Whether every value is refused; otherwise it depends on the value. */
  readonly isCertain: boolean;
  readonly description: string;
  readonly coordinate: string;
}

/** Finds values that are valid for the variables' types in the schema `given`, and may be invalid for types of the
 *  same names in the schema `taken`. */
export function findVariableDifferences(
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: GraphQLSchema,
  taken: GraphQLSchema,
): readonly InputDifference[] {
  const differences: InputDifference[] = [];
  const seen = new Set<string>();
  for (const { type } of variableDefinitions) compare(namedTypeOf(type));
  return differences;

  function compare(name: string): void {
    if (seen.has(name)) return;
    seen.add(name);
    const [from, to] = [given.getType(name), taken.getType(name)];
    if (isEnumType(from) && isEnumType(to)) {
      for (const value of from.getValues()) {
        if (to.getValue(value.name) != null) continue;
        const coordinate = `${name}.${value.name}`;
        add(false, `the value ${coordinate} is no longer accepted`, coordinate);
      }
    }
    if (isInputObjectType(from) && isInputObjectType(to)) compareFields(from.name, from, to);
  }

  function compareFields(name: string, from: GraphQLInputObjectType, to: GraphQLInputObjectType): void {
    for (const field of Object.values(to.getFields())) {
      const same = from.getFields()[field.name];
      const coordinate = `${name}.${field.name}`;
      if (same === undefined) {
        if (isRequiredInputField(field))
          add(true, `${coordinate} is required, but clients do not know it`, coordinate);
      } else if (isRequiredInputField(field) && !isRequiredInputField(same)) {
        add(false, `${coordinate} is required, but may be omitted`, coordinate);
      } else if (!isAssignableInput(same.type, field.type)) {
        add(false, `${coordinate} is passed as ${same.type}, but expected as ${field.type}`, coordinate);
      }
    }
    for (const field of Object.values(from.getFields())) {
      const coordinate = `${name}.${field.name}`;
      if (to.getFields()[field.name] === undefined) add(false, `${coordinate} is not known`, coordinate);
      else compare(getNamedType(field.type).name);
    }
  }

  function add(isCertain: boolean, description: string, coordinate: string): void {
    differences.push({ isCertain, description, coordinate });
  }
}

/** Whether every value of one type is a value of the other. Named types are compared by name. */
function isAssignableInput(given: GraphQLInputType, taken: GraphQLInputType): boolean {
  if (isNonNullType(taken)) return isNonNullType(given) && isAssignableInput(given.ofType, taken.ofType);
  if (isNonNullType(given)) return isAssignableInput(given.ofType, taken);
  // GraphQL coerces a single value to a list of one.
  if (isListType(taken)) return isAssignableInput(isListType(given) ? given.ofType : given, taken.ofType);
  return !isListType(given) && given.name === taken.name;
}

function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type);
}
