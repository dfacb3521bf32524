import {
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type OperationTypeNode,
  parseType,
  print,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  namedTypeOf,
  parseFieldSet,
  rootTypesOf,
  subgraphNamesOf,
} from '../../planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';

/** The part of a supergraph that cache rules and tags depend on. */
export interface CacheGraph {
  /** Each type is read when it is looked up first: a large graph has thousands that no operation selects. */
  readonly types: Pick<ReadonlyMap<string, GraphType>, 'get' | 'has' | 'keys'>;
  readonly subgraphs: ReadonlySet<string>;
  readonly roots: ReadonlyMap<OperationTypeNode, string>;
  readonly enumValues: ReadonlyMap<string, ReadonlySet<string>>;
  /** Describes a type as text that changes when the values of its fields may change: the values of an enum, the fields and
   *  defaults of an input object. The name only, for other types. */
  describeType(name: string): string;
}

/** An object type, interface or union. */
export interface GraphType {
  readonly name: string;
  readonly isAbstract: boolean;
  /** For an object type, the type itself. */
  readonly possibleTypes: readonly string[];
  /** Interfaces that it implements, and unions that contain it. */
  readonly supertypes: readonly string[];
  /** Whether it has no key in any subgraph and is not a root type, so that its values belong to their parent objects. */
  readonly isValueType: boolean;
  readonly fields: ReadonlyMap<string, GraphField>;
  readonly keyFields: KeyFields;
  /** The keys of all subgraphs, resolvable or not, and of its interfaces. Keys that differ only in the order of their
   *  fields are listed once. */
  readonly keys: readonly EntityKey[];
}

interface EntityKey {
  /** Such as `{ code vendor { id } }`, with sorted fields. */
  readonly text: string;
  /** Sorted. */
  readonly fields: KeyFields;
}

export interface GraphField {
  readonly name: string;
  /** The types in subgraphs where they differ from `type`. */
  readonly typeBySubgraph: ReadonlyMap<string, TypeNode>;
  readonly type: TypeNode;
  /** Text of the arguments with types and defaults. */
  readonly arguments: string;
  readonly argumentNames: readonly string[];
  readonly argumentTypes: readonly string[];
}

/** Fields of keys, each with its nested key fields. */
export interface KeyFields extends ReadonlyMap<string, KeyFields> {}

const noKeyFields: KeyFields = new Map();

export function readCacheGraph(document: DocumentNode): CacheGraph {
  const subgraphNames = subgraphNamesOf(document);
  const composites = compositesOf(document);
  const unions = new Map<string, readonly string[]>();
  const enumsAndInputs = new Map<string, DefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) {
      unions.set(definition.name.value, (definition.types ?? []).map(({ name }) => name.value).sort());
    } else if (
      definition.kind === Kind.ENUM_TYPE_DEFINITION ||
      definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION
    ) {
      enumsAndInputs.set(definition.name.value, definition);
    }
  }
  const implementers = implementersOf(composites.values());
  const unionsByMember = unionsByMemberOf(unions);
  const roots = rootTypesOf(document);
  const rootNames = [...roots.values()];
  const readComposite = ({ kind, name, interfaces = [], fields = [], directives }: CompositeDefinition) => {
    const keys = keySetsOf(directives);
    const inheritedKeys = interfaces.flatMap((implemented) =>
      keySetsOf(composites.get(implemented.name.value)?.directives),
    );
    const isAbstract = kind === Kind.INTERFACE_TYPE_DEFINITION;
    return {
      name: name.value,
      isAbstract,
      possibleTypes: isAbstract ? (implementers.get(name.value) ?? []) : [name.value],
      supertypes: [
        ...interfaces.map((implemented) => implemented.name.value),
        ...(unionsByMember.get(name.value) ?? []),
      ],
      isValueType: keys.length === 0 && !rootNames.includes(name.value),
      fields: new Map(fields.map((field) => [field.name.value, readField(field, subgraphNames)])),
      keyFields: keyFieldsOf(keys),
      keys: entityKeysOf([...keys, ...inheritedKeys]),
    };
  };
  const types = new Map<string, GraphType>();
  const readType = (name: string): GraphType | undefined => {
    const composite = composites.get(name);
    const members = unions.get(name);
    const type = composite === undefined ? members && unionType(name, members) : readComposite(composite);
    if (type !== undefined) types.set(name, type);
    return type;
  };
  return {
    types: {
      get: (name) => types.get(name) ?? readType(name),
      has: (name) => composites.has(name) || unions.has(name),
      keys: () => [...composites.keys(), ...unions.keys()].values(),
    },
    subgraphs: new Set(subgraphNames.values()),
    roots,
    enumValues: new Map(
      [...enumsAndInputs].flatMap(([name, definition]) =>
        definition.kind === Kind.ENUM_TYPE_DEFINITION
          ? [[name, new Set((definition.values ?? []).map((value) => value.name.value))]]
          : [],
      ),
    ),
    describeType: (name) => describe(name, enumsAndInputs, new Set()),
  };
}

/** The object types of each interface, sorted. */
function implementersOf(definitions: Iterable<CompositeDefinition>): ReadonlyMap<string, readonly string[]> {
  const implementers = new Map<string, string[]>();
  for (const { kind, name, interfaces = [] } of [...definitions].sort(byName)) {
    if (kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    for (const implemented of interfaces)
      getOrInsertComputed(implementers, implemented.name.value, () => []).push(name.value);
  }
  return implementers;
}

function unionsByMemberOf(
  unions: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, readonly string[]> {
  const byMember = new Map<string, string[]>();
  for (const [union, members] of unions) {
    for (const member of members) getOrInsertComputed(byMember, member, () => []).push(union);
  }
  return byMember;
}

function unionType(name: string, possibleTypes: readonly string[]): GraphType {
  return {
    name,
    isAbstract: true,
    possibleTypes,
    supertypes: [],
    isValueType: true,
    fields: new Map(),
    keyFields: noKeyFields,
    keys: [],
  };
}

function byName(a: CompositeDefinition, b: CompositeDefinition): number {
  return a.name.value < b.name.value ? -1 : 1;
}

function readField(field: FieldDefinitionNode, subgraphNames: ReadonlyMap<string, string>): GraphField {
  const typeBySubgraph = new Map<string, TypeNode>();
  for (const join of field.directives ?? []) {
    if (join.name.value !== 'join__field') continue;
    const type = argumentOf(join, 'type');
    const subgraph = subgraphNames.get(argumentOf(join, 'graph') ?? '');
    if (type !== undefined && subgraph !== undefined) typeBySubgraph.set(subgraph, parseType(type));
  }
  return {
    name: field.name.value,
    typeBySubgraph,
    type: field.type,
    arguments: (field.arguments ?? []).map(printInput).join(', '),
    argumentNames: (field.arguments ?? []).map((argument) => argument.name.value),
    argumentTypes: (field.arguments ?? []).map(namedTypeOf),
  };
}

/** The type of a field in a subgraph. */
export function fieldTypeIn(field: GraphField, subgraph: string): TypeNode {
  return field.typeBySubgraph.get(subgraph) ?? field.type;
}

type InputValue = NonNullable<FieldDefinitionNode['arguments']>[number];

function printInput({ name, type, defaultValue }: InputValue): string {
  return `${name.value}: ${print(type)}${defaultValue === undefined ? '' : ` = ${print(defaultValue)}`}`;
}

function keySetsOf(directives: CompositeDefinition['directives'] = []): SelectionSetNode[] {
  const joins = directives.filter((directive) => directive.name.value === 'join__type');
  return joins.flatMap((join) => parseFieldSet(argumentOf(join, 'key')) ?? []);
}

function entityKeysOf(sets: readonly SelectionSetNode[]): EntityKey[] {
  const keys = new Map<string, EntityKey>();
  for (const set of sets) {
    const fields = sortKeyFields(keyFieldsOf([set]));
    const text = printKey(fields);
    keys.set(text, { text, fields });
  }
  return [...keys.values()];
}

/** Sorts fields at every depth, and drops `__typename`, which identifies no object of a type. */
function sortKeyFields(fields: KeyFields): KeyFields {
  return new Map(
    [...fields]
      .filter(([name]) => name !== '__typename')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, nested]) => [name, sortKeyFields(nested)]),
  );
}

function printKey(fields: KeyFields): string {
  const parts = [...fields].map(([name, nested]) =>
    nested.size === 0 ? name : `${name} ${printKey(nested)}`,
  );
  return `{ ${parts.join(' ')} }`;
}

function keyFieldsOf(sets: readonly SelectionSetNode[]): KeyFields {
  const nestedSets = new Map<string, SelectionSetNode[]>();
  const gather = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet);
      if (selection.kind !== Kind.FIELD) continue;
      const known = getOrInsertComputed(nestedSets, selection.name.value, () => []);
      if (selection.selectionSet !== undefined) known.push(selection.selectionSet);
    }
  };
  sets.forEach(gather);
  return new Map([...nestedSets].map(([name, sets]) => [name, keyFieldsOf(sets)]));
}

/** Each input object is described once, because they can contain each other. */
function describe(name: string, types: ReadonlyMap<string, DefinitionNode>, seen: Set<string>): string {
  const definition = types.get(name);
  if (definition === undefined || seen.has(name)) return name;
  seen.add(name);
  if (definition.kind === Kind.ENUM_TYPE_DEFINITION) {
    const values = (definition.values ?? []).map((value) => value.name.value);
    return `${name} = ${values.sort().join(' | ')}`;
  }
  if (definition.kind !== Kind.INPUT_OBJECT_TYPE_DEFINITION) return name;
  const { fields = [] } = definition;
  const inner = fields.map(namedTypeOf).map((inner) => describe(inner, types, seen));
  return `${name} { ${fields.map(printInput).join(', ')} } ${inner.join(' ')}`;
}
