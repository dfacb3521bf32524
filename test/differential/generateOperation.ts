import {
  type ArgumentNode,
  astFromValue,
  type FieldNode,
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  GraphQLNonNull,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
  Kind,
  type NamedTypeNode,
  parse,
  parseType,
  parseValue,
  print,
  type SelectionNode,
  type SelectionSetNode,
  typeFromAST,
  type ValueNode,
  validate,
} from 'graphql';
import { createRandom, type Random } from '../../subgraphs/shared/random.ts';
import type { Trial } from '../harness/trial.ts';

export interface OperationOptions {
  readonly kind?: 'query' | 'mutation';
  /** By `Type.field(argument`, by `Input.field`, or by name alone. For a list, these are the values of its
   *  elements. */
  readonly argumentValues?: Readonly<Record<string, readonly unknown[]>>;
  /** Whether nullable arguments without such values are sometimes null. */
  readonly includesNulls?: boolean;
  /** Names that a gateway could mistake for something else in this graph, besides those of every graph. */
  readonly aliases?: readonly string[];
  /** The probability of `@skip` or `@include` on a field or fragment. */
  readonly conditionProbability?: number;
  /** Whether some arguments are variables without a value, or null where the argument has a default and is not nullable. */
  readonly omitsVariables?: boolean;
  /** The probability that a drawn field is selected, by `Type.field`. */
  readonly selectionProbability?: Readonly<Record<string, number>>;
}

/** Generates a valid operation over the schema, the same for the same seed and options. */
export function generateOperation(
  schema: GraphQLSchema,
  seed: number,
  options: OperationOptions = {},
): Trial {
  const random = createRandom(seed);
  for (;;) {
    const trial = new Generator(schema, random, options).generate();
    // Fields with the same response name may conflict in ways that the generator does not foresee.
    if (validate(schema, parse(trial.source)).length === 0) return trial;
  }
}

/** Names that a gateway could mistake for something else. */
const ambiguousAliases = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '__typename',
  'id',
  'name',
  '_entities',
  '_e0',
  'representations',
  '_alias_4_name_id',
];

const scalarValues: Readonly<Record<string, readonly unknown[]>> = {
  Int: [0, 1, 7, -3],
  Float: [0.5, 2, -1.25],
  String: ['', 'x', 'ü "quoted"'],
  ID: ['1', 'x'],
};

/** The response names of a selection set and of its fragments, each with its field. */
class Scope extends Map<string, { readonly field: string; readonly inner: Scope }> {
  readonly #branches = new Map<string, Scope>();

  /** The scope of fragments on one object type. Fragments on different object types may use one response name for
   *  different fields. */
  branch(typeName: string): Scope {
    const branch = this.#branches.get(typeName) ?? new Scope();
    this.#branches.set(typeName, branch);
    return branch;
  }
}

interface VariableDefinition {
  readonly name: string;
  readonly type: string;
  readonly fallback: ValueNode | undefined;
}

class Generator {
  readonly #schema: GraphQLSchema;
  readonly #random: Random;
  readonly #options: OperationOptions;
  readonly #aliases: readonly string[];
  readonly #definitions: VariableDefinition[] = [];
  readonly #variables: Record<string, unknown> = {};
  readonly #fragments: { readonly name: string; readonly type: GraphQLCompositeType; text: string }[] = [];
  /** The number of fields that may still be added. */
  #remainingFields: number;

  constructor(schema: GraphQLSchema, random: Random, options: OperationOptions) {
    this.#schema = schema;
    this.#random = random;
    this.#options = options;
    this.#aliases = [...ambiguousAliases, ...(options.aliases ?? [])];
    this.#remainingFields = random.integer(5, 45);
  }

  generate(): Trial {
    const { kind = 'query' } = this.#options;
    const root = (
      kind === 'query' ? this.#schema.getQueryType() : this.#schema.getMutationType()
    ) as GraphQLCompositeType;
    const body = print(this.#set(root, 0, new Scope()));
    const fragments = this.#fragments.map(({ text }) => text);
    const definitions = this.#definitions.map(
      ({ name, type, fallback }) =>
        `$${name}: ${type}${fallback === undefined ? '' : ` = ${print(fallback)}`}`,
    );
    const head = `${kind} Generated${definitions.length === 0 ? '' : `(${definitions.join(', ')})`}`;
    return { source: [`${head} ${body}`, ...fragments].join('\n\n'), variables: this.#variables };
  }

  #set(type: GraphQLCompositeType, depth: number, scope: Scope): SelectionSetNode {
    const random = this.#random;
    const selections: SelectionNode[] = [];
    const count = depth === 0 ? random.integer(1, 3) : random.integer(1, 5);
    for (let i = 0; i < count && this.#remainingFields > 0; i++) {
      const isFragment = isUnionType(type)
        ? random.chance(0.9)
        : random.chance(isAbstractType(type) ? 0.5 : 0.2);
      const selection = isFragment ? this.#fragment(type, depth, scope) : this.#field(type, depth, scope);
      if (selection !== undefined) selections.push(selection);
    }
    if (selections.length === 0) selections.push(this.#typename(scope));
    return { kind: Kind.SELECTION_SET, selections };
  }

  #typename(scope: Scope): FieldNode {
    const taken = scope.get('__typename');
    const isFree = taken === undefined || taken.field === '__typename';
    const alias = isFree ? undefined : `type${scope.size}`;
    scope.set(alias ?? '__typename', { field: '__typename', inner: new Scope() });
    return fieldNode(alias, '__typename', [], undefined);
  }

  #field(type: GraphQLCompositeType, depth: number, scope: Scope): FieldNode | undefined {
    const random = this.#random;
    if (isUnionType(type) || random.chance(0.08)) return this.#conditional(this.#typename(scope));
    const fields = Object.values(type.getFields()).filter((field) => this.#isWanted(type, field, depth));
    if (fields.length === 0) return undefined;
    const field = random.pick(fields);
    this.#remainingFields--;
    const args = this.#arguments(`${type.name}.${field.name}`, field.args);
    const signature = `${field.name}(${args.map((arg) => print(arg)).join()})`;
    const responseName = this.#responseName(type, field, signature, scope);
    const known = scope.get(responseName) ?? { field: signature, inner: new Scope() };
    scope.set(responseName, known);
    const inner = getNamedType(field.type);
    return this.#conditional(
      fieldNode(
        responseName === field.name ? undefined : responseName,
        field.name,
        args,
        isCompositeType(inner) ? this.#set(inner, depth + 1, known.inner) : undefined,
      ),
    );
  }

  #isWanted(type: GraphQLCompositeType, field: GraphQLField<unknown, unknown>, depth: number): boolean {
    const chance = this.#options.selectionProbability?.[`${type.name}.${field.name}`];
    if (chance !== undefined && !this.#random.chance(chance)) return false;
    return depth < 6 || !isCompositeType(getNamedType(field.type));
  }

  #responseName(
    type: GraphQLCompositeType,
    field: GraphQLField<unknown, unknown>,
    signature: string,
    scope: Scope,
  ): string {
    const random = this.#random;
    const own = 'getFields' in type ? Object.keys(type.getFields()) : [];
    const name = random.chance(0.3)
      ? random.pick(random.chance(0.5) ? this.#aliases : [...own, `my_${field.name}`])
      : field.name;
    const taken = scope.get(name);
    return taken === undefined || taken.field === signature
      ? name
      : `${name.replace(/^_+/, '')}_${scope.size}`;
  }

  #fragment(type: GraphQLCompositeType, depth: number, scope: Scope): SelectionNode | undefined {
    const random = this.#random;
    const known = this.#fragments.filter(
      (fragment) => fragment.text !== '' && this.#canHold(type, fragment.type),
    );
    if (known.length > 0 && random.chance(0.3)) {
      return this.#conditional({
        kind: Kind.FRAGMENT_SPREAD,
        name: { kind: Kind.NAME, value: random.pick(known).name },
      });
    }
    const conditions = this.#conditionsFor(type);
    const condition = conditions.length === 0 || random.chance(0.25) ? undefined : random.pick(conditions);
    const isBranch = condition !== undefined && isObjectType(condition) && isAbstractType(type);
    const inner = isBranch ? scope.branch(condition.name) : scope;
    if (condition !== undefined && random.chance(0.4)) {
      const fragment = { name: `F${this.#fragments.length}`, type: condition, text: '' };
      this.#fragments.push(fragment);
      const set = this.#set(condition, depth + 1, inner);
      fragment.text = `fragment ${fragment.name} on ${condition.name} ${print(set)}`;
      return this.#conditional({
        kind: Kind.FRAGMENT_SPREAD,
        name: { kind: Kind.NAME, value: fragment.name },
      });
    }
    return this.#conditional({
      kind: Kind.INLINE_FRAGMENT,
      ...(condition === undefined
        ? {}
        : {
            typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: condition.name } },
          }),
      selectionSet: this.#set(condition ?? type, depth + 1, inner),
    });
  }

  /** Types that an object of this type can have as well. */
  #conditionsFor(type: GraphQLCompositeType): readonly GraphQLCompositeType[] {
    return Object.values(this.#schema.getTypeMap()).filter(
      (other): other is GraphQLCompositeType =>
        isCompositeType(other) && !other.name.startsWith('__') && this.#canHold(type, other),
    );
  }

  #canHold(type: GraphQLCompositeType, other: GraphQLCompositeType): boolean {
    const possible = new Set(this.#possibleTypes(type));
    return this.#possibleTypes(other).some((name) => possible.has(name));
  }

  #possibleTypes(type: GraphQLCompositeType): readonly string[] {
    return isObjectType(type) ? [type.name] : this.#schema.getPossibleTypes(type).map(({ name }) => name);
  }

  #conditional<T extends SelectionNode>(node: T): T {
    const random = this.#random;
    if (!random.chance(this.#options.conditionProbability ?? 0.08)) return node;
    const value = random.chance(0.6)
      ? `$${this.#variable('Boolean!', random.chance(0.7))}`
      : String(random.chance(0.7));
    const directive = parse(`{ x @${random.chance(0.5) ? 'include' : 'skip'}(if: ${value}) }`, {
      noLocation: true,
    }).definitions[0];
    if (directive?.kind !== Kind.OPERATION_DEFINITION) throw new Error('No operation was parsed');
    return { ...node, directives: directive.selectionSet.selections[0]?.directives ?? [] };
  }

  #arguments(coordinate: string, args: readonly GraphQLArgument[]): ArgumentNode[] {
    return args
      .filter((arg) => isRequiredArgument(arg) || arg.name === 'first' || this.#random.chance(0.4))
      .map((arg) => ({
        kind: Kind.ARGUMENT,
        name: { kind: Kind.NAME, value: arg.name },
        value: this.#value(`${coordinate}(${arg.name}`, arg),
      }));
  }

  #value(coordinate: string, input: GraphQLArgument | GraphQLInputField): ValueNode {
    const { name, type, defaultValue } = input;
    if (this.#options.omitsVariables === true && this.#random.chance(0.15)) {
      if (!isNonNullType(type) || defaultValue !== undefined) return this.#omittedVariable(type);
    }
    if (!this.#random.chance(0.35)) return this.#literal(coordinate, name, type, true);
    const value = this.#plain(coordinate, name, type);
    return variableNode(this.#variable(String(type), value));
  }

  #omittedVariable(type: GraphQLInputType): ValueNode {
    const name = `v${this.#definitions.length}`;
    this.#definitions.push({ name, type: String(getNullableType(type)), fallback: undefined });
    if (this.#random.chance(0.3)) this.#variables[name] = null;
    return variableNode(name);
  }

  /** Defines a variable with this value, sometimes as its default. */
  #variable(type: string, value: unknown): string {
    const name = `v${this.#definitions.length}`;
    const byDefault = this.#random.chance(0.3);
    const inputType = typeFromAST(
      this.#schema,
      parseType(type) as NamedTypeNode,
    ) as unknown as GraphQLInputType;
    this.#definitions.push({
      name,
      type,
      fallback: byDefault ? literalOf(value, inputType) : undefined,
    });
    if (!byDefault || this.#random.chance(0.2)) this.#variables[name] = value;
    return name;
  }

  #literal(coordinate: string, name: string, type: GraphQLInputType, mayVary: boolean): ValueNode {
    if (isNonNullType(type)) return this.#literal(coordinate, name, type.ofType, mayVary);
    if (isInputObjectType(type)) {
      return {
        kind: Kind.OBJECT,
        fields: this.#inputFields(type).map((field) => ({
          kind: Kind.OBJECT_FIELD,
          name: { kind: Kind.NAME, value: field.name },
          value: mayVary
            ? this.#value(`${type.name}.${field.name}`, field)
            : this.#literal(`${type.name}.${field.name}`, field.name, field.type, false),
        })),
      };
    }
    return literalOf(this.#plain(coordinate, name, type), type);
  }

  #plain(
    coordinate: string,
    name: string,
    type: GraphQLInputType,
    mayBeNull: boolean = this.#options.includesNulls ?? false,
  ): unknown {
    const random = this.#random;
    if (isNonNullType(type)) return this.#plain(coordinate, name, type.ofType, false);
    const { argumentValues = {} } = this.#options;
    const values = argumentValues[coordinate] ?? argumentValues[name];
    if (mayBeNull && values === undefined && random.chance(0.15)) return null;
    if (isListType(type)) {
      return Array.from({ length: random.integer(0, 3) }, () => this.#plain(coordinate, name, type.ofType));
    }
    if (isInputObjectType(type)) {
      return Object.fromEntries(
        this.#inputFields(type).map((field) => [
          field.name,
          this.#plain(`${type.name}.${field.name}`, field.name, field.type),
        ]),
      );
    }
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (type.name === 'Boolean') return random.chance(0.5);
    const found = values ?? scalarValues[type.name];
    if (found === undefined) throw new Error(`No argument values are defined for ${coordinate}.`);
    return random.pick(found);
  }

  #inputFields(type: Extract<GraphQLInputType, { getFields(): unknown }>): readonly GraphQLInputField[] {
    const fields = Object.values(type.getFields()) as GraphQLInputField[];
    if (isInputObjectType(type) && type.isOneOf) {
      const field = this.#random.pick(fields);
      return [{ ...field, type: new GraphQLNonNull(getNullableType(field.type)) }];
    }
    return fields.filter((field) => isRequiredInputField(field) || this.#random.chance(0.4));
  }
}

/** `astFromValue` does not support lists and objects of custom scalars. */
function literalOf(value: unknown, type: GraphQLInputType): ValueNode {
  const nullable = getNullableType(type);
  if (value === null) return { kind: Kind.NULL };
  if (isListType(nullable) && Array.isArray(value))
    return { kind: Kind.LIST, values: value.map((item) => literalOf(item, nullable.ofType)) };
  if (isInputObjectType(nullable)) {
    return {
      kind: Kind.OBJECT,
      fields: Object.entries(value as object).map(([name, inner]) => ({
        kind: Kind.OBJECT_FIELD,
        name: { kind: Kind.NAME, value: name },
        value: literalOf(inner, (nullable.getFields()[name] as GraphQLInputField).type),
      })),
    };
  }
  return isScalarType(nullable) && !isSpecifiedScalarType(nullable)
    ? parseValue(JSON.stringify(value).replace(/"(\w+)":/g, '$1:'), { noLocation: true })
    : (astFromValue(value, nullable) as ValueNode);
}

function variableNode(name: string): ValueNode {
  return { kind: Kind.VARIABLE, name: { kind: Kind.NAME, value: name } };
}

function fieldNode(
  alias: string | undefined,
  name: string,
  args: readonly ArgumentNode[],
  selectionSet: SelectionSetNode | undefined,
): FieldNode {
  return {
    kind: Kind.FIELD,
    ...(alias === undefined ? {} : { alias: { kind: Kind.NAME, value: alias } }),
    name: { kind: Kind.NAME, value: name },
    arguments: args,
    ...(selectionSet === undefined ? {} : { selectionSet }),
  };
}
