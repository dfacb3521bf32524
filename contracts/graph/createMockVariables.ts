import {
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  type ListTypeNode,
  type NamedTypeNode,
  type OperationDefinitionNode,
} from 'graphql';

/** Mock values for the required variables of an operation. Optional variables are omitted. */
export function createMockVariables(
  { variableDefinitions = [] }: OperationDefinitionNode,
  schema: GraphQLSchema,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, type, defaultValue }) => {
      if (type.kind !== Kind.NON_NULL_TYPE || defaultValue !== undefined) return [];
      const name = variable.name.value;
      return [[name, mockValueFor(type.type, name, schema)]];
    }),
  );
}

function mockValueFor(type: NamedTypeNode | ListTypeNode, name: string, schema: GraphQLSchema): unknown {
  if (type.kind === Kind.LIST_TYPE) {
    const { type: element } = type;
    return [mockValueFor(element.kind === Kind.NON_NULL_TYPE ? element.type : element, name, schema)];
  }
  const known = schema.getType(type.name.value);
  return isInputType(known) ? mockInputValue(known, name) : undefined;
}

/** `undefined` if a value would contain itself without end. `enclosing`: the input objects around it. */
function mockInputValue(
  type: GraphQLInputType,
  name: string,
  enclosing: ReadonlySet<GraphQLInputType> = new Set(),
): unknown {
  if (isNonNullType(type)) return mockInputValue(type.ofType, name, enclosing);
  if (isListType(type)) {
    const element = mockInputValue(type.ofType, name, enclosing);
    return element === undefined ? [] : [element];
  }
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) return mockScalarValue(type.name, name);
  if (enclosing.has(type)) return undefined;
  const inner = new Set([...enclosing, type]);
  const fields = Object.values(type.getFields());
  const values = (type.isOneOf ? fields : fields.filter(isRequiredInputField)).map(
    (field) => [field.name, mockInputValue(field.type, field.name, inner)] as const,
  );
  const finite = values.filter(([, value]) => value !== undefined);
  // An object of a `@oneOf` type has exactly one field.
  if (type.isOneOf) return finite.length === 0 ? undefined : Object.fromEntries(finite.slice(0, 1));
  return finite.length < values.length ? undefined : Object.fromEntries(finite);
}

function mockScalarValue(typeName: string, name: string): unknown {
  switch (typeName) {
    case 'Int':
    case 'Float':
      return 1;
    case 'Boolean':
      return true;
    default:
      return name;
  }
}
