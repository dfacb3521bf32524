import {
  type ASTNode,
  type DocumentNode,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isTypeSubTypeOf,
  Kind,
  resolveSchemaCoordinate,
  type TypeInfo,
  type TypeNode,
  typeFromAST,
  type ValueNode,
  valueFromAST,
  visit,
} from 'graphql';
import { hasVariable } from '../../gateway/operation/compileCost.ts';
import { coordinatesAt, omittedArguments, omittedFields } from './errorCoordinatesOf.ts';
import { isInputNode, visitInputs } from './visitInputs.ts';

/** A use of a schema element that is invalid in another version of the schema. */
interface InvalidUse {
  readonly message: string;
  readonly coordinate: string;
}

/** Finds what a document that is valid for the schema `old` uses and `next` does not have or accept, and what it omits
 *  and `next` requires. Unlike validation, also below a field that `next` does not have. Members of types that `next`
 *  does not have are skipped, because these types may have another name there. */
export function findInvalidUses(
  document: DocumentNode,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly InvalidUse[] {
  const found = new Map<string, InvalidUse>();
  const add = (coordinate: string, message: string): void =>
    void found.set(coordinate, { message, coordinate });
  const variables = variableTypesOf(document);
  visitInputs(document, old, (node, types, input) => {
    for (const coordinate of coordinatesAt(node, types, input)) {
      if (isMissing(next, coordinate)) add(coordinate, `there is no ${coordinate}`);
    }
    for (const coordinate of omissionsAt(node, types, next)) add(coordinate, `${coordinate} is required`);
    if (node.kind === Kind.OBJECT && node.fields.length !== 1) {
      const type = inputObjectAt(types, next);
      if (type?.isOneOf) add(type.name, `${type.name} takes exactly one field`);
    }
    if (!isInputNode(node) || input === undefined) return;
    const [before, after] = [old, next].map((schema) => inputAt(schema, input)?.type);
    if (before === undefined || after === undefined || String(before) === String(after)) return;
    if (!acceptsValue(after, node.value, next, variables)) {
      add(input, `${input} expects ${after}, but the operation passes another type`);
    }
  });
  return [...found.values()];
}

/** `undefined` when the schema lacks the element or what contains it. */
function elementAt(schema: GraphQLSchema, coordinate: string) {
  try {
    return resolveSchemaCoordinate(schema, coordinate);
  } catch {
    return undefined;
  }
}

/** Whether the schema lacks the element, but has what contains it. */
function isMissing(schema: GraphQLSchema, coordinate: string): boolean {
  // Coordinates of introspection are not in the types.
  if (/(^|\.)__/.test(coordinate)) return false;
  try {
    return resolveSchemaCoordinate(schema, coordinate) === undefined;
  } catch {
    return false;
  }
}

/** Inputs that the schema requires and a node omits. */
function omissionsAt(node: ASTNode, types: TypeInfo, schema: GraphQLSchema): readonly string[] {
  if (node.kind === Kind.FIELD) {
    const coordinate = `${types.getParentType()?.name}.${node.name.value}`;
    const element = elementAt(schema, coordinate);
    if (element?.kind !== 'Field') return [];
    return omittedArguments(node, element.field).map((name) => `${coordinate}(${name}:)`);
  }
  if (node.kind !== Kind.OBJECT) return [];
  const type = inputObjectAt(types, schema);
  return type === undefined ? [] : omittedFields(node, type).map((name) => `${type.name}.${name}`);
}

/** The input type that the schema has under the name of the type here. */
function inputObjectAt(types: TypeInfo, schema: GraphQLSchema): GraphQLInputObjectType | undefined {
  const type = schema.getType(getNamedType(types.getInputType())?.name ?? '');
  return isInputObjectType(type) ? type : undefined;
}

/** An argument or input field; `undefined` when the schema has none at the coordinate. */
export function inputAt(schema: GraphQLSchema, coordinate: string) {
  const element = elementAt(schema, coordinate);
  if (element?.kind === 'FieldArgument') return element.fieldArgument;
  if (element?.kind === 'DirectiveArgument') return element.directiveArgument;
  return element?.kind === 'InputField' ? element.inputField : undefined;
}

function acceptsValue(
  type: GraphQLInputType,
  value: ValueNode,
  schema: GraphQLSchema,
  variables: ReadonlyMap<string, TypeNode>,
): boolean {
  if (value.kind !== Kind.VARIABLE) return hasVariable(value) || valueFromAST(value, type) !== undefined;
  const node = variables.get(value.name.value);
  const given = node && typeFromAST(schema, node as never);
  return given === undefined || isTypeSubTypeOf(schema, given, type);
}

function variableTypesOf(document: DocumentNode): ReadonlyMap<string, TypeNode> {
  const variables = new Map<string, TypeNode>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type }) => void variables.set(variable.name.value, type),
  });
  return variables;
}
