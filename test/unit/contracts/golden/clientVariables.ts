import {
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  typeFromAST,
  visit,
} from 'graphql';

export type Variables = Readonly<Record<string, unknown>>;

/** Variables that a client written for this schema may send: without optional values, with null for them, also inside
 *  of objects, and with every enum value. */
export function clientVariables(schema: GraphQLSchema, document: DocumentNode): readonly Variables[] {
  const types = new Map<string, { readonly type: GraphQLInputType; readonly isOptional: boolean }>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type: node, defaultValue }) => {
      const type = typeFromAST(schema, node as never) as GraphQLInputType;
      types.set(variable.name.value, {
        type,
        isOptional: node.kind !== Kind.NON_NULL_TYPE || defaultValue !== undefined,
      });
    },
  });
  const least = Object.fromEntries(
    [...types].flatMap(([name, { type, isOptional }]) => (isOptional ? [] : [[name, minimalValue(type)]])),
  );
  const most = Array.from({ length: Math.max(1, ...[...types.values()].map(({ type }) => enumSize(type))) });
  return [
    least,
    Object.fromEntries([...types].map(([name, { type }]) => [name, nullableValue(type)])),
    Object.fromEntries([...types].map(([name, { type }]) => [name, objectsOfNulls(type)])),
    ...most.map((_, index) =>
      Object.fromEntries([...types].map(([name, { type }]) => [name, completeValue(type, index)])),
    ),
  ];
}

function minimalValue(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return minimalValue(type.ofType);
  if (isListType(type)) return [];
  if (!isInputObjectType(type) || type.isOneOf) return completeValue(type, 0);
  const required = Object.values(type.getFields()).filter(
    (field) => isNonNullType(field.type) && field.defaultValue === undefined,
  );
  return Object.fromEntries(required.map((field) => [field.name, minimalValue(field.type)]));
}

function nullableValue(type: GraphQLInputType): unknown {
  if (!isNonNullType(type)) return null;
  const inner = type.ofType;
  if (!isInputObjectType(inner) || inner.isOneOf) return completeValue(inner, 0);
  return Object.fromEntries(
    Object.values(inner.getFields()).map((field) => [field.name, nullableValue(field.type)]),
  );
}

/** Every object, with null in each field that is nullable and not an object. */
function objectsOfNulls(type: GraphQLInputType): unknown {
  const inner = getNullableType(type);
  if (!isInputObjectType(inner) || inner.isOneOf) return nullableValue(type);
  return Object.fromEntries(
    Object.values(inner.getFields()).map((field) => [field.name, objectsOfNulls(field.type)]),
  );
}

function completeValue(type: GraphQLInputType, index: number): unknown {
  if (isNonNullType(type)) return completeValue(type.ofType, index);
  if (isListType(type)) return [completeValue(type.ofType, index)];
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const passed = type.isOneOf ? fields.slice(0, 1) : fields;
    return Object.fromEntries(passed.map((field) => [field.name, completeValue(field.type, index)]));
  }
  if (isEnumType(type)) return type.getValues()[index % type.getValues().length]?.name;
  return { Int: 3, Float: 1.5, Boolean: true, ID: 'id-1' }[type.name] ?? 'text';
}

function enumSize(type: GraphQLInputType): number {
  const named = getNamedType(type);
  if (isEnumType(named)) return named.getValues().length;
  if (!isInputObjectType(named)) return 1;
  return Math.max(...Object.values(named.getFields()).map((field) => enumSize(field.type)));
}
