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

function mockInputValue(type: GraphQLInputType, name: string): unknown {
  if (isNonNullType(type)) return mockInputValue(type.ofType, name);
  if (isListType(type)) return [mockInputValue(type.ofType, name)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) return mockScalarValue(type.name, name);
  const fields = Object.values(type.getFields());
  // An object of a `@oneOf` type has exactly one field.
  const wanted = type.isOneOf ? fields.slice(0, 1) : fields.filter(isRequiredInputField);
  return Object.fromEntries(wanted.map((field) => [field.name, mockInputValue(field.type, field.name)]));
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
