import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type NameNode,
  parse,
  type SelectionSetNode,
} from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import {
  argumentOf,
  contextArgumentsOf,
  joinsOf,
  namedTypeOf,
  parseFieldSet,
  typesByContext,
} from './supergraphDocument.ts';

/** Labels of progressive `@override`s by schema coordinate: `Type.field`, or `Type` for any selection on the type.
 *  Coordinates without an entry depend on no label. */
export type OverrideLabels = ReadonlyMap<string, readonly string[]>;

/** Reads from a supergraph the labels that a plan can depend on: the labels of a selected field, and transitively of the
 *  fields that have to be fetched for it because of `@key`, `@requires` and `@fromContext`. `document`: the parsed SDL, if
 *  the caller has it. */
export function readOverrideLabels(sdl: string, document?: DocumentNode): OverrideLabels {
  // The definition of `join__field` contains the argument name too. Only an application has a string after it.
  if (!/\boverrideLabel\s*:\s*"/.test(sdl)) return new Map();
  const supergraph = document ?? parse(sdl, { noLocation: true });
  const types = readTypes(supergraph);
  const contexts = typesByContext(supergraph);
  const labelled = new Map<string, Set<string>>();
  /** Coordinates that depend on a coordinate. */
  const dependents = new Map<string, Set<string>>();
  const addDependency = (dependent: string, dependency: string): void =>
    void getOrInsertComputed(dependents, dependency, () => new Set()).add(dependent);

  for (const type of types.values()) {
    for (const relative of relatedTypesOf(type, types)) addDependency(type.name, relative);
    for (const fieldSet of type.keys) {
      for (const input of coordinatesOf(fieldSet, type.name, types)) addDependency(type.name, input);
    }
    for (const field of type.fields.values()) {
      const coordinate = `${type.name}.${field.name}`;
      addDependency(coordinate, type.name);
      for (const relative of relatedTypesOf(type, types))
        addDependency(coordinate, `${relative}.${field.name}`);
      for (const join of field.joins) {
        const label = argumentOf(join, 'overrideLabel');
        if (label !== undefined) getOrInsertComputed(labelled, coordinate, () => new Set()).add(label);
        const required = argumentOf(join, 'requires');
        if (required !== undefined) {
          for (const input of coordinatesOf(required, type.name, types)) addDependency(coordinate, input);
        }
        for (const input of contextCoordinatesOf(join, types, contexts)) addDependency(coordinate, input);
      }
    }
  }
  return propagateLabels(labelled, dependents);
}

/** All labels of the supergraph, sorted. */
export function listOverrideLabels(overrides: OverrideLabels): string[] {
  return [...new Set([...overrides.values()].flat())].sort();
}

/** Error message for the first of the requested labels that the supergraph does not have; `undefined` if it has all. */
export function describeUnknownOverride(
  labels: readonly string[],
  overrides: OverrideLabels,
): string | undefined {
  const known = listOverrideLabels(overrides);
  const unknown = labels.find((label) => !known.includes(label));
  if (unknown === undefined) return undefined;
  const existing = known.length === 0 ? 'has no progressive @override' : `has ${known.join(', ')}`;
  return `No @override has the label "${unknown}": the supergraph ${existing}.`;
}

interface JoinedField {
  readonly name: string;
  readonly typeName: string;
  /** Applications of `@join__field`. */
  readonly joins: readonly ConstDirectiveNode[];
}

interface JoinedType {
  readonly name: string;
  /** Interfaces that the type implements, and unions that contain it. */
  readonly supertypes: string[];
  readonly subtypes: string[];
  readonly keys: readonly string[];
  readonly fields: ReadonlyMap<string, JoinedField>;
}

type JoinedTypes = ReadonlyMap<string, JoinedType>;

function readTypes(document: DocumentNode): JoinedTypes {
  const types = new Map<string, JoinedType>();
  for (const node of document.definitions) {
    if (
      node.kind !== Kind.OBJECT_TYPE_DEFINITION &&
      node.kind !== Kind.INTERFACE_TYPE_DEFINITION &&
      node.kind !== Kind.UNION_TYPE_DEFINITION
    )
      continue;
    const isUnion = node.kind === Kind.UNION_TYPE_DEFINITION;
    types.set(node.name.value, {
      name: node.name.value,
      supertypes: isUnion ? [] : (node.interfaces ?? []).map(nameOf),
      subtypes: isUnion ? (node.types ?? []).map(nameOf) : [],
      keys: joinsOf(node, 'join__type').flatMap((join) => argumentOf(join, 'key') ?? []),
      fields: new Map((isUnion ? [] : (node.fields ?? [])).map((field) => [nameOf(field), readField(field)])),
    });
  }
  for (const { name, supertypes, subtypes } of [...types.values()]) {
    for (const supertype of supertypes) types.get(supertype)?.subtypes.push(name);
    for (const subtype of subtypes) types.get(subtype)?.supertypes.push(name);
  }
  return types;
}

function readField(field: FieldDefinitionNode): JoinedField {
  return {
    name: nameOf(field),
    typeName: namedTypeOf(field),
    joins: joinsOf(field, 'join__field'),
  };
}

/** Types on which a selection may be resolved instead: the subtypes, the supertypes, and further interfaces of the
 *  subtypes, because a subgraph may have any of these as its `@interfaceObject`. */
function relatedTypesOf({ name, supertypes, subtypes }: JoinedType, types: JoinedTypes): ReadonlySet<string> {
  const relatives = new Set([...supertypes, ...subtypes]);
  for (const subtype of subtypes) {
    for (const further of types.get(subtype)?.supertypes ?? []) if (further !== name) relatives.add(further);
  }
  return relatives;
}

/** Coordinates of all fields of a field set. The braces around it are optional. */
function coordinatesOf(fieldSet: string, typeName: string, types: JoinedTypes): ReadonlySet<string> {
  const found = new Set<string>();
  const set = parseFieldSet(fieldSet);
  if (set !== undefined) walk(set, typeName);
  return found;

  function walk({ selections }: SelectionSetNode, parent: string): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        walk(selection.selectionSet, selection.typeCondition?.name.value ?? parent);
      } else if (selection.kind === Kind.FIELD) {
        const field = types.get(parent)?.fields.get(nameOf(selection));
        if (field === undefined) continue;
        found.add(`${parent}.${field.name}`);
        if (selection.selectionSet !== undefined) walk(selection.selectionSet, field.typeName);
      }
    }
  }
}

/** Coordinates of the context selections of a field, on every type that may set the context. Which type does so depends
 *  on the path to the field in an operation. */
function contextCoordinatesOf(
  join: ConstDirectiveNode,
  types: JoinedTypes,
  contexts: ReadonlyMap<string, readonly string[]>,
): string[] {
  return contextArgumentsOf(join).flatMap(({ context, selection }) =>
    (contexts.get(context) ?? []).flatMap((name) => [...coordinatesOf(selection, name, types)]),
  );
}

/** Adds each label to all direct and transitive dependents of its field. */
function propagateLabels(
  labelled: ReadonlyMap<string, ReadonlySet<string>>,
  dependents: ReadonlyMap<string, ReadonlySet<string>>,
): OverrideLabels {
  const labels = new Map<string, Set<string>>();
  for (const [start, labelsOfStart] of labelled) {
    const reachable = new Set([start]);
    // Iteration over a set includes elements that are added meanwhile.
    for (const reached of reachable)
      for (const dependent of dependents.get(reached) ?? []) reachable.add(dependent);
    for (const reached of reachable)
      for (const label of labelsOfStart) getOrInsertComputed(labels, reached, () => new Set()).add(label);
  }
  return new Map(Array.from(labels, ([coordinate, all]) => [coordinate, [...all].sort()]));
}

function nameOf({ name }: { readonly name: NameNode }): string {
  return name.value;
}
