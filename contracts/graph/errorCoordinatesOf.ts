import {
  type ASTNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLInputObjectType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isRequiredArgument,
  isRequiredInputField,
  Kind,
  type ObjectValueNode,
  type TypeInfo,
} from 'graphql';
import { fragmentsOf } from '../../gateway/operation/fragmentsOf.ts';
import { visitInputs } from './visitInputs.ts';

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
  const fragments = fragmentsOf(document);
  visitInputs(document, schema, (node, types, input) => {
    const coordinates = coordinatesAt(node, types, input);
    coordinatesByNode.get(node)?.push(...coordinates, ...oneOfTypeAt(node, types));
    // A fragment that cannot apply is an error about both types.
    if (node.kind === Kind.INLINE_FRAGMENT || node.kind === Kind.FRAGMENT_SPREAD) {
      const condition =
        node.kind === Kind.FRAGMENT_SPREAD
          ? fragments.get(node.name.value)?.typeCondition.name.value
          : undefined;
      const names = [types.getParentType()?.name, condition];
      coordinatesByNode.get(node)?.push(...names.filter((name) => name !== undefined));
    }
    // An error about a selection set that the field's type does not allow is reported at the field: inside it, the
    // type is unknown.
    if (node.kind === Kind.FIELD && node.selectionSet !== undefined) {
      coordinatesByNode.get(node.selectionSet)?.push(...coordinates);
    }
  });
  return errors.map(({ nodes = [] }) => [
    ...new Set(nodes.flatMap((node) => coordinatesByNode.get(node) ?? [])),
  ]);
}

/** The `@oneOf` type that a node is an object of, or a variable for a field of. */
function oneOfTypeAt({ kind }: ASTNode, types: TypeInfo): readonly string[] {
  const given = kind === Kind.OBJECT ? types.getInputType() : undefined;
  const type = getNamedType(kind === Kind.VARIABLE ? types.getParentInputType() : given);
  return isInputObjectType(type) && type.isOneOf ? [type.name] : [];
}

/** Required arguments that a field omits. */
export function omittedArguments(
  { arguments: given = [] }: FieldNode,
  field: GraphQLField<unknown, unknown> | null | undefined,
): readonly string[] {
  const required = (field?.args ?? []).filter(isRequiredArgument).map(({ name }) => name);
  return required.filter((argument) => !given.some(({ name }) => name.value === argument));
}

/** Required fields of an input object that a value omits. */
export function omittedFields({ fields }: ObjectValueNode, type: GraphQLInputObjectType): readonly string[] {
  const required = Object.values(type.getFields()).filter(isRequiredInputField);
  return required.flatMap((field) =>
    fields.some(({ name }) => name.value === field.name) ? [] : [field.name],
  );
}

/** The schema elements that a node uses, or that it omits although the schema requires them. `input`: the argument or
 *  input field that the node is, or is a value of. */
export function coordinatesAt(node: ASTNode, types: TypeInfo, input: string | undefined): readonly string[] {
  const own = input === undefined ? [] : [input];
  switch (node.kind) {
    case Kind.FIELD: {
      const field = `${types.getParentType()?.name}.${node.name.value}`;
      const missing = omittedArguments(node, types.getFieldDef());
      return missing.length === 0 ? [field] : missing.map((name) => `${field}(${name}:)`);
    }
    case Kind.OBJECT: {
      const type = getNamedType(types.getInputType());
      return isInputObjectType(type) ? omittedFields(node, type).map((name) => `${type.name}.${name}`) : own;
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
