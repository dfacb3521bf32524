import {
  type DocumentNode,
  execute,
  type FieldNode,
  type GraphQLSchema,
  getIntrospectionQuery,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
} from 'graphql';
import { GatewayError } from '../errors.ts';
import { usedVariableDefinitions } from '../planning/usedVariableDefinitions.ts';
import { fragmentsOf } from './fragmentsOf.ts';
import type { FieldSelection, Selection, SelectionSet } from './selection.ts';

/** A document with the introspection fields at the root of the operation, under their internal names. `undefined` if
 *  there are none.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` if they read the schema too often. */
export function createIntrospectionDocument(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  root: SelectionSet,
): DocumentNode | undefined {
  const fields = root.selections.flatMap(introspectionFieldsOf);
  if (fields.length === 0) return undefined;
  const selectionSet = { kind: Kind.SELECTION_SET, selections: fields } as const;
  checkIntrospectionSize(schema, selectionSet);
  return {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        kind: Kind.OPERATION_DEFINITION,
        operation: operation.operation,
        // graphql-js would coerce the other variables again, as the client sent them.
        variableDefinitions: usedVariableDefinitions(operation, selectionSet),
        selectionSet,
      },
    ],
  };
}

/** Executes introspection fields. Keys of the result are internal names. Only `__type(name:)` can depend on variables.
 *  @throws {GatewayError} `BAD_USER_INPUT` for the null of a variable that is nullable because it has a default. */
export function executeIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const result = execute({ schema, document, variableValues: { ...variables } });
  if ('then' in result) throw new Error('Introspection is synchronous.');
  const [error] = result.errors ?? [];
  if (error !== undefined) throw new GatewayError('BAD_USER_INPUT', error.message);
  return result.data ?? {};
}

/** How many times the values of the usual introspection query an operation may read. graphql-js executes all of them in one
 *  turn of the event loop. */
const maxIntrospections = 2;

/** Maximum lengths of the lists of introspection, by field, and an estimate of the usual query. */
interface SchemaSize {
  readonly lengths: ReadonlyMap<string, number>;
  readonly wholeSchema: number;
}

const schemaSizes = new WeakMap<GraphQLSchema, SchemaSize>();

function checkIntrospectionSize(schema: GraphQLSchema, selectionSet: SelectionSetNode): void {
  let size = schemaSizes.get(schema);
  if (size === undefined) {
    size = measureSchema(schema);
    schemaSizes.set(schema, size);
  }
  if (countValues(selectionSet, size.lengths) <= maxIntrospections * size.wholeSchema) return;
  throw new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `The operation reads more than ${maxIntrospections} times as much of the schema as the usual introspection query. Select less of \`__schema\` and \`__type\`, or split the operation.`,
  );
}

function measureSchema(schema: GraphQLSchema): SchemaSize {
  const types = Object.values(schema.getTypeMap());
  const lengths = new Map([
    ['types', types.length],
    ['directives', schema.getDirectives().length],
  ]);
  const add = (field: string, length: number): void =>
    void lengths.set(field, Math.max(lengths.get(field) ?? 1, length));
  for (const { args } of schema.getDirectives()) add('args', args.length);
  for (const type of types) {
    if (isEnumType(type)) add('enumValues', type.getValues().length);
    if (isInputObjectType(type)) add('inputFields', Object.keys(type.getFields()).length);
    if (isInterfaceType(type) || isUnionType(type))
      add('possibleTypes', schema.getPossibleTypes(type).length);
    if (!isInterfaceType(type) && !isObjectType(type)) continue;
    const fields = Object.values(type.getFields());
    add('fields', fields.length);
    add('interfaces', type.getInterfaces().length);
    for (const { args } of fields) add('args', args.length);
  }
  const usual = parse(getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }));
  const [operation] = usual.definitions as [OperationDefinitionNode];
  return { lengths, wholeSchema: countValues(operation.selectionSet, lengths, usual) };
}

/** `document`: with the fragments that the selections spread. */
function countValues(
  { selections }: SelectionSetNode,
  lengths: SchemaSize['lengths'],
  document?: DocumentNode,
): number {
  let count = 0;
  for (const selection of selections) {
    const inner =
      selection.kind === Kind.FRAGMENT_SPREAD
        ? document && fragmentsOf(document).get(selection.name.value)?.selectionSet
        : selection.selectionSet;
    const values = inner === undefined ? 0 : countValues(inner, lengths, document);
    count += selection.kind === Kind.FIELD ? 1 + (lengths.get(selection.name.value) ?? 1) * values : values;
  }
  return count;
}

function introspectionFieldsOf(selection: Selection): FieldNode[] {
  if (selection.kind === 'Deferred') return selection.own.selections.flatMap(introspectionFieldsOf);
  if (selection.kind !== 'Field') return [];
  if (selection.fieldName !== '__schema' && selection.fieldName !== '__type') return [];
  return [fieldNode(selection)];
}

function fieldNode(field: FieldSelection): FieldNode {
  return {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: field.internalName },
    name: { kind: Kind.NAME, value: field.fieldName },
    arguments: field.arguments,
    ...(field.selectionSet === undefined
      ? {}
      : { selectionSet: { kind: Kind.SELECTION_SET, selections: selectionNodes(field.selectionSet) } }),
  };
}

function selectionNodes(set: SelectionSet | undefined): FieldNode[] {
  return (set?.selections ?? []).flatMap((selection): FieldNode[] => {
    if (selection.kind === 'Fragment') return selectionNodes(selection.selectionSet);
    if (selection.kind === 'Deferred') return selectionNodes(selection.own);
    return [fieldNode(selection)];
  });
}
