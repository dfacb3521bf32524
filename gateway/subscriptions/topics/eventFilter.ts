import { type GraphQLSchema, getArgumentValues, getVariableValues } from 'graphql';
import type { RootField } from './rootField.ts';

export type EventFilter = (event: Readonly<Record<string, unknown>>) => boolean;

/** Which events are for a client that gives these arguments. `filter`: paths in the event by the arguments' names.
 *  `variables`: as the client has sent them. */
export function createEventFilter(
  filter: Readonly<Record<string, string>>,
  field: RootField,
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
): EventFilter {
  const given = argumentsOf(field, schema, variables);
  const wanted = Object.entries(filter).flatMap(([name, path]) => {
    const value = given[name];
    return value === undefined || value === null ? [] : [{ value, path: path.split('.') }];
  });
  return (event) => wanted.every(({ value, path }) => isEqual(valueAt(event, path), value));
}

function argumentsOf(
  { node, step }: RootField,
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const definition = schema.getSubscriptionType()?.getFields()[node.name.value];
  if (definition === undefined) return {};
  const { variableDefinitions = [] } = step.shape.document;
  const { coerced = {} } = getVariableValues(schema, variableDefinitions, variables);
  return getArgumentValues(definition, node, coerced);
}

function valueAt(event: unknown, path: readonly string[]): unknown {
  let value = event;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** An `ID` is text in GraphQL, and often a number in an event. */
function isEqual(value: unknown, wanted: unknown): boolean {
  if (value === wanted) return true;
  if (typeof value === 'number' || typeof wanted === 'number') {
    return (
      ['number', 'string'].includes(typeof value) &&
      ['number', 'string'].includes(typeof wanted) &&
      String(value) === String(wanted)
    );
  }
  if (typeof value !== 'object' || typeof wanted !== 'object' || value === null || wanted === null) {
    return false;
  }
  if (Array.isArray(value) !== Array.isArray(wanted)) return false;
  const names = Object.keys(wanted);
  return (
    Object.keys(value).length === names.length &&
    names.every(
      (name) =>
        Object.hasOwn(value, name) &&
        isEqual((value as Record<string, unknown>)[name], (wanted as Record<string, unknown>)[name]),
    )
  );
}
