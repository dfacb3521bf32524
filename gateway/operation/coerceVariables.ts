import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import { GatewayError } from '../errors.ts';

type CoercedVariables =
  | { readonly kind: 'coerced'; readonly values: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** Checks the client's variables against the operation's definitions and fills in defaults.
 *  Errors: `OPERATION_TOO_COMPLEX` where their lists and objects hold more than `maxValues` values. They nest no
 *  deeper than a limit that was checked before. */
export function coerceVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  given: Readonly<Record<string, unknown>>,
  maxValues: number,
): CoercedVariables {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { kind: 'coerced', values: noValues };
  checkValueCount(given, maxValues);
  // Object.prototype's members are no variables: a copy without it keeps `toString` from being one.
  const own = Object.assign(Object.create(null) as Record<string, unknown>, given);
  const result = getVariableValues(schema, definitions, own, { maxErrors: 0 });
  if (result.errors === undefined) return { kind: 'coerced', values: result.coerced ?? noValues };
  // Each of the messages quotes the value that it is about.
  const short = truncateStrings(own) as typeof own;
  return {
    kind: 'refused',
    errors: getVariableValues(schema, definitions, short, { maxErrors: 50 }).errors ?? result.errors,
  };
}

function checkValueCount(variables: Readonly<Record<string, unknown>>, allowed: number): void {
  let values = 0;
  const open: unknown[] = Object.values(variables);
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const held: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    values += held.length;
    if (values > allowed) {
      throw new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The variables hold at least ${values} values; at most ${allowed} are allowed (limits.variableValues).`,
        { extensions: { limit: 'variableValues', value: values, allowed } },
      );
    }
    for (const element of held) open.push(element);
  }
}

/** A copy in which no string is long. */
function truncateStrings(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.length > maxQuotedLength ? `${value.slice(0, maxQuotedLength)}…` : value;
  }
  if (Array.isArray(value)) return value.map(truncateStrings);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(value))
    copy[key.slice(0, maxQuotedLength)] = truncateStrings(member);
  return copy;
}

/** Characters of one string in a message. */
const maxQuotedLength = 200;

const noValues: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

/** Names of the variables that `@skip`, `@include` or `@defer(if:)` use anywhere in the document, sorted. */
export function conditionVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    [Kind.DIRECTIVE]: (directive) => {
      const name = directive.name.value;
      if (name !== 'skip' && name !== 'include' && name !== 'defer') return;
      for (const argument of directive.arguments ?? []) {
        if (argument.name.value === 'if' && argument.value.kind === Kind.VARIABLE) {
          names.add(argument.value.name.value);
        }
      }
    },
  });
  return [...names].sort();
}
