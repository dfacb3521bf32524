import {
  type FieldNode,
  type GraphQLSchema,
  getArgumentValues,
  getVariableValues,
  Kind,
  visit,
} from 'graphql';
import { isRawNumber, isRounded, type RawNumber, toNumber } from '../../json/exactJson.ts';
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
  const definition = schema.getSubscriptionType()?.getFields()[node.name.value];
  if (definition === undefined) return {};
  const { variableDefinitions = [] } = step.shape.document;
  const coerce = (convertRaw: (number: RawNumber) => unknown) =>
    getVariableValues(schema, variableDefinitions, withOwnInputFields(schema, variables, convertRaw)).coerced;
  // An `ID` needs all digits, and a `Float` a number.
  const coerced = coerce(({ rawJSON }) => rawJSON) ?? coerce(toNumber) ?? {};
  try {
    return getArgumentValues(definition, withLongNumbersAsTexts(node), coerced);
  } catch {
    return getArgumentValues(definition, node, coerced);
  }
}

/** graphql-js turns a literal of a custom scalar into a JavaScript number, which may lack digits. */
function withLongNumbersAsTexts(node: FieldNode): FieldNode {
  const toText = ({ value }: { readonly value: string }) =>
    isRounded(Number(value), value) ? ({ kind: Kind.STRING, value } as const) : undefined;
  return visit(node, { [Kind.SELECTION_SET]: () => false, [Kind.INT]: toText, [Kind.FLOAT]: toText });
}

/** Compares numbers as strings: an `ID` is a string in GraphQL, and often a number in an event. */
function isEqual(value: unknown, expected: unknown): boolean {
  if (value === expected) return true;
  if (isRawNumber(value)) return isEqual(value.rawJSON, expected);
  if (typeof value === 'number' || typeof expected === 'number') {
    return (
      ['number', 'string'].includes(typeof value) &&
      ['number', 'string'].includes(typeof expected) &&
      String(value) === String(expected)
    );
  }
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
