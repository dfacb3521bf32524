import {
  type ArgumentNode,
  coerceInputValue,
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  Kind,
  type SelectionSetNode,
  valueFromAST,
} from 'graphql';
import { fieldOf } from './fieldOf.ts';

/** The field set of a `@requires`, and the schema with the default values of its arguments. */
interface RequiredFields {
  readonly set: SelectionSetNode;
  readonly schema: GraphQLSchema;
}

/** Coordinates of the arguments for which one field set means other values than another, at the fields that both
 *  have. An omitted argument has its default value. */
export function findDifferingArguments(
  one: RequiredFields,
  other: RequiredFields,
  typeName: string,
): readonly string[] {
  const others = new Map(fieldsOf(other, typeName));
  const found = fieldsOf(one, typeName).flatMap(([path, field]) => {
    const same = others.get(path);
    if (same === undefined) return [];
    const names = new Set([...field.arguments.keys(), ...same.arguments.keys()]);
    return [...names]
      .filter((name) => areDifferent(field.arguments.get(name), same.arguments.get(name)))
      .map((name) => `${field.coordinate}(${name}:)`);
  });
  return [...new Set(found)];
}

interface RequiredField {
  readonly coordinate: string;
  readonly arguments: ReadonlyMap<string, RequiredArgument>;
}

interface RequiredArgument extends InputValue {
  readonly isGiven: boolean;
}

interface InputValue {
  readonly value: unknown;
  readonly type: GraphQLInputType;
}

/** A schema that does not know an argument may mean what another schema has as its default value. */
function areDifferent(one: RequiredArgument | undefined, other: RequiredArgument | undefined): boolean {
  if (one === undefined || other === undefined) return (one ?? other)?.isGiven === true;
  return !areSame(one, other);
}

/** Whether the default values of an input in two schemas mean the same. */
export function haveSameDefault(one: GraphQLArgument, other: GraphQLArgument): boolean {
  return areSame({ ...one, value: one.defaultValue }, { ...other, value: other.defaultValue });
}

/** GraphQL coerces a single value to a list of one. */
function areSame(one: InputValue, other: InputValue): boolean {
  const isEqual = (value: unknown, same: unknown) => JSON.stringify(value) === JSON.stringify(same);
  if (isEqual(one.value, other.value)) return true;
  if (one.value === undefined || other.value === undefined) return false;
  return (
    getNamedType(one.type).name === getNamedType(other.type).name &&
    (isEqual(
      coerceInputValue(one.value, other.type, () => {}),
      other.value,
    ) ||
      isEqual(
        one.value,
        coerceInputValue(other.value, one.type, () => {}),
      ))
  );
}

/** The fields of a set by their paths. */
function fieldsOf({ set, schema }: RequiredFields, typeName: string, path = ''): [string, RequiredField][] {
  return set.selections.flatMap((selection): [string, RequiredField][] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return [];
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const condition = selection.typeCondition?.name.value ?? typeName;
      return fieldsOf({ set: selection.selectionSet, schema }, condition, path);
    }
    const name = selection.name.value;
    const field = fieldOf(schema.getType(typeName), name);
    if (field === undefined) return [];
    const ownPath = `${path} ${typeName}.${name}`;
    const own: RequiredField = {
      coordinate: `${typeName}.${name}`,
      arguments: new Map(
        field.args.map((argument) => [argument.name, argumentIn(argument, selection.arguments)]),
      ),
    };
    const below =
      selection.selectionSet === undefined
        ? []
        : fieldsOf({ set: selection.selectionSet, schema }, getNamedType(field.type).name, ownPath);
    return [[ownPath, own], ...below];
  });
}

function argumentIn(
  { name, type, defaultValue }: GraphQLArgument,
  given: readonly ArgumentNode[] = [],
): RequiredArgument {
  const node = given.find((argument) => argument.name.value === name);
  const value = node === undefined ? defaultValue : valueFromAST(node.value, type);
  return { isGiven: node !== undefined, value, type };
}
