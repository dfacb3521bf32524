import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { defineOneOf } from '../../../../gateway/planning/oneOfDirective.ts';

export interface MockOptions {
  /** Coordinates that resolve to null; `Type.field[]` for a null in the list. */
  readonly nulls: ReadonlySet<string>;
  /** The mock returns enum values and types that one of these graphs does not know, if it has any. */
  readonly foreignSchemas: readonly GraphQLSchema[];
  /** Called when the subgraph does not receive what it needs, and so returns wrong data. */
  onViolation(what: string): void;
}

/** An object of the mocked graph. The same number is the same object in every subgraph. */
interface MockObject {
  readonly __typename: string;
  readonly n: number;
  /** Fields that the gateway has sent about the object. */
  readonly sentFields?: Readonly<Record<string, unknown>>;
  /** Fields of other subgraphs that `@provides` lets it resolve here. */
  readonly provided?: SelectionSetNode | undefined;
}

/** A mock subgraph that derives every value from names and numbers. It is as strict as a real one: it finds entities
 *  only by a resolvable key, computes a field with `@requires` correctly only with all inputs, and knows fields of
 *  other subgraphs only when they are provided or sent. */
export function mockSubgraph(sdl: string, options: MockOptions): GraphQLSchema {
  const known = mocks.get(sdl) ?? buildMock(sdl);
  mocks.set(sdl, known);
  known.options = options;
  return known.schema;
}

/** A mock uses the options of the last call, because one gateway runs at a time. */
interface Mock {
  readonly schema: GraphQLSchema;
  options: MockOptions;
}

/** Most rows of the golden table change one subgraph of many. */
const mocks = new LRUCache<string, Mock>({ max: 50 });

function buildMock(sdl: string): Mock {
  const document = parse(defineOneOf(sdl));
  const source = readSource(document);
  type Modules = Parameters<typeof buildSubgraphSchema>[0];
  const schema: GraphQLSchema = buildSubgraphSchema({
    typeDefs: document,
    resolvers: Object.fromEntries(
      [...source.keys].map(([type, keys]) => [
        type,
        { __resolveReference: referenceResolver(keys, (n) => mockTypeName(schema, type, n)) },
      ]),
    ),
  } as unknown as Modules);
  const mock: Mock = { schema, options: { nulls: new Set(), foreignSchemas: [], onViolation: () => {} } };
  for (const type of Object.values(schema.getTypeMap())) {
    if (isAbstractType(type)) type.resolveType = (object: MockObject) => object.__typename;
    if (!isObjectType(type) || type.name.startsWith('_')) continue;
    for (const field of Object.values(type.getFields())) {
      if (field.name.startsWith('_')) continue;
      field.resolve = (object: MockObject | undefined, args: Record<string, unknown>) =>
        answer({ schema, source, options: mock.options, type, field, object, args });
      if (type === schema.getSubscriptionType()) field.subscribe = oneEvent;
    }
  }
  return mock;
}

async function* oneEvent(): AsyncGenerator<unknown> {
  yield {};
}

interface FieldRequest {
  readonly schema: GraphQLSchema;
  readonly source: SubgraphSource;
  readonly options: MockOptions;
  readonly type: GraphQLObjectType;
  readonly field: GraphQLField<unknown, unknown>;
  readonly object: MockObject | undefined;
  readonly args: Readonly<Record<string, unknown>>;
}

function answer(question: FieldRequest): unknown {
  const { schema, source, options, type, field, object, args } = question;
  const coordinate = `${type.name}.${field.name}`;
  if (options.nulls.has(coordinate) && !isNonNullType(field.type)) return null;
  const { provides, requires, isExternal, contextInputs = [] } = source.fields.get(coordinate) ?? {};
  for (const { argument: name, field: input } of contextInputs) {
    if (!String(args[name]).startsWith(`${input}-`)) options.onViolation(`${coordinate} without ${input}`);
  }
  const provided = selectionOf(object?.provided, field.name);
  if (isExternal && provided === undefined) {
    const given = object?.sentFields?.[field.name];
    if (given === undefined) options.onViolation(`${coordinate} is another subgraph's`);
    return given ?? null;
  }
  const n = object?.n ?? numberIn(args) ?? 1;
  if (requires !== undefined && !hasRequiredInputs(schema, requires, type, object?.sentFields, n)) {
    options.onViolation(`${coordinate} without its inputs`);
  }
  const below = provides ?? provided?.selectionSet;
  const { foreignSchemas } = options;
  const value = mockValue(schema, field.type, {
    name: field.name,
    n,
    args,
    provided: below,
    strangers: foreignSchemas,
  });
  return options.nulls.has(`${coordinate}[]`) && mayHoldNulls(field.type)
    ? [...(value as unknown[]), null]
    : value;
}

function mayHoldNulls(type: GraphQLOutputType): boolean {
  const list = getNullableType(type);
  return isListType(list) && !isNonNullType(list.ofType);
}

interface ValueRequest {
  readonly name: string;
  readonly n: number;
  readonly args: Readonly<Record<string, unknown>>;
  readonly provided: SelectionSetNode | undefined;
  readonly strangers: readonly GraphQLSchema[];
}

function mockValue(schema: GraphQLSchema, type: GraphQLOutputType, wanted: ValueRequest): unknown {
  const { name, n, args, provided } = wanted;
  if (isNonNullType(type)) return mockValue(schema, type.ofType, wanted);
  if (isListType(type)) {
    // Every type of an interface or union is in the list.
    const named = getNamedType(type);
    const size = isAbstractType(named) ? schema.getPossibleTypes(named).length : 2;
    const length = typeof args.first === 'number' ? Math.min(args.first, 4) : Math.max(2, size);
    return Array.from({ length }, (_, index) => mockValue(schema, type.ofType, { ...wanted, n: n + index }));
  }
  if (isEnumType(type)) {
    const values = type.getValues();
    const stranger = values.find((value) =>
      wanted.strangers.some((other) => isUnknownEnumValue(other, type.name, value.name)),
    );
    return (stranger ?? values[0])?.value;
  }
  if (isAbstractType(type)) {
    const possible = schema.getPossibleTypes(type);
    const stranger = possible.find((one) =>
      wanted.strangers.some((other) => isUnknownMember(other, type.name, one.name)),
    );
    return { __typename: (stranger ?? possible[(n - 1) % possible.length])?.name, n };
  }
  if (isObjectType(type)) return { __typename: type.name, n, provided };
  return scalarOf(type, name, n, args);
}

/** Whether another graph has the enum but not the value. */
export function isUnknownEnumValue(schema: GraphQLSchema, enumName: string, value: string): boolean {
  const type = schema.getType(enumName);
  return isEnumType(type) && type.getValue(value) == null;
}

/** Whether another graph has the interface or union but not the type in it. */
export function isUnknownMember(schema: GraphQLSchema, abstractName: string, member: string): boolean {
  const type = schema.getType(abstractName);
  return isAbstractType(type) && !schema.getPossibleTypes(type).some(({ name }) => name === member);
}

function scalarOf({ name: type }: GraphQLNamedType, name: string, n: number, args: object): unknown {
  if (type === 'Int') return n * 10;
  if (type === 'Float') return n + 0.5;
  if (type === 'Boolean') return n % 2 === 1;
  // GraphQL coerces a single value to a list of one.
  const single = (_: string, value: unknown) =>
    Array.isArray(value) && value.length === 1 ? value[0] : value;
  const given = Object.keys(args).length === 0 ? '' : ` ${JSON.stringify(args, single)}`;
  return `${name}-${n}${type === 'ID' ? '' : given}`;
}

/** Whether the inputs of a `@requires` arrived with their values. */
function hasRequiredInputs(
  schema: GraphQLSchema,
  required: SelectionSetNode,
  type: GraphQLNamedType,
  given: unknown,
  n: number,
): boolean {
  return required.selections.every((selection) => {
    if (selection.kind !== Kind.FIELD || !isObjectType(type)) return false;
    const field = type.getFields()[selection.name.value];
    if (field === undefined || typeof given !== 'object' || given === null) return false;
    const value = (given as Record<string, unknown>)[selection.name.value];
    if (selection.selectionSet !== undefined) {
      return hasRequiredInputs(schema, selection.selectionSet, getNamedType(field.type), value, n);
    }
    // It may be one that this subgraph does not know.
    if (isEnumType(getNamedType(field.type))) return typeof value === 'string';
    const args = getArgumentValues(field, selection);
    const wanted = { name: field.name, n, args, provided: undefined, strangers: [] };
    return value !== undefined && value === mockValue(schema, field.type, wanted);
  });
}

function referenceResolver(keys: readonly SelectionSetNode[], typeNameOf: (n: number) => string) {
  return (representation: Readonly<Record<string, unknown>>): MockObject => {
    if (!keys.some((key) => hasFields(representation, key))) {
      throw new Error(`Nothing can be found by ${Object.keys(representation).join(', ')}.`);
    }
    const n = numberIn(representation) ?? 1;
    return { __typename: typeNameOf(n), n, sentFields: representation };
  };
}

/** The name of the object type that an object has as a value of a type. */
function mockTypeName(schema: GraphQLSchema, name: string, n: number): string {
  const type = schema.getType(name);
  if (!isAbstractType(type)) return name;
  const possible = schema.getPossibleTypes(type);
  return possible[(n - 1) % possible.length]?.name ?? name;
}

function hasFields(value: unknown, fields: SelectionSetNode): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return fields.selections.every((selection) => {
    if (selection.kind !== Kind.FIELD) return false;
    const below = (value as Record<string, unknown>)[selection.name.value];
    return selection.selectionSet === undefined
      ? below !== undefined && below !== null
      : hasFields(below, selection.selectionSet);
  });
}

/** The first number at the end of a text, at any depth. Ids and keys have one. */
function numberIn(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const [, digits] = /-(\d+)$/.exec(value) ?? [];
    return digits === undefined ? undefined : Number(digits);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const one of Object.values(value)) {
    const found = numberIn(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface SubgraphSource {
  /** Resolvable keys by type. */
  readonly keys: ReadonlyMap<string, readonly SelectionSetNode[]>;
  readonly fields: ReadonlyMap<
    string,
    {
      readonly requires: SelectionSetNode | undefined;
      readonly provides: SelectionSetNode | undefined;
      readonly isExternal: boolean;
      /** Arguments with `@fromContext`, and the field whose text they have to be. */
      readonly contextInputs: readonly { readonly argument: string; readonly field: string }[];
    }
  >;
}

function readSource(document: DocumentNode): SubgraphSource {
  const keys = new Map<string, SelectionSetNode[]>();
  const fields = new Map<string, NonNullable<ReturnType<SubgraphSource['fields']['get']>>>();
  for (const definition of document.definitions) {
    if (
      definition.kind !== Kind.OBJECT_TYPE_DEFINITION &&
      definition.kind !== Kind.OBJECT_TYPE_EXTENSION &&
      definition.kind !== Kind.INTERFACE_TYPE_DEFINITION
    ) {
      continue;
    }
    const type = definition.name.value;
    const resolvable = findDirectives(definition, 'key').filter(
      (key) => argument(key, 'resolvable') !== 'false',
    );
    if (findDirectives(definition, 'key').length > 0)
      keys.set(
        type,
        resolvable.flatMap((key) => fieldSet(key) ?? []),
      );
    for (const field of definition.fields ?? []) {
      fields.set(`${type}.${field.name.value}`, {
        requires: fieldSet(findDirectives(field, 'requires')[0]),
        provides: fieldSet(findDirectives(field, 'provides')[0]),
        isExternal: findDirectives(field, 'external').length > 0,
        contextInputs: (field.arguments ?? []).flatMap(({ name, directives }) =>
          findDirectives({ directives }, 'fromContext').map((use) => ({
            argument: name.value,
            field: /\w+(?=\s*}$)/.exec(argument(use, 'field') ?? '')?.[0] ?? '',
          })),
        ),
      });
    }
  }
  return { keys, fields };
}

function findDirectives(
  {
    directives = [],
  }: { readonly directives?: readonly ConstDirectiveNode[] | undefined } | FieldDefinitionNode,
  name: string,
): readonly ConstDirectiveNode[] {
  return directives.filter((directive) => directive.name.value === name);
}

function argument(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((one) => one.name.value === name)?.value;
  return value !== undefined && 'value' in value ? String(value.value) : undefined;
}

function fieldSet(directive: ConstDirectiveNode | undefined): SelectionSetNode | undefined {
  const text = directive === undefined ? undefined : argument(directive, 'fields');
  if (text === undefined) return undefined;
  const [operation] = parse(`{ ${text} }`).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
}

function selectionOf(set: SelectionSetNode | undefined, name: string) {
  for (const selection of set?.selections ?? []) {
    if (selection.kind === Kind.FIELD && selection.name.value === name) return selection;
  }
  return undefined;
}
