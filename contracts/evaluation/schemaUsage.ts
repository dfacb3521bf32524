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
  const types = new TypeInfo(schema);
  const usage = new UsageRecorder(schema, optionalVariables(document));
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ arguments: given = [] }) => {
        const field = types.getFieldDef();
        const parent = types.getParentType();
        if (field == null || parent == null) return;
        const owners = usage.ownersOf(parent).map((owner) => `${owner.name}.${field.name}`);
        for (const owner of owners) usage.used.add(owner);
        usage.addOutput(getNamedType(field.type));
        for (const { name } of field.args) {
          const argument = given.find((one) => one.name.value === name);
          for (const owner of owners) usage.addGiven(`${owner}(${name}:)`, argument);
        }
      },
      [Kind.NAMED_TYPE]: ({ name }) => void usage.used.add(name.value),
      [Kind.VARIABLE_DEFINITION]: ({ type }) => usage.addVariable(type),
      [Kind.OBJECT]: ({ fields }) => {
        const type = getNamedType(types.getInputType());
        if (!isInputObjectType(type)) return;
        usage.used.add(type.name);
        for (const { name } of Object.values(type.getFields())) {
          const field = fields.find((one) => one.name.value === name);
          usage.addGiven(`${type.name}.${name}`, field);
        }
      },
      [Kind.ENUM]: ({ value }) => {
        const type = getNamedType(types.getInputType());
        if (isEnumType(type)) usage.used.add(type.name).add(`${type.name}.${value}`);
      },
    }),
  );
  return { used: usage.used, omitted: usage.omitted };
}

class UsageRecorder {
  readonly used = new Set<string>();
  readonly omitted = new Set<string>();
  readonly #schema: GraphQLSchema;
  readonly #optionalVariables: ReadonlySet<string>;

  constructor(schema: GraphQLSchema, variables: ReadonlySet<string>) {
    this.#schema = schema;
    this.#optionalVariables = variables;
  }

  /** A field of an interface is also a field of each implementing type. */
  ownersOf(type: GraphQLNamedType): readonly GraphQLNamedType[] {
    return isInterfaceType(type) ? [type, ...this.#schema.getPossibleTypes(type)] : [type];
  }

  addOutput(type: GraphQLNamedType): void {
    this.#addType(type);
    for (const { name } of possibleTypesOf(this.#schema, type)) this.used.add(name);
  }

  /** Adds an argument or an input field, which is omitted when it is not given, or given as a variable that clients may
   *  omit. */
  addGiven(coordinate: string, given: ArgumentNode | ObjectFieldNode | undefined): void {
    if (given !== undefined) this.used.add(coordinate);
    const variable = given?.value.kind === Kind.VARIABLE ? given.value.name.value : undefined;
    if (given === undefined || (variable !== undefined && this.#optionalVariables.has(variable)))
      this.omitted.add(coordinate);
  }

  addVariable(node: TypeNode): void {
    this.#addInput(getNamedType(typeFromAST(this.#schema, node as never) as GraphQLInputType | undefined));
  }

  /** A variable can hold any value of its type. */
  #addInput(type: GraphQLNamedType | undefined): void {
    if (type === undefined || (this.used.has(type.name) && isInputObjectType(type))) return;
    this.#addType(type);
    if (!isInputObjectType(type)) return;
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`;
      this.used.add(coordinate);
      this.omitted.add(coordinate);
      this.#addInput(getNamedType(field.type));
    }
  }

  /** An enum with all its values. */
  #addType(type: GraphQLNamedType): void {
    this.used.add(type.name);
    if (isEnumType(type)) for (const { name } of type.getValues()) this.used.add(`${type.name}.${name}`);
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
