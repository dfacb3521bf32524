import {
  type ArgumentNode,
  type ASTNode,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isRequiredArgument,
  isRequiredInputField,
  Kind,
  type ObjectFieldNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';

/** Schema coordinates of validation errors: elements that the document uses and the schema lacks, or that the schema
 *  requires and the document omits. One list per error, in order; empty when an error is about no element. */
export function errorCoordinatesOf(
  errors: readonly GraphQLError[],
  document: DocumentNode,
  schema: GraphQLSchema,
): readonly (readonly string[])[] {
  if (errors.length === 0) return [];
  const coordinatesByNode = new Map<ASTNode, string[]>();
  for (const { nodes = [] } of errors) for (const node of nodes) coordinatesByNode.set(node, []);
  const types = new TypeInfo(schema);
  /** The arguments and input fields around the visited node. */
  const inputs: string[] = [];
  visit(
    document,
    visitWithTypeInfo(types, {
      enter: (node) => {
        if (isInputNode(node)) inputs.push(inputCoordinateOf(node, types));
        const coordinates = coordinatesAt(node, types, inputs.at(-1));
        coordinatesByNode.get(node)?.push(...coordinates);
        // An error about a selection set that the field's type does not allow is reported at the field: inside it,
        // the type is unknown.
        if (node.kind === Kind.FIELD && node.selectionSet !== undefined) {
          coordinatesByNode.get(node.selectionSet)?.push(...coordinates);
        }
      },
      leave: (node) => {
        if (isInputNode(node)) inputs.pop();
      },
    }),
  );
  return errors.map(({ nodes = [] }) => [
    ...new Set(nodes.flatMap((node) => coordinatesByNode.get(node) ?? [])),
  ]);
}

/** Whether a node passes a value to an input. */
export function isInputNode(node: ASTNode): node is ArgumentNode | ObjectFieldNode {
  return node.kind === Kind.ARGUMENT || node.kind === Kind.OBJECT_FIELD;
}

/** The coordinate of the argument or input field that is being visited. */
export function inputCoordinateOf(node: ArgumentNode | ObjectFieldNode, types: TypeInfo): string {
  const name = node.name.value;
  if (node.kind === Kind.OBJECT_FIELD) return `${getNamedType(types.getParentInputType())?.name}.${name}`;
  const directive = types.getDirective();
  if (directive != null) return `@${directive.name}(${name}:)`;
  return `${types.getParentType()?.name}.${types.getFieldDef()?.name}(${name}:)`;
}

/** `input`: the argument or input field that the node is, or is a value of. */
function coordinatesAt(node: ASTNode, types: TypeInfo, input: string | undefined): readonly string[] {
  const own = input === undefined ? [] : [input];
  switch (node.kind) {
    case Kind.FIELD: {
      const field = `${types.getParentType()?.name}.${node.name.value}`;
      const missing = (types.getFieldDef()?.args ?? []).filter(
        (argument) =>
          isRequiredArgument(argument) && !node.arguments?.some(({ name }) => name.value === argument.name),
      );
      return missing.length === 0 ? [field] : missing.map(({ name }) => `${field}(${name}:)`);
    }
    case Kind.OBJECT: {
      const type = getNamedType(types.getInputType());
      if (!isInputObjectType(type)) return own;
      const missing = Object.values(type.getFields()).filter(
        (field) => isRequiredInputField(field) && !node.fields.some(({ name }) => name.value === field.name),
      );
      return missing.map(({ name }) => `${type.name}.${name}`);
    }
    case Kind.ENUM: {
      const type = getNamedType(types.getInputType());
      return isEnumType(type) ? [`${type.name}.${node.value}`] : own;
    }
    case Kind.NAMED_TYPE:
      return [node.name.value];
    case Kind.DIRECTIVE:
      return [`@${node.name.value}`];
    case Kind.FRAGMENT_DEFINITION:
    case Kind.INLINE_FRAGMENT:
      return node.typeCondition === undefined ? [] : [node.typeCondition.name.value];
    case Kind.ARGUMENT:
    case Kind.OBJECT_FIELD:
    case Kind.VARIABLE:
    case Kind.STRING:
    case Kind.INT:
    case Kind.FLOAT:
    case Kind.BOOLEAN:
    case Kind.NULL:
    case Kind.LIST:
      return own;
    default:
      return [];
  }
}
