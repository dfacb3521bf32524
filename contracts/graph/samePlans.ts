import {
  type DocumentNode,
  type FieldNode,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isTypeDefinitionNode,
  Kind,
  print,
  type SelectionSetNode,
  type VariableDefinitionNode,
} from 'graphql';
import { fragmentsOf } from '../../gateway/operation/fragmentsOf.ts';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  isComposite,
  joinsOf,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
} from '../../gateway/planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ContractGraph } from './composeGraph.ts';
import { fieldOf } from './fieldOf.ts';
import { operationOf } from './operationOf.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** Finds the operations for which the planner makes the same plan on two graphs, because all that it reads for them is equal
 *  in both supergraphs. */
export class SamePlans {
  /** Undefined: every plan may differ. */
  readonly #inputs: readonly PlannerInputs[] | undefined;

  constructor(known: ContractGraph, graph: ContractGraph) {
    const differences = findDifferences(known, graph);
    // Of both, because one of them may have object types of an interface that the other one does not have.
    this.#inputs = differences && [known, graph].map((one) => new PlannerInputs(one, differences));
  }

  /** `document`: an operation that is valid for the known graph. False: the plans may differ. */
  includes(document: DocumentNode): boolean {
    return this.#inputs?.every((inputs) => inputs.areSame(document)) === true;
  }
}

/** What the planner may read of one graph: types without their fields, by name, and fields, by coordinate. */
class PlannerInputs {
  readonly #schema: GraphQLSchema;
  readonly #types: ReadonlyMap<string, CompositeDefinition>;
  readonly #differences: ReadonlySet<string>;
  /** Whether all that the planner reads for a type or a field is the same. */
  readonly #same = new Map<string, boolean>();

  constructor(graph: ContractGraph, differences: ReadonlySet<string>) {
    const { document, schema } = supergraphMetadataOf(graph);
    this.#schema = schema;
    this.#types = compositesOf(document);
    this.#differences = differences;
  }

  areSame(document: DocumentNode): boolean {
    const fragments = fragmentsOf(document);
    const schema = this.#schema;
    const seen = new Map<SelectionSetNode, Set<GraphQLNamedType>>();
    const isSameInput = (type: GraphQLNamedType | undefined): boolean =>
      type === undefined || this.#isSame(type.name, () => this.#readInput(type, new Set()));
    const isSameField = (
      { name, arguments: given = [], selectionSet }: FieldNode,
      type: GraphQLNamedType,
    ) => {
      const field = fieldOf(type, name.value);
      if (field === undefined) return true;
      return (
        this.#isSame(`${type.name}.${field.name}`, () => this.#readField(field.name, type, new Set())) &&
        given.every(({ name: argument, value }) => {
          const known = field.args.find((one) => one.name === argument.value);
          return value.kind === Kind.VARIABLE || isSameInput(known && getNamedType(known.type));
        }) &&
        (selectionSet === undefined || isSameSet(selectionSet, getNamedType(field.type)))
      );
    };
    const isSameSet = (set: SelectionSetNode, type: GraphQLNamedType | undefined): boolean => {
      const types = getOrInsertComputed(seen, set, () => new Set());
      if (type === undefined || types.has(type)) return true;
      types.add(type);
      if (!this.#isSame(type.name, () => this.#readType(type, new Set()))) return false;
      return set.selections.every((selection) => {
        if (selection.kind === Kind.FIELD)
          return this.#ownersOf(type).every((owner) => isSameField(selection, owner));
        const fragment =
          selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
        const condition = fragment?.typeCondition?.name.value ?? type.name;
        return fragment === undefined || isSameSet(fragment.selectionSet, schema.getType(condition));
      });
    };
    const { operation, selectionSet, variableDefinitions = [] } = operationOf(document);
    const isSameDefault = (definition: VariableDefinitionNode): boolean =>
      definition.defaultValue === undefined || isSameInput(schema.getType(namedTypeOf(definition)));
    return (
      variableDefinitions.every(isSameDefault) &&
      isSameSet(selectionSet, schema.getRootType(operation) ?? undefined)
    );
  }

  #isSame(key: string, read: () => Iterable<string>): boolean {
    return getOrInsertComputed(this.#same, key, () => {
      for (const part of read()) if (this.#differences.has(part)) return false;
      return true;
    });
  }

  /** The planner may divide the selections from an interface by its types. */
  #ownersOf(type: GraphQLNamedType): readonly GraphQLNamedType[] {
    return isInterfaceType(type) ? [type, ...this.#schema.getPossibleTypes(type)] : [type];
  }

  /** A type with its interfaces, its object types and its keys, by which the planner changes between subgraphs. */
  *#readType(type: GraphQLNamedType, seen: Set<string>): Generator<string, void> {
    if (!isNew(type.name, seen)) return;
    yield type.name;
    for (const other of [...interfacesOf(type), ...possibleTypesOf(this.#schema, type)])
      yield* this.#readType(other, seen);
    const definition = this.#types.get(type.name);
    for (const join of definition === undefined ? [] : joinsOf(definition, 'join__type'))
      yield* this.#readFieldSet(argumentOf(join, 'key'), type, seen);
  }

  /** A field with the values that it is computed from, and those that it provides. */
  *#readField(name: string, type: GraphQLNamedType, seen: Set<string>): Generator<string, void> {
    const field = fieldOf(type, name);
    if (field === undefined || !isNew(`${type.name}.${name}`, seen)) return;
    yield `${type.name}.${name}`;
    yield* interfacesOf(type).map((one) => `${one.name}.${name}`);
    const definition = this.#types.get(type.name)?.fields?.find((one) => one.name.value === name);
    for (const join of definition === undefined ? [] : joinsOf(definition, 'join__field')) {
      const requires = argumentOf(join, 'requires');
      // The default values of the arguments of all fields of that name decide which inputs are equal.
      if (requires?.includes('(')) yield unknownPart;
      yield* this.#readFieldSet(requires, type, seen);
      yield* this.#readFieldSet(argumentOf(join, 'provides'), getNamedType(field.type), seen);
    }
  }

  *#readFieldSet(
    text: string | undefined,
    type: GraphQLNamedType,
    seen: Set<string>,
  ): Generator<string, void> {
    if (text === undefined || !isNew(`{${text}} ${type.name}`, seen)) return;
    const set = parseFieldSet(text);
    if (set !== undefined) yield* this.#readSet(set, type, seen);
  }

  *#readSet(
    { selections }: SelectionSetNode,
    type: GraphQLNamedType | undefined,
    seen: Set<string>,
  ): Generator<string, void> {
    if (type === undefined) return;
    yield* this.#readType(type, seen);
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? type.name;
        yield* this.#readSet(selection.selectionSet, this.#schema.getType(condition), seen);
        continue;
      }
      for (const owner of this.#ownersOf(type)) {
        const field = fieldOf(owner, selection.name.value);
        if (field === undefined) continue;
        yield* this.#readField(field.name, owner, seen);
        if (selection.selectionSet !== undefined)
          yield* this.#readSet(selection.selectionSet, getNamedType(field.type), seen);
      }
    }
  }

  /** The type of a value. Variables are passed on, so that their types are not read. */
  *#readInput(type: GraphQLNamedType, seen: Set<string>): Generator<string, void> {
    if (!isNew(type.name, seen)) return;
    yield type.name;
    if (!isInputObjectType(type)) return;
    for (const field of Object.values(type.getFields()))
      yield* this.#readInput(getNamedType(field.type), seen);
  }
}

function isNew(key: string, seen: Set<string>): boolean {
  return seen.size < seen.add(key).size;
}

function interfacesOf(type: GraphQLNamedType): readonly GraphQLInterfaceType[] {
  return isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : [];
}

// No names of types.
const [schemaPart, unknownPart] = ['(schema)', '(unknown)'];

/** The parts of two supergraphs that differ; `undefined` if every plan may differ. */
function findDifferences(one: ContractGraph, other: ContractGraph): ReadonlySet<string> | undefined {
  // The planner gets operations in another form, which depends on all types with a context or an `@interfaceObject`.
  if ([one, other].some(({ sdl }) => /contextArguments: *\[ *{|isInterfaceObject: *true/.test(sdl)))
    return undefined;
  const [before, after] = [supergraphMetadataOf(one).document, supergraphMetadataOf(other).document];
  const [names, nextNames] = [subgraphNamesOf(before), subgraphNamesOf(after)];
  if ([...names].some(([value, name]) => (nextNames.get(value) ?? name) !== name)) return undefined;
  const [parts, nextParts] = [partsOf(before), partsOf(after)];
  if (parts.get(schemaPart) !== nextParts.get(schemaPart)) return undefined;
  const all = [...parts.keys(), ...nextParts.keys()];
  return new Set(all.filter((part) => parts.get(part) !== nextParts.get(part))).add(unknownPart);
}

/** The texts of the types without their fields, and of the fields. */
function partsOf({ definitions }: DocumentNode): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const definition of definitions) {
    if (definition.kind === Kind.SCHEMA_DEFINITION) parts.set(schemaPart, print(definition));
    if (!isTypeDefinitionNode(definition)) continue;
    const name = definition.name.value;
    parts.set(name, print(isComposite(definition) ? { ...definition, fields: [] } : definition));
    for (const field of isComposite(definition) ? (definition.fields ?? []) : [])
      parts.set(`${name}.${field.name.value}`, print(field));
  }
  return parts;
}
