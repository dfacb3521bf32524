import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  isInputObjectType,
  Kind,
  type OperationDefinitionNode,
  separateOperations,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { GatewayError } from '../errors.ts';
import { isRawNumber, type RawNumber, toNumber } from '../json/exactJson.ts';
import { truncate } from '../json/truncate.ts';

type CoercedVariables =
  | { readonly kind: 'coerced'; readonly values: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** Coerces the client's variables to the types of the operation's variable definitions, and adds defaults. The nesting
 *  depth of the variables was checked before.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` when lists and objects in the variables contain more than `maxValues`
 *  values. */
export function coerceVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  inputs: Readonly<Record<string, unknown>>,
  maxValues: number,
): CoercedVariables {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { kind: 'coerced', values: noValues };
  // Without a prototype, so that members of Object.prototype such as `toString` are not read as variables. Without the
  // variables that the operation does not define, of which there may be very many.
  const copy: Record<string, unknown> = Object.create(null);
  for (const { variable } of definitions) {
    const name = variable.name.value;
    if (Object.hasOwn(inputs, name)) copy[name] = inputs[name];
  }
  const { hasInfinity, hasRawNumbers } = checkValues(copy, maxValues);
  const given = withOwnInputFields(schema, copy, hasRawNumbers ? toNumber : undefined);
  const result = getVariableValues(schema, definitions, given, { maxErrors: 0 });
  if (result.errors === undefined) {
    if (hasInfinity) {
      const errors = definitions.flatMap((definition) => infinityErrorOf(definition, copy));
      if (errors.length > 0) return { kind: 'refused', errors };
    }
    return { kind: 'coerced', values: result.coerced ?? noValues };
  }
  // Error messages quote the invalid value, which may be long.
  const rounded = new Map<string, string>();
  const round: ConvertRaw = (number) => {
    rounded.set(String(toNumber(number)), truncate(number.rawJSON, maxQuotedDigits));
    return toNumber(number);
  };
  const truncated = copyWithoutPrototypes(
    copy,
    (text) => truncate(text, maxQuotedLength),
    round,
    abridge,
  ) as typeof copy;
  // Each unknown field of an input object is an error that quotes the whole object.
  const fitting = Math.floor(maxQuotedInErrors / JSON.stringify(truncated).length);
  const maxErrors = Math.max(1, Math.min(50, fitting));
  const { errors = result.errors } = getVariableValues(schema, definitions, truncated, { maxErrors });
  if (rounded.size > 0) for (const error of errors) error.message = restoreNumbers(error.message, rounded);
  return { kind: 'refused', errors };
}

/** A message with the numbers that the client has sent in place of rounded ones. `rounded`: their texts by the rounded ones. */
function restoreNumbers(message: string, rounded: ReadonlyMap<string, string>): string {
  // Quoted strings match as a whole, so that digits in them remain.
  return message.replace(stringOrNumber, (token) => rounded.get(token) ?? token);
}

const stringOrNumber = /"(?:[^"\\]|\\.)*"|-?(?:Infinity|\b\d[\d.]*(?:e[+-]\d+)?)/g;

const inheritedNames = new WeakMap<GraphQLSchema, boolean>();

type ConvertRaw = (number: RawNumber) => unknown;

/** Prepares variables for graphql-js, which reads each field of an input object from the given value, also a field such
 *  as `constructor` or `toString` that is only inherited from Object.prototype. `convertRaw` converts raw numbers, which
 *  graphql-js does not know; omitted for variables without any. */
export function withOwnInputFields(
  schema: GraphQLSchema,
  variables: Readonly<Record<string, unknown>>,
  convertRaw?: ConvertRaw,
): Readonly<Record<string, unknown>> {
  let hasInheritedNames = inheritedNames.get(schema);
  if (hasInheritedNames === undefined) {
    hasInheritedNames = Object.values(schema.getTypeMap()).some(
      (type) =>
        isInputObjectType(type) && Object.keys(type.getFields()).some((name) => name in Object.prototype),
    );
    inheritedNames.set(schema, hasInheritedNames);
  }
  if (!hasInheritedNames && convertRaw === undefined) return variables;
  const copy = copyWithoutPrototypes(variables, (text) => text, convertRaw ?? toNumber);
  return copy as Readonly<Record<string, unknown>>;
}

/** A copy in which `convert` has converted all strings and keys, and `convertRaw` the raw numbers. `complete`: called with the
 *  copy of each object. */
function copyWithoutPrototypes(
  value: unknown,
  convert: (text: string) => string,
  convertRaw: ConvertRaw,
  complete?: (copy: object) => void,
): unknown {
  const copyOf = (inner: unknown): unknown => copyWithoutPrototypes(inner, convert, convertRaw, complete);
  if (typeof value === 'string') return convert(value);
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null) return value;
  if (isRawNumber(value)) return convertRaw(value);
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) copy[convert(key)] = copyOf((value as typeof copy)[key]);
  complete?.(copy);
  return copy;
}

/** Lets messages name a few fields of a large object in place of all. graphql-js quotes what `toJSON` returns. */
function abridge(object: object): void {
  const names = Object.keys(object);
  if (names.length <= maxQuotedFields) return;
  const quoted = `{ ${names.slice(0, maxQuotedFields).join(', ')}, … ${names.length - maxQuotedFields} more }`;
  Object.defineProperty(object, 'toJSON', { value: () => quoted });
}

/** Returns whether one of the values is a raw number or infinite: JSON.parse reads a number as infinite that is too large for a
 *  double.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` for more than `allowed` values. */
function checkValues(
  variables: Readonly<Record<string, unknown>>,
  allowed: number,
): { readonly hasInfinity: boolean; readonly hasRawNumbers: boolean } {
  let values = 0;
  let hasInfinity = false;
  let hasRawNumbers = false;
  const open: unknown[] = Object.values(variables);
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'number' && !Number.isFinite(value)) hasInfinity = true;
    if (typeof value !== 'object' || value === null) continue;
    if (isRawNumber(value)) hasRawNumbers = true;
    const before = open.length;
    if (Array.isArray(value)) for (const element of value) open.push(element);
    // `Object.values` and `Object.entries` take twice as long for very many members.
    else for (const name in value) open.push((value as Record<string, unknown>)[name]);
    values += open.length - before;
    if (values > allowed) {
      throw new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The variables hold at least ${values} values; at most ${allowed} are allowed (limits.variableValues).`,
        { extensions: { limit: 'variableValues', value: values, allowed } },
      );
    }
  }
  return { hasInfinity, hasRawNumbers };
}

/** A custom scalar accepts any number, and JSON cannot express an infinite one: the subgraph would get null. */
function infinityErrorOf(
  { variable }: VariableDefinitionNode,
  inputs: Readonly<Record<string, unknown>>,
): GraphQLError[] {
  const name = variable.name.value;
  if (!(name in inputs)) return [];
  if (!checkValues({ [name]: inputs[name] }, Number.POSITIVE_INFINITY).hasInfinity) return [];
  const message = `Variable "$${name}" has a number that is too large for the gateway to pass on. Send it as a string or as a literal.`;
  return [new GraphQLError(message, { nodes: variable })];
}

/** Maximum number of characters of a string that a message quotes. */
const maxQuotedLength = 200;

/** Maximum number of characters of a number that a message quotes. */
const maxQuotedDigits = 40;

/** Maximum number of fields of an object that a message quotes. */
const maxQuotedFields = 50;

/** Maximum number of characters that all errors quote, if they are several. */
const maxQuotedInErrors = 1_000_000;

const noValues: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

/** Names of the variables that `@skip`, `@include` or `@defer` use in their `if` argument, in an operation and in the fragments
 *  that it uses, sorted. */
export function conditionVariables(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): readonly string[] {
  const names = new Set<string>();
  const own = separateOperations(document)[operation.name?.value ?? ''] ?? document;
  visit(own, {
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

/** A nullable variable with a default may be used as a condition, and then its value must not be null. */
export function nullConditionError(
  { variableDefinitions = [] }: OperationDefinitionNode,
  name: string,
): GraphQLError {
  const definition = variableDefinitions.find(({ variable }) => variable.name.value === name);
  return new GraphQLError(
    `Variable "$${name}" is null, and it is the condition of @skip, @include or @defer, which needs true or false. Send one of them, or leave the variable out.`,
    { nodes: definition?.variable ?? null },
  );
}
