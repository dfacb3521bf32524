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

/** What the rules need to know of a supergraph. */
export interface CacheGraph {
  readonly types: ReadonlyMap<string, GraphType>;
  readonly subgraphs: ReadonlySet<string>;
  readonly roots: ReadonlyMap<OperationTypeNode, string>;
  /** Everything that an answer's values can depend on below a field's type: the values of an enum, the fields and
   *  defaults of an input object. The name alone for other types. */
  describeType(name: string): string;
}

/** An object type, interface or union. */
export interface GraphType {
  readonly name: string;
  readonly isAbstract: boolean;
  /** Of the type itself where it is an object type. */
  readonly possibleTypes: readonly string[];
  /** Interfaces that it implements, and unions that it is in. */
  readonly supertypes: readonly string[];
  /** It has no key anywhere and is no root type: its values are parts of those that hold them. */
  readonly isValueType: boolean;
  readonly fields: ReadonlyMap<string, GraphField>;
  readonly keyFields: KeyFields;
  /** What tells which of its objects one is: the keys of all subgraphs, resolvable or not, and those of its
   *  interfaces. Each once, whatever the order of its fields. */
  readonly keys: readonly EntityKey[];
}

interface EntityKey {
  /** `{ code vendor { id } }`, fields in the order of their names. */
  readonly text: string;
  /** In the same order. */
  readonly fields: KeyFields;
}

export interface GraphField {
  readonly name: string;
  /** By the name of a subgraph, where its type is another one than `type`. */
  readonly typeBySubgraph: ReadonlyMap<string, TypeNode>;
  readonly type: TypeNode;
  /** Arguments with their types and defaults, as text. */
  readonly arguments: string;
  readonly argumentNames: readonly string[];
  readonly argumentTypes: readonly string[];
}

/** Fields that stand in keys, with those that do so below each. */
export interface KeyFields extends ReadonlyMap<string, KeyFields> {}

const noKeyFields: KeyFields = new Map();

export function readCacheGraph(document: DocumentNode): CacheGraph {
  const subgraphNames = subgraphNamesOf(document);
  const composites = compositesOf(document);
  const unions = new Map<string, readonly string[]>();
  const others = new Map<string, DefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) {
      unions.set(definition.name.value, (definition.types ?? []).map(({ name }) => name.value).sort());
    } else if (
      definition.kind === Kind.ENUM_TYPE_DEFINITION ||
      definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION
    ) {
      others.set(definition.name.value, definition);
    }
  }
  const implementers = new Map<string, string[]>();
  for (const { kind, name, interfaces = [] } of composites.values()) {
    if (kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    for (const one of interfaces) {
      implementers.set(one.name.value, [...(implementers.get(one.name.value) ?? []), name.value].sort());
    }
  }

  const roots = rootTypesOf(document);
  const rootNames = [...roots.values()];
  const keySets = new Map([...composites].map(([name, composite]) => [name, keySetsOf(composite)]));
  const types = new Map<string, GraphType>();
  for (const { kind, name, interfaces = [], fields = [] } of composites.values()) {
    const keys = keySets.get(name.value) ?? [];
    const keysAbove = interfaces.flatMap((one) => keySets.get(one.name.value) ?? []);
    const isAbstract = kind === Kind.INTERFACE_TYPE_DEFINITION;
    types.set(name.value, {
      name: name.value,
      isAbstract,
      possibleTypes: isAbstract ? (implementers.get(name.value) ?? []) : [name.value],
      supertypes: [
        ...interfaces.map((one) => one.name.value),
        ...[...unions].flatMap(([union, members]) => (members.includes(name.value) ? [union] : [])),
      ],
      isValueType: keys.length === 0 && !rootNames.includes(name.value),
      fields: new Map(fields.map((field) => [field.name.value, readField(field, subgraphNames)])),
      keyFields: keyFieldsOf(keys),
      keys: entityKeysOf([...keys, ...keysAbove]),
    });
  }
  for (const [name, objectTypes] of unions) {
    types.set(name, {
      name,
      isAbstract: true,
      possibleTypes: objectTypes,
      supertypes: [],
      isValueType: true,
      fields: new Map(),
      keyFields: noKeyFields,
      keys: [],
    });
  }
  return {
    types,
    subgraphs: new Set(subgraphNames.values()),
    roots,
    describeType: (name) => describe(name, others, new Set()),
  };
}

function readField(field: FieldDefinitionNode, subgraphNames: ReadonlyMap<string, string>): GraphField {
  const typeIn = new Map<string, TypeNode>();
  for (const join of field.directives ?? []) {
    if (join.name.value !== 'join__field') continue;
    const type = argumentOf(join, 'type');
    const subgraph = subgraphNames.get(argumentOf(join, 'graph') ?? '');
    if (type !== undefined && subgraph !== undefined) typeIn.set(subgraph, parseType(type));
  }
  return {
    name: field.name.value,
    typeBySubgraph: typeIn,
    type: field.type,
    arguments: (field.arguments ?? []).map(printInput).join(', '),
    argumentNames: (field.arguments ?? []).map((argument) => argument.name.value),
    argumentTypes: (field.arguments ?? []).map(namedTypeOf),
  };
}

/** The named type of a field in a subgraph. */
export function fieldTypeIn(field: GraphField, subgraph: string): TypeNode {
  return field.typeBySubgraph.get(subgraph) ?? field.type;
}

type InputValue = NonNullable<FieldDefinitionNode['arguments']>[number];

function printInput({ name, type, defaultValue }: InputValue): string {
  return `${name.value}: ${print(type)}${defaultValue === undefined ? '' : ` = ${print(defaultValue)}`}`;
}

function keySetsOf({ directives = [] }: CompositeDefinition): SelectionSetNode[] {
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

/** Fields in the order of their names at every depth. `__typename` tells no two objects of a type apart. */
function sortKeyFields(fields: KeyFields): KeyFields {
  return new Map(
    [...fields]
      .filter(([name]) => name !== '__typename')
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, below]) => [name, sortKeyFields(below)]),
  );
}

function printKey(fields: KeyFields): string {
  const parts = [...fields].map(([name, below]) => (below.size === 0 ? name : `${name} ${printKey(below)}`));
  return `{ ${parts.join(' ')} }`;
}

function keyFieldsOf(sets: readonly SelectionSetNode[]): KeyFields {
  const below = new Map<string, SelectionSetNode[]>();
  const gather = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet);
      if (selection.kind !== Kind.FIELD) continue;
      const known = below.get(selection.name.value) ?? [];
      below.set(selection.name.value, known);
      if (selection.selectionSet !== undefined) known.push(selection.selectionSet);
    }
  };
  sets.forEach(gather);
  return new Map([...below].map(([name, inner]) => [name, keyFieldsOf(inner)]));
}

/** Input objects may hold each other: each is described once. */
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
