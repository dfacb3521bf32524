import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import { toNumber } from '../json/exactJson.ts';
import { isObject } from '../json/isObject.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { CostRules, ListSizeRule } from './costRules.ts';
import { fragmentsOf } from './fragmentsOf.ts';
import { costOfIntrospection } from './introspection.ts';
import { possibleTypesOf } from './possibleTypesOf.ts';

interface CompileCostOptions {
  readonly schema: GraphQLSchema;
  /** Valid, and within the limit of selections with expanded fragments. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly rules: CostRules;
  /** The size of a list that has no rule. */
  readonly listSize: number;
}

export interface EstimatedCost {
  /** A whole number of at least 0. */
  readonly cost: number;
  /** The first field that needs exactly one of its slicing arguments, and has none or several. */
  readonly unslicedField: string | undefined;
}

/** Estimates the cost of an operation with these values of its variables, as the client sent them. */
export type EstimateCost = (variables: Readonly<Record<string, unknown>>) => EstimatedCost;

/** One estimate. */
interface CostRun {
  readonly variables: Readonly<Record<string, unknown>>;
  unslicedField: string | undefined;
}

/** A number, where variables do not matter. */
type Cost = number | ((run: CostRun) => number);

/** Sizes of lists by the name of the field, from `sizedFields` of the surrounding field. */
type SizedFields = ReadonlyMap<string, Cost>;

/** Cost of a mutation besides its fields. */
export const mutationCost = 10;

/** Compiles the estimate of an operation by the cost specification: a field with selections costs 1, or its weight, and
 *  what it selects, all of it for every expected element of a list. Of several fragments on one abstract type, those of
 *  the most expensive object type count, as do its weights and sizes for the fields of an interface. Fields that are
 *  selected several times count several times. */
export function compileCost(options: CompileCostOptions): EstimateCost {
  const { schema, operation } = options;
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const fields = new CostCompiler(options).ofSelections(operation.selectionSet, rootType, undefined);
  const total = sum([operation.operation === 'mutation' ? mutationCost : 0, fields]);
  const defaults = defaultsOf(operation);
  return (variables) => {
    // No prototype: an absent variable can be named `toString`.
    const values: CostRun['variables'] = Object.assign(Object.create(null), defaults, variables);
    const run: CostRun = { variables: values, unslicedField: undefined };
    const cost = Math.min(Math.max(0, Math.ceil(evaluate(total, run))), Number.MAX_SAFE_INTEGER);
    return { cost, unslicedField: run.unslicedField };
  };
}

class CostCompiler {
  readonly #options: CompileCostOptions;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #fieldCosts = new Map<string, FieldCosts>();

  constructor(options: CompileCostOptions) {
    this.#options = options;
    this.#fragments = fragmentsOf(options.document);
  }

  ofSelections(
    { selections }: SelectionSetNode,
    type: GraphQLCompositeType,
    sizes: SizedFields | undefined,
  ): Cost {
    const { schema } = this.#options;
    const always: Cost[] = [];
    const conditional = new Map<GraphQLCompositeType, Cost[]>();
    for (const selection of selections) {
      const { directives = [] } = selection;
      if (selection.kind === Kind.FIELD) {
        always.push(ifIncluded(directives, this.#ofField(selection, type, sizes)));
        continue;
      }
      const fragment =
        selection.kind === Kind.INLINE_FRAGMENT ? selection : this.#fragments.get(selection.name.value);
      if (fragment === undefined) continue;
      const named = fragment.typeCondition && schema.getType(fragment.typeCondition.name.value);
      const condition = isCompositeType(named) ? named : type;
      const cost = ifIncluded(directives, this.ofSelections(fragment.selectionSet, condition, sizes));
      if (condition === type) always.push(cost);
      else {
        getOrInsertComputed(conditional, condition, () => []).push(cost);
      }
    }
    if (conditional.size === 0) return sum(always);
    // Clients can send thousands of fragments, but not more conditions than there are types.
    const conditions = Array.from(conditional, ([condition, costs], index) => ({
      condition,
      cost: sum(costs),
      index,
    }));
    // Object types to which the same fragments apply have the same cost.
    const alternatives = new Map<string, Cost>();
    for (const objectType of possibleTypesOf(schema, type)) {
      const applied = conditions.filter(({ condition }) =>
        isObjectType(condition) ? condition === objectType : schema.isSubType(condition, objectType),
      );
      const key = applied.map(({ index }) => index).join();
      if (!alternatives.has(key)) alternatives.set(key, sum(applied.map(({ cost }) => cost)));
    }
    return sum([...always, maximum([...alternatives.values()])]);
  }

  #ofField(field: FieldNode, parent: GraphQLCompositeType, sizes: SizedFields | undefined): Cost {
    const { listSize } = this.#options;
    const name = field.name.value;
    const definition = isUnionType(parent) ? undefined : parent.getFields()[name];
    if (isUnionType(parent) || definition === undefined)
      return costOfIntrospection(this.#options.schema, field, this.#options.document);
    const type = getNamedType(definition.type);
    const { owners, weight, rules } = this.#costsOf(parent, name);
    const otherwise = sizes?.get(name) ?? listSize;
    // Of types without a rule.
    const ownSizes = rules.length < owners.length ? [otherwise] : [];
    const childSizes = new Map<string, Cost>();
    for (const { rule, definition: ruled } of rules) {
      const size = sizeByRule(rule, field, ruled, definition, `${parent.name}.${name}`, listSize);
      if (rule.sizedFields.length === 0) ownSizes.push(size);
      for (const sized of rule.sizedFields)
        childSizes.set(sized, maximum([size, childSizes.get(sized) ?? 0]));
    }
    const selected =
      field.selectionSet === undefined || !isCompositeType(type)
        ? 0
        : this.ofSelections(field.selectionSet, type, childSizes);
    const isList = isListType(getNullableType(definition.type));
    const ownSize = ownSizes.length === 0 ? otherwise : maximum(ownSizes);
    // A negative weight makes its field cheaper, and no other one: clients could select it to pay for those.
    return maximum([
      sum([
        product(isList ? ownSize : 1, sum([weight, selected])),
        ...this.#ofArguments(field, definition, owners),
      ]),
    ]);
  }

  /** What the rules say about a field. On an interface, which has no rules of its own except by `@interfaceObject`, the
   *  most expensive object type counts. */
  #costsOf(parent: ObjectOrInterface, name: string): FieldCosts {
    const key = `${parent.name}.${name}`;
    const known = this.#fieldCosts.get(key);
    if (known !== undefined) return known;
    const { weights, listSizes } = this.#options.rules;
    const types = possibleTypesOf(this.#options.schema, parent);
    const isRuled = weights.has(key) || listSizes.has(key) || types.length === 0;
    const owners = isRuled && isInterfaceType(parent) ? [parent, ...types] : types;
    const weightOf = (owner: ObjectOrInterface): number => {
      const type = getNamedType((owner.getFields()[name] as OutputField).type);
      return weights.get(`${owner.name}.${name}`) ?? this.#weightOfType(type);
    };
    const costs = {
      owners,
      weight: owners.reduce((largest, owner) => Math.max(largest, weightOf(owner)), Number.NEGATIVE_INFINITY),
      rules: owners.flatMap((owner) => {
        const rule = listSizes.get(`${owner.name}.${name}`);
        return rule === undefined ? [] : { rule, definition: owner.getFields()[name] as OutputField };
      }),
    };
    this.#fieldCosts.set(key, costs);
    return costs;
  }

  #weightOfType(type: GraphQLNamedType): number {
    const { schema, rules } = this.#options;
    const weight = rules.weights.get(type.name);
    if (weight !== undefined || !isCompositeType(type)) return weight ?? 0;
    const ofTypes = possibleTypesOf(schema, type).map(({ name }) => rules.weights.get(name) ?? 1);
    return ofTypes.length === 0 ? 1 : Math.max(...ofTypes);
  }

  #ofArguments(field: FieldNode, { args }: OutputField, owners: readonly ObjectOrInterface[]): Cost[] {
    const { weights } = this.#options.rules;
    if (weights.size === 0) return [];
    return (field.arguments ?? []).map(({ name, value }) => {
      const definition = args.find((argument) => argument.name === name.value);
      if (definition === undefined) return 0;
      const ofOwners = owners.flatMap(
        (owner) => weights.get(`${owner.name}.${field.name.value}(${name.value}:)`) ?? [],
      );
      const weight = ofOwners.length === 0 ? undefined : Math.max(...ofOwners);
      const cost = ({ variables }: CostRun) =>
        inputCost(definition.type, valueFromASTUntyped(value, variables), weight, weights);
      return hasVariable(value) ? cost : cost(runWithoutVariables());
    });
  }
}

type ObjectOrInterface = GraphQLObjectType | GraphQLInterfaceType;

type OutputField = GraphQLField<unknown, unknown>;

/** The rules for a field of an object type, or of all object types of an interface. */
interface FieldCosts {
  /** The types whose rules count. */
  readonly owners: readonly ObjectOrInterface[];
  readonly weight: number;
  /** `definition`: the field on the type that has the rule. */
  readonly rules: readonly { readonly rule: ListSizeRule; readonly definition: OutputField }[];
}

/** The expected size of the list that a rule is about. `definition`: the field with the rule. `selected`: the field that
 *  the client selects, which may be that of an interface, without some of the slicing arguments. */
function sizeByRule(
  rule: ListSizeRule,
  field: FieldNode,
  definition: OutputField,
  selected: OutputField,
  coordinate: string,
  listSize: number,
): Cost {
  const otherwise = rule.assumedSize ?? listSize;
  if (rule.slicingArguments.length === 0) return otherwise;
  const paths = rule.slicingArguments.map((path) => path.split('.'));
  const canSlice = paths.some(([first]) => selected.args.some(({ name }) => name === first));
  const size = (run: CostRun): number => {
    const received = Object.fromEntries(
      (field.arguments ?? []).map(({ name, value }) => [
        name.value,
        valueFromASTUntyped(value, run.variables),
      ]),
    );
    const values = paths.map((path) => inputAt(path, definition.args, received));
    const present = values.filter(({ value }) => value !== undefined && value !== null);
    const given = present.filter(({ isGiven }) => isGiven);
    const used = given.length > 0 ? given : present;
    if (rule.requiresOneSlicingArgument && canSlice && used.length !== 1) run.unslicedField ??= coordinate;
    // Some servers return the whole list for a negative number.
    const sizes = used
      .map(({ value }) => toNumber(value))
      .filter((value): value is number => typeof value === 'number' && value >= 0);
    return sizes.length > 0 ? Math.max(...sizes) : otherwise;
  };
  if (field.arguments?.some(({ value }) => hasVariable(value)) === true) return size;
  const run = runWithoutVariables();
  const constant = size(run);
  return run.unslicedField === undefined ? constant : size;
}

/** The value of an argument, or of a field in it, as the subgraph gets it: with the defaults of what is absent, and not
 *  of what is null. */
function inputAt(
  path: readonly string[],
  definitions: readonly InputDefinition[],
  received: Readonly<Record<string, unknown>>,
): { readonly value: unknown; readonly isGiven: boolean } {
  let inputs = definitions;
  let value: unknown = received;
  let isGiven = true;
  for (const part of path) {
    if (!isObject(value)) return { value: undefined, isGiven };
    const input = inputs.find(({ name }) => name === part);
    value = Object.hasOwn(value, part) ? value[part] : undefined;
    if (value === undefined) {
      value = input?.defaultValue;
      isGiven = false;
    }
    const type = input && getNamedType(input.type);
    inputs = isInputObjectType(type) ? Object.values(type.getFields()) : [];
  }
  return { value, isGiven };
}

type InputDefinition = Pick<GraphQLArgument, 'name' | 'type' | 'defaultValue'>;

/** The cost of an argument or input field. Input types cost nothing without a weight. `weight`: of the argument or field
 *  itself, in place of that of its type. */
function inputCost(
  type: GraphQLInputType,
  value: unknown,
  weight: number | undefined,
  weights: CostRules['weights'],
): number {
  if (value === undefined || value === null) return 0;
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, element) => sum + inputCost(type, element, weight, weights), 0);
  }
  const named = getNamedType(type);
  let cost = weight ?? weights.get(named.name) ?? 0;
  if (!isInputObjectType(named) || typeof value !== 'object') return cost;
  for (const [name, field] of Object.entries(named.getFields())) {
    const inner = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    cost += inputCost(field.type, inner, weights.get(`${named.name}.${name}`), weights);
  }
  return cost;
}

function runWithoutVariables(): CostRun {
  return { variables: {}, unslicedField: undefined };
}

export function hasVariable(value: ValueNode): boolean {
  if (value.kind === Kind.VARIABLE) return true;
  if (value.kind === Kind.LIST) return value.values.some(hasVariable);
  return value.kind === Kind.OBJECT && value.fields.some((field) => hasVariable(field.value));
}

/** 0 where `@skip` or `@include` removes a selection. */
function ifIncluded(directives: readonly DirectiveNode[], cost: Cost): Cost {
  let result = cost;
  for (const { name, arguments: args } of directives) {
    const condition = args?.find((argument) => argument.name.value === 'if')?.value;
    if (condition === undefined || (name.value !== 'skip' && name.value !== 'include')) continue;
    const wanted = name.value === 'include';
    if (condition.kind === Kind.BOOLEAN) {
      if (condition.value !== wanted) return 0;
    } else if (condition.kind === Kind.VARIABLE) {
      const inner = result;
      const variable = condition.name.value;
      // Any other value counts as included: an estimate must not be lower than what is executed.
      result = (run) => (run.variables[variable] === !wanted ? 0 : evaluate(inner, run));
    }
  }
  return result;
}

function defaultsOf({
  variableDefinitions = [],
}: OperationDefinitionNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue === undefined ? [] : [[variable.name.value, valueFromASTUntyped(defaultValue)]],
    ),
  );
}

function evaluate(cost: Cost, run: CostRun): number {
  return typeof cost === 'number' ? cost : cost(run);
}

function sum(costs: readonly Cost[]): Cost {
  return combine(costs, 0, (left, right) => left + right);
}

/** At least 0. */
function maximum(costs: readonly Cost[]): Cost {
  return combine(costs, 0, Math.max);
}

function product(left: Cost, right: Cost): Cost {
  // Not NaN for an infinite cost in an empty list.
  return combine([left, right], 1, (first, second) => (first === 0 || second === 0 ? 0 : first * second));
}

/** Applies a commutative operation to all costs: now to the numbers, at each run to the others. */
function combine(
  costs: readonly Cost[],
  initial: number,
  apply: (left: number, right: number) => number,
): Cost {
  let constant = initial;
  const others: ((run: CostRun) => number)[] = [];
  for (const cost of costs) {
    if (typeof cost === 'number') constant = apply(constant, cost);
    else others.push(cost);
  }
  if (others.length === 0) return constant;
  return (run) => others.reduce((total, cost) => apply(total, cost(run)), constant);
}
