import {
  type DocumentNode,
  type FieldNode,
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
  readonly #inputs: readonly PlannerInputs[];
  /** Undefined: every plan may differ. */
  readonly #differences: ReadonlySet<string> | undefined;

  constructor(known: ContractGraph, graph: ContractGraph) {
    // Of both, because one of them may have object types of an interface that the other one does not have.
    this.#inputs = [known, graph].map((one) => new PlannerInputs(one));
    this.#differences = findDifferences(known, graph);
  }

  /** `document`: an operation that is valid for the known graph. False: the plans may differ. */
  includes(document: DocumentNode): boolean {
    const differences = this.#differences;
    if (differences === undefined) return false;
    return this.#inputs.every((inputs) => inputs.of(document).every((part) => !differences.has(part)));
  }
}

class PlannerInputs {
  readonly #schema: GraphQLSchema;
  readonly #types: ReadonlyMap<string, CompositeDefinition>;

  constructor(graph: ContractGraph) {
    const { document, schema } = supergraphMetadataOf(graph);
    this.#schema = schema;
    this.#types = compositesOf(document);
  }

  /** What the planner may read for a document: names of types, without their fields, and coordinates of fields. */
  *of(document: DocumentNode): Generator<string, void> {
    const fragments = fragmentsOf(document);
    const definitions = this.#types;
    const schema = this.#schema;
    const seen = new Set<string>();
    const seenSets = new Map<SelectionSetNode, Set<GraphQLNamedType>>();
    const isNew = (key: string): boolean => seen.size < seen.add(key).size;
    const { operation, selectionSet, variableDefinitions = [] } = operationOf(document);
    for (const definition of variableDefinitions)
      if (definition.defaultValue !== undefined) yield* readInput(schema.getType(namedTypeOf(definition)));
    yield* readSet(selectionSet, schema.getRootType(operation) ?? undefined);

    function* readSet(set: SelectionSetNode, type: GraphQLNamedType | undefined): Generator<string, void> {
      const types = getOrInsertComputed(seenSets, set, () => new Set());
      if (type === undefined || types.has(type)) return;
      types.add(type);
      yield* readType(type);
      for (const selection of set.selections) {
        if (selection.kind === Kind.FIELD) {
          // The planner may divide the selections from an interface by its types.
          for (const owner of new Set([type, ...possibleTypesOf(schema, type)]))
            yield* readField(selection, owner);
          continue;
        }
        const fragment =
          selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
        const condition = fragment?.typeCondition?.name.value ?? type.name;
        if (fragment !== undefined) yield* readSet(fragment.selectionSet, schema.getType(condition));
      }
    }

    /** A type with its interfaces, its object types and its keys, by which the planner changes between subgraphs. */
    function* readType(type: GraphQLNamedType): Generator<string, void> {
      if (!isNew(type.name)) return;
      yield type.name;
      const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : [];
      for (const other of [...interfaces, ...possibleTypesOf(schema, type)]) yield* readType(other);
      const definition = definitions.get(type.name);
      if (definition === undefined) return;
      for (const join of joinsOf(definition, 'join__type'))
        yield* readFieldSet(argumentOf(join, 'key'), type);
    }

    function* readField(node: FieldNode, type: GraphQLNamedType): Generator<string, void> {
      const name = node.name.value;
      const field = fieldOf(type, name);
      if (field === undefined) return;
      for (const { name: given, value } of node.arguments ?? []) {
        const argument = field.args.find((one) => one.name === given.value);
        if (argument !== undefined && value.kind !== Kind.VARIABLE)
          yield* readInput(getNamedType(argument.type));
      }
      const result = getNamedType(field.type);
      if (isNew(`${type.name}.${name}`)) {
        yield `${type.name}.${name}`;
        const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : [];
        yield* interfaces.map((one) => `${one.name}.${name}`);
        const definition = definitions.get(type.name)?.fields?.find((one) => one.name.value === name);
        for (const join of definition === undefined ? [] : joinsOf(definition, 'join__field')) {
          const requires = argumentOf(join, 'requires');
          // The default values of the arguments of all fields of that name decide which inputs are equal.
          if (requires?.includes('(')) yield unknownPart;
          yield* readFieldSet(requires, type);
          yield* readFieldSet(argumentOf(join, 'provides'), result);
        }
      }
      if (node.selectionSet !== undefined) yield* readSet(node.selectionSet, result);
    }

    function* readFieldSet(text: string | undefined, type: GraphQLNamedType): Generator<string, void> {
      const set = parseFieldSet(text);
      if (set !== undefined && isNew(`{${text}} ${type.name}`)) yield* readSet(set, type);
    }

    /** The type of a value. Variables are passed on, so that their types are not read. */
    function* readInput(type: GraphQLNamedType | undefined): Generator<string, void> {
      if (type === undefined || !isNew(type.name)) return;
      yield type.name;
      if (!isInputObjectType(type)) return;
      for (const field of Object.values(type.getFields())) yield* readInput(getNamedType(field.type));
    }
  }
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
