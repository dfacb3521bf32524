import {
  type DocumentNode,
  type FieldNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getArgumentValues,
  getIntrospectionQuery,
  getNullableType,
  getVariableValues,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  parse,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
} from 'graphql';
import { GatewayError } from '../errors.ts';
import { usedVariableDefinitions } from '../planning/usedVariableDefinitions.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { SlicedTask } from '../time/slicedTask.ts';
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

/** Executes introspection fields with the resolvers of graphql-js, in slices: graphql-js itself would execute the usual query
 *  on a large schema in half a second. Keys of the result are internal names. Only `__type(name:)` can depend on variables.
 *  @throws {GatewayError} `BAD_USER_INPUT` for the null of a variable that is nullable because it has a default. */
export function* executeIntrospection(
  schema: GraphQLSchema,
  { definitions }: DocumentNode,
  received: Readonly<Record<string, unknown>>,
): SlicedTask<IntrospectedObject> {
  const [{ variableDefinitions = [], selectionSet }] = definitions as [OperationDefinitionNode];
  try {
    const { coerced: variables, errors } = getVariableValues(schema, variableDefinitions, { ...received });
    if (errors !== undefined) throw errors[0];
    const run = { schema, variables, objectCount: 0 };
    return yield* executeSelections(run, schema.getQueryType() as GraphQLObjectType, undefined, selectionSet);
  } catch (error) {
    throw new GatewayError('BAD_USER_INPUT', (error as Error).message);
  }
}

type IntrospectedObject = Record<string, unknown>;

interface IntrospectionRun {
  readonly schema: GraphQLSchema;
  readonly variables: Readonly<Record<string, unknown>>;
  objectCount: number;
}

const metaFields: ReadonlyMap<string, GraphQLField<unknown, unknown>> = new Map(
  [SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef].map((field) => [field.name, field]),
);

const objectsPerSlice = 64;

function* executeSelections(
  run: IntrospectionRun,
  parentType: GraphQLObjectType,
  source: unknown,
  { selections }: SelectionSetNode,
): SlicedTask<IntrospectedObject> {
  run.objectCount += 1;
  if (run.objectCount % objectsPerSlice === 0) yield;
  const { schema, variables } = run;
  // All that resolvers of introspection use.
  const info = { schema, parentType } as GraphQLResolveInfo;
  const result: IntrospectedObject = Object.create(null);
  for (const node of selections as readonly FieldNode[]) {
    const field = metaFields.get(node.name.value) ?? parentType.getFields()[node.name.value];
    if (field?.resolve === undefined) continue;
    const value = field.resolve(source, getArgumentValues(field, node, variables), undefined, info);
    const key = (node.alias ?? node.name).value;
    result[key] = yield* completeValue(run, field.type, value, node.selectionSet);
  }
  return result;
}

function* completeValue(
  run: IntrospectionRun,
  type: GraphQLOutputType,
  value: unknown,
  selectionSet: SelectionSetNode | undefined,
): SlicedTask<unknown> {
  if (value === undefined || value === null) return null;
  const nullable = getNullableType(type);
  if (isLeafType(nullable)) return nullable.serialize(value);
  if (!isListType(nullable))
    return yield* executeSelections(
      run,
      nullable as GraphQLObjectType,
      value,
      selectionSet as SelectionSetNode,
    );
  const list: unknown[] = [];
  for (const element of value as Iterable<unknown>)
    list.push(yield* completeValue(run, nullable.ofType, element, selectionSet));
  return list;
}

/** How many times the values of the usual introspection query an operation may read. */
const maxIntrospections = 2;

/** Maximum lengths of the lists of introspection, by field, and an estimate of the usual query. */
interface SchemaSize {
  readonly lengths: ReadonlyMap<string, number>;
  readonly wholeSchema: number;
}

const schemaSizes = new WeakMap<GraphQLSchema, SchemaSize>();

function checkIntrospectionSize(schema: GraphQLSchema, selectionSet: SelectionSetNode): void {
  const size = getOrInsertComputed(schemaSizes, schema, measureSchema);
  if (countValues(selectionSet, size.lengths) <= maxIntrospections * size.wholeSchema) return;
  throw new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `The operation reads more than ${maxIntrospections} times as much of the schema as the usual introspection query. Select less of \`__schema\` and \`__type\`, or split the operation.`,
  );
}

/** The estimated cost of an introspection field: that of the usual introspection query is the number of types of the schema.
 *  `document`: with the fragments that the field spreads. */
export function costOfIntrospection(
  schema: GraphQLSchema,
  { selectionSet }: FieldNode,
  document: DocumentNode,
): number {
  // `__typename`.
  if (selectionSet === undefined) return 0;
  const { lengths, wholeSchema } = getOrInsertComputed(schemaSizes, schema, measureSchema);
  return Math.ceil(
    ((lengths.get('types') ?? 1) * countValues(selectionSet, lengths, document)) / wholeSchema,
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
