import {
  type ASTNode,
  type GraphQLField,
  GraphQLFloat,
  GraphQLInt,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLType,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  isInputObjectType,
  Kind,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { isRawNumber, isRounded, toNumber } from '../../json/exactJson.ts';
import { isObject } from '../../json/isObject.ts';
import { valueAt } from '../../json/valueAt.ts';
import { withOwnInputFields } from '../../operation/coerceVariables.ts';
import type { RootField } from './rootField.ts';

export type EventFilter = (event: Readonly<Record<string, unknown>>) => boolean;

/** Creates a filter that accepts the events for a client with these arguments. `filter`: paths in the event by argument
 *  name. `variables`: as the client sent them. */
export function createEventFilter(
  filter: Readonly<Record<string, string>>,
  field: RootField,
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
): EventFilter {
  const args = argumentsOf(field, schema, variables);
  const expected = Object.entries(filter).flatMap(([name, path]) => {
    const value = args[name];
    return value === undefined || value === null ? [] : [{ value, path: path.split('.') }];
  });
  return (event) => expected.every(({ value, path }) => isEqual(valueAt(event, path), value));
}

function argumentsOf(
  { node, step }: RootField,
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const type = schema.getSubscriptionType() as GraphQLObjectType;
  const definition = type.getFields()[node.name.value] as GraphQLField<unknown, unknown>;
  const definitions = (step.shape.document.variableDefinitions ?? []).map((variable) =>
    withExactLiterals(variable, schema),
  );
  const given = Object.fromEntries(
    definitions.flatMap(({ variable: { name }, type: variableType }) =>
      Object.hasOwn(variables, name.value)
        ? [[name.value, withExactNumbers(variables[name.value], typeFromAST(schema, variableType))]]
        : [],
    ),
  );
  const { coerced = {} } = getVariableValues(schema, definitions, withOwnInputFields(schema, given));
  return getArgumentValues(definition, withExactLiterals(node, schema, type), coerced);
}

/** A copy with text in place of each number that is not an `Int` or a `Float`: as a JavaScript number, an `ID` or a value of a
 *  custom scalar may lack digits. */
function withExactNumbers(value: unknown, type: GraphQLType | undefined): unknown {
  if (Array.isArray(value)) return value.map((element) => withExactNumbers(element, type));
  if (typeof value === 'number') return isNumeric(type) ? value : String(value);
  if (isRawNumber(value)) return isNumeric(type) ? toNumber(value) : value.rawJSON;
  if (!isObject(value)) return value;
  const named = getNamedType(type);
  const fields = isInputObjectType(named) ? named.getFields() : undefined;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withExactNumbers(member, fields?.[name]?.type)]),
  );
}

/** The same for literals, which graphql-js turns into JavaScript numbers. */
function withExactLiterals<Node extends ASTNode>(
  node: Node,
  schema: GraphQLSchema,
  parentType?: GraphQLType | null,
): Node {
  const types = new TypeInfo(schema, parentType);
  const toText = ({ value }: { readonly value: string }) =>
    isNumeric(types.getInputType())
      ? undefined
      : ({
          kind: Kind.STRING,
          value: isRounded(Number(value), value) ? value : String(Number(value)),
        } as const);
  const visitor = { [Kind.SELECTION_SET]: () => false, [Kind.INT]: toText, [Kind.FLOAT]: toText };
  return visit(node, visitWithTypeInfo(types, visitor));
}

function isNumeric(type: GraphQLType | null | undefined): boolean {
  const named = getNamedType(type);
  return named === GraphQLInt || named === GraphQLFloat;
}

/** Compares numbers as texts: an `ID` is a string in GraphQL, and often a number in an event. `expected` is a number for an
 *  `Int` or a `Float`. */
function isEqual(value: unknown, expected: unknown): boolean {
  if (value === expected) return true;
  if (typeof expected === 'number')
    return isRawNumber(value) ? toNumber(value) === expected : value === String(expected);
  if (typeof expected === 'string')
    return isRawNumber(value)
      ? value.rawJSON === expected
      : typeof value === 'number' && String(value) === expected;
  if (typeof value !== 'object' || typeof expected !== 'object' || value === null || expected === null) {
    return false;
  }
  if (Array.isArray(value) !== Array.isArray(expected)) return false;
  const names = Object.keys(expected);
  return (
    Object.keys(value).length === names.length &&
    names.every(
      (name) =>
        Object.hasOwn(value, name) &&
        isEqual((value as Record<string, unknown>)[name], (expected as Record<string, unknown>)[name]),
    )
  );
}
