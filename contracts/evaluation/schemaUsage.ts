import {
  type ArgumentNode,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  type ObjectFieldNode,
  TypeInfo,
  type TypeNode,
  typeFromAST,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import { fieldOf } from '../graph/fieldOf.ts';

/** Coordinates of the schema elements that an operation uses. */
export interface SchemaUsage {
  /** Types that the operation gets or names, their fields, arguments and input fields that it passes or may pass, and
   *  enum values that it gets or passes. */
  readonly used: ReadonlySet<string>;
  /** Arguments and input fields that the operation omits or may omit, so that their defaults apply. */
  readonly omitted: ReadonlySet<string>;
}

/** Reads the usage of an operation. Elements that the schema lacks are ignored. */
export function readSchemaUsage(schema: GraphQLSchema, document: DocumentNode): SchemaUsage {
  const used = new Set<string>();
  const omitted = new Set<string>();
  const types = new TypeInfo(schema);
  const optional = optionalVariables(document);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ arguments: given = [] }) => {
        const field = types.getFieldDef();
        const parent = types.getParentType();
        if (field == null || parent == null) return;
        for (const owner of ownersOf(parent)) used.add(`${owner.name}.${field.name}`);
        addOutput(getNamedType(field.type));
        for (const { name } of field.args) {
          const argument = given.find((one) => one.name.value === name);
          for (const owner of ownersOf(parent)) {
            const coordinate = `${owner.name}.${field.name}(${name}:)`;
            if (argument !== undefined) used.add(coordinate);
            if (mayBeOmitted(argument)) omitted.add(coordinate);
          }
        }
      },
      [Kind.NAMED_TYPE]: ({ name }) => void used.add(name.value),
      [Kind.VARIABLE_DEFINITION]: ({ type }) => addInput(inputTypeOf(type)),
      [Kind.OBJECT]: ({ fields }) => {
        const type = getNamedType(types.getInputType());
        if (!isInputObjectType(type)) return;
        used.add(type.name);
        for (const { name } of Object.values(type.getFields())) {
          const coordinate = `${type.name}.${name}`;
          const field = fields.find((one) => one.name.value === name);
          if (field !== undefined) used.add(coordinate);
          if (mayBeOmitted(field)) omitted.add(coordinate);
        }
      },
      [Kind.ENUM]: ({ value }) => {
        const type = getNamedType(types.getInputType());
        if (isEnumType(type)) used.add(type.name).add(`${type.name}.${value}`);
      },
    }),
  );
  return { used, omitted };

  /** Whether an argument or an input field is not given, or is given as a variable that clients may omit. */
  function mayBeOmitted(given: ArgumentNode | ObjectFieldNode | undefined): boolean {
    return (
      given === undefined || (given.value.kind === Kind.VARIABLE && optional.has(given.value.name.value))
    );
  }

  /** A field of an interface is also a field of each implementing type. */
  function ownersOf(type: GraphQLNamedType): readonly GraphQLNamedType[] {
    return isInterfaceType(type) ? [type, ...schema.getPossibleTypes(type)] : [type];
  }

  function addOutput(type: GraphQLNamedType): void {
    used.add(type.name);
    if (isEnumType(type)) for (const { name } of type.getValues()) used.add(`${type.name}.${name}`);
    for (const { name } of possibleTypesOf(schema, type)) used.add(name);
  }

  function inputTypeOf(node: TypeNode): GraphQLNamedType | undefined {
    return getNamedType(typeFromAST(schema, node as never) as GraphQLInputType | undefined);
  }

  /** A variable can hold any value of its type. */
  function addInput(type: GraphQLNamedType | undefined): void {
    if (type === undefined || (used.has(type.name) && isInputObjectType(type))) return;
    used.add(type.name);
    if (isEnumType(type)) for (const { name } of type.getValues()) used.add(`${type.name}.${name}`);
    if (!isInputObjectType(type)) return;
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`;
      used.add(coordinate);
      omitted.add(coordinate);
      addInput(getNamedType(field.type));
    }
  }
}

/** Variables that may be omitted. */
function optionalVariables(document: DocumentNode): ReadonlySet<string> {
  const optional = new Set<string>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type, defaultValue }) => {
      if (type.kind !== Kind.NON_NULL_TYPE && defaultValue === undefined) optional.add(variable.name.value);
    },
  });
  return optional;
}

/** What clients see at a coordinate, as text; `undefined` when the element does not exist. Members of a type are
 *  described at their own coordinates. */
export function describeElement(schema: GraphQLSchema, coordinate: string): string | undefined {
  const [, typeName = '', memberName, argumentName] =
    /^(\w+)(?:\.(\w+)(?:\((\w+):\))?)?$/.exec(coordinate) ?? [];
  const type = schema.getType(typeName);
  if (type === undefined) return undefined;
  if (memberName === undefined) return describeType(schema, type);
  if (isEnumType(type)) return type.getValue(memberName)?.name;
  if (isInputObjectType(type)) return describeInput(type.getFields()[memberName]);
  const field = fieldOf(type, memberName);
  if (field === undefined || argumentName === undefined) return field && String(field.type);
  return describeInput(field.args.find(({ name }) => name === argumentName));
}

/** Like `describeElement`, with the names of the members of a type. */
export function describeWithMembers(schema: GraphQLSchema, coordinate: string): string | undefined {
  const type = schema.getType(coordinate);
  const members = type === undefined || !('getFields' in type) ? [] : Object.keys(type.getFields()).sort();
  return type && `${describeType(schema, type)} ${members.join(' ')}`;
}

function describeInput(
  input: { readonly type: GraphQLInputType; readonly defaultValue?: unknown } | undefined,
): string | undefined {
  if (input === undefined) return undefined;
  return JSON.stringify([String(input.type), input.defaultValue]);
}

function describeType(schema: GraphQLSchema, type: GraphQLNamedType): string {
  const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : [];
  const members = isUnionType(type) ? schema.getPossibleTypes(type) : [];
  const names = [...interfaces, ...members].map(({ name }) => name).sort();
  const isOneOf = isInputObjectType(type) && type.isOneOf;
  return JSON.stringify([type.constructor.name, names, isOneOf]);
}
