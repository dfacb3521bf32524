import {
  buildASTSchema,
  type ConstDirectiveNode,
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  parse,
  print,
  type SelectionSetNode,
  stripIgnoredCharacters,
} from 'graphql';
import {
  argumentOf,
  compositesOf,
  contextArgumentsOf,
  joinsOf,
  parseFieldSet,
  subgraphNamesOf,
  typesByContext,
} from '../../gateway/planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ContractGraph } from './composeGraph.ts';

/** What a supergraph says about one of its subgraphs. Federation directives have one form here, under any
 *  name that the subgraph gives them. */
export interface SubgraphMetadata {
  /** The keys of each type, including keys with `resolvable: false`. */
  readonly keys: ReadonlyMap<string, readonly EntityKey[]>;
  /** The object types of each interface and union in the subgraph. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** The interfaces that the subgraph has as object types, by `@interfaceObject`. */
  readonly interfaceObjects: ReadonlySet<string>;
  /** Fields by `Type.field`, only those with metadata. */
  readonly fields: ReadonlyMap<string, FieldMetadata>;
}

export interface EntityKey {
  readonly fields: SelectionSetNode;
  readonly isResolvable: boolean;
}

export interface FieldMetadata {
  readonly requires: SelectionSetNode | undefined;
  readonly provides: SelectionSetNode | undefined;
  /** The subgraph names the field, and another one resolves it. */
  readonly isExternal: boolean;
  /** Its type in the subgraph. Omitted: that of the supergraph. */
  readonly ownType?: string | undefined;
  /** Arguments that the gateway fills in, by name. */
  readonly contextArguments: ReadonlyMap<string, ContextValue>;
}

/** What an argument with `@fromContext` is filled with. */
export interface ContextValue {
  /** The selection from each type that has the context. */
  readonly selections: ReadonlyMap<string, string>;
  /** All of it, for people. */
  readonly description: string;
}

/** `types`: those that have the context. `text`: a selection, with or without the name of the context before it. */
export function createContextValue(types: readonly string[], text: string): ContextValue {
  const written = stripIgnoredCharacters(text).replace(/^\$\w+/, '');
  const set = parseFieldSet(written);
  return {
    selections: new Map(types.map((type) => [type, set === undefined ? '' : selectionFrom(type, set)])),
    description: `${types.join(' or ')} ${written}`,
  };
}

/** A selection may be divided by fragments, one for each type. */
function selectionFrom(typeName: string, set: SelectionSetNode): string {
  const own = set.selections.find(
    (selection) =>
      selection.kind === Kind.INLINE_FRAGMENT && selection.typeCondition?.name.value === typeName,
  );
  return print(own?.kind === Kind.INLINE_FRAGMENT ? own.selectionSet : set);
}

/** The metadata of each subgraph, and the schema that the planner uses, including elements that clients do not see. */
export interface SupergraphMetadata {
  /** The supergraph, without locations. */
  readonly document: DocumentNode;
  readonly subgraphs: ReadonlyMap<string, SubgraphMetadata>;
  readonly schema: GraphQLSchema;
}

const metadataByGraph = new WeakMap<ContractGraph, SupergraphMetadata>();

/** Built once per graph. */
export function supergraphMetadataOf(graph: ContractGraph): SupergraphMetadata {
  return getOrInsertComputed(metadataByGraph, graph, () => readSupergraphMetadata(graph.sdl));
}

export function readSupergraphMetadata(sdl: string): SupergraphMetadata {
  const document = parse(sdl, { noLocation: true });
  const names = subgraphNamesOf(document);
  const subgraphs = new Map(Array.from(names.values(), (name) => [name, createMetadata()]));
  const subgraphOf: SubgraphOf = (join) => subgraphs.get(names.get(argumentOf(join, 'graph') ?? '') ?? '');
  addMembers(document, subgraphOf);
  addTypes(document, subgraphOf);
  return {
    document,
    subgraphs,
    schema: buildASTSchema(document, { assumeValid: true, assumeValidSDL: true }),
  };
}

function createMetadata() {
  return {
    keys: new Map<string, EntityKey[]>(),
    members: new Map<string, Set<string>>(),
    interfaceObjects: new Set<string>(),
    fields: new Map<string, FieldMetadata>(),
  };
}

/** The metadata of the subgraph that a join directive names. */
type SubgraphOf = (join: ConstDirectiveNode) => ReturnType<typeof createMetadata> | undefined;

function addMembers(document: DocumentNode, subgraphOf: SubgraphOf): void {
  const addMember = (
    join: ConstDirectiveNode,
    abstractType: string | undefined,
    member: string | undefined,
  ) => {
    const members = subgraphOf(join)?.members;
    if (members === undefined || abstractType === undefined || member === undefined) return;
    members.set(abstractType, new Set(members.get(abstractType)).add(member));
  };
  for (const definition of document.definitions) {
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) {
      for (const join of joinsOf(definition, 'join__unionMember'))
        addMember(join, definition.name.value, argumentOf(join, 'member'));
    }
    if (definition.kind === Kind.OBJECT_TYPE_DEFINITION) {
      for (const join of joinsOf(definition, 'join__implements'))
        addMember(join, argumentOf(join, 'interface'), definition.name.value);
    }
  }
}

/** Adds keys, interface objects and fields. */
function addTypes(document: DocumentNode, subgraphOf: SubgraphOf): void {
  const contexts = typesByContext(document);
  for (const [typeName, type] of compositesOf(document)) {
    for (const join of joinsOf(type, 'join__type')) {
      if (argumentOf(join, 'isInterfaceObject') === 'true') subgraphOf(join)?.interfaceObjects.add(typeName);
      const fields = parseFieldSet(argumentOf(join, 'key'));
      const keys = subgraphOf(join)?.keys;
      if (fields === undefined || keys === undefined) continue;
      const key = { fields, isResolvable: argumentOf(join, 'resolvable') !== 'false' };
      keys.set(typeName, [...(keys.get(typeName) ?? []), key]);
    }
    for (const field of type.fields ?? []) {
      for (const join of joinsOf(field, 'join__field'))
        subgraphOf(join)?.fields.set(`${typeName}.${field.name.value}`, fieldMetadataOf(join, contexts));
    }
  }
}

/** `contexts`: the types that have each context. */
function fieldMetadataOf(
  join: ConstDirectiveNode,
  contexts: ReadonlyMap<string, readonly string[]>,
): FieldMetadata {
  return {
    requires: parseFieldSet(argumentOf(join, 'requires')),
    provides: parseFieldSet(argumentOf(join, 'provides')),
    isExternal: argumentOf(join, 'external') === 'true',
    ownType: argumentOf(join, 'type'),
    contextArguments: new Map(
      contextArgumentsOf(join).map(({ name, context, selection }) => [
        name,
        createContextValue(contexts.get(context) ?? [], selection),
      ]),
    ),
  };
}
