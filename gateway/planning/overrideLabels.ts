import {
  type DirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type NameNode,
  parse,
  type SelectionSetNode,
  type TypeNode,
  type ValueNode,
} from 'graphql';

/** Labels of progressive `@override`s by what an operation may contain: a field as `Type.field`, or `Type` for
 *  any selection on it. What is not in here depends on no label. */
export type OverrideLabels = ReadonlyMap<string, readonly string[]>;

/** Which labels a plan can depend on: those of the fields that an operation selects, and of the fields that have
 *  to be read for them, by `@key`, `@requires` and `@fromContext`, at whatever distance. */
export function readOverrideLabels(sdl: string): OverrideLabels {
  // The definition of `join__field` has the argument's name; only a use has a string behind it.
  if (!/\boverrideLabel\s*:\s*"/.test(sdl)) return new Map();
  const types = readTypes(parse(sdl, { noLocation: true }));
  const labelled = new Map<string, Set<string>>();
  /** From what is read to what needs it. */
  const neededBy = new Map<string, Set<string>>();
  const need = (from: string, to: string): void => void getOrCreateSet(neededBy, to).add(from);

  for (const type of types.values()) {
    for (const relative of relatedTypesOf(type, types)) need(type.name, relative);
    for (const fieldSet of type.keys) {
      for (const read of coordinatesOf(fieldSet, type.name, types)) need(type.name, read);
    }
    for (const field of type.fields.values()) {
      const coordinate = `${type.name}.${field.name}`;
      need(coordinate, type.name);
      for (const relative of relatedTypesOf(type, types)) need(coordinate, `${relative}.${field.name}`);
      for (const join of field.joins) {
        const label = textOf(join, 'overrideLabel');
        if (label !== undefined) getOrCreateSet(labelled, coordinate).add(label);
        const required = textOf(join, 'requires');
        if (required !== undefined) {
          for (const read of coordinatesOf(required, type.name, types)) need(coordinate, read);
        }
        for (const read of contextCoordinatesOf(join, types)) need(coordinate, read);
      }
    }
  }
  return propagateLabels(labelled, neededBy);
}

/** Every label that the supergraph has. */
export function listOverrideLabels(overrides: OverrideLabels): string[] {
  return [...new Set([...overrides.values()].flat())].sort();
}

interface JoinedField {
  readonly name: string;
  readonly typeName: string;
  /** Uses of `@join__field`. */
  readonly joins: readonly DirectiveNode[];
}

interface JoinedType {
  readonly name: string;
  /** Interfaces that it implements, and unions that it is in. */
  readonly supertypes: string[];
  readonly subtypes: string[];
  readonly keys: readonly string[];
  readonly contexts: readonly string[];
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
      keys: usesOf(node.directives, 'join__type').flatMap((join) => textOf(join, 'key') ?? []),
      contexts: usesOf(node.directives, 'context').flatMap((context) => textOf(context, 'name') ?? []),
      fields: new Map((isUnion ? [] : (node.fields ?? [])).map((field) => [nameOf(field), readField(field)])),
    });
  }
  for (const { name, supertypes, subtypes } of [...types.values()]) {
    for (const one of supertypes) types.get(one)?.subtypes.push(name);
    for (const one of subtypes) types.get(one)?.supertypes.push(name);
  }
  return types;
}

function readField(field: FieldDefinitionNode): JoinedField {
  return {
    name: nameOf(field),
    typeName: namedType(field.type),
    joins: usesOf(field.directives, 'join__field'),
  };
}

/** What a selection may be read from instead: the types that a type stands for, and the interfaces that stand for
 *  it, since a subgraph may have one as `@interfaceObject`. */
function relatedTypesOf({ name, supertypes, subtypes }: JoinedType, types: JoinedTypes): ReadonlySet<string> {
  const relatives = new Set([...supertypes, ...subtypes]);
  for (const one of subtypes) {
    for (const further of types.get(one)?.supertypes ?? []) if (further !== name) relatives.add(further);
  }
  return relatives;
}

/** `fieldSet` as in `@key(fields:)`. */
function coordinatesOf(fieldSet: string, typeName: string, types: JoinedTypes): ReadonlySet<string> {
  const found = new Set<string>();
  const [operation] = parse(fieldSet.trimStart().startsWith('{') ? fieldSet : `{ ${fieldSet} }`).definitions;
  if (operation?.kind === Kind.OPERATION_DEFINITION) walk(operation.selectionSet, typeName);
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

/** Of every type that may set the context: which one it is depends on the way to the field. */
function contextCoordinatesOf(join: DirectiveNode, types: JoinedTypes): string[] {
  const argument = argumentOf(join, 'contextArguments');
  if (argument?.kind !== Kind.LIST) return [];
  return argument.values.flatMap((value) => {
    if (value.kind !== Kind.OBJECT) return [];
    const member = (name: string) => value.fields.find((field) => nameOf(field) === name)?.value;
    const [context, selection] = [member('context'), member('selection')];
    if (context?.kind !== Kind.STRING || selection?.kind !== Kind.STRING) return [];
    return [...types.values()]
      .filter(({ contexts }) => contexts.includes(context.value))
      .flatMap(({ name }) => [...coordinatesOf(selection.value, name, types)]);
  });
}

/** Hands each label on to everything that needs its field. */
function propagateLabels(
  labelled: ReadonlyMap<string, ReadonlySet<string>>,
  neededBy: ReadonlyMap<string, ReadonlySet<string>>,
): OverrideLabels {
  const labels = new Map<string, Set<string>>();
  for (const [coordinate, own] of labelled) {
    const reached = new Set([coordinate]);
    // A set hands out what is added to it while it is read.
    for (const one of reached) for (const next of neededBy.get(one) ?? []) reached.add(next);
    for (const one of reached) for (const label of own) getOrCreateSet(labels, one).add(label);
  }
  return new Map(Array.from(labels, ([coordinate, own]) => [coordinate, [...own].sort()]));
}

function getOrCreateSet(sets: Map<string, Set<string>>, key: string): Set<string> {
  const known = sets.get(key);
  if (known !== undefined) return known;
  const made = new Set<string>();
  sets.set(key, made);
  return made;
}

function nameOf({ name }: { readonly name: NameNode }): string {
  return name.value;
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

function usesOf(directives: readonly DirectiveNode[] | undefined, name: string): DirectiveNode[] {
  return (directives ?? []).filter((directive) => nameOf(directive) === name);
}

function argumentOf(directive: DirectiveNode, name: string): ValueNode | undefined {
  return directive.arguments?.find((argument) => nameOf(argument) === name)?.value;
}

function textOf(directive: DirectiveNode, name: string): string | undefined {
  const value = argumentOf(directive, name);
  return value?.kind === Kind.STRING ? value.value : undefined;
}
