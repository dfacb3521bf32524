import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  print,
} from 'graphql';
import { fieldTreeOf } from './fieldTree.ts';
import { addCopyDirectives, addLeafCopies, type GraphCopy, isLeafDefinition } from './graphCopies.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, PlanNode, QueryPlan } from './queryPlan.ts';
import {
  argumentOf,
  type CompositeDefinition,
  compositesOf,
  implementsInterface,
  isComposite,
  isOfInterfaceObject,
  joinDirective,
  joinsOf,
  namedTypeOf,
  parseFieldSet,
  subgraphNamesOf,
  unusedGraphSuffix,
} from './supergraphDocument.ts';
import { entitiesOf, replaceEntitiesSelection } from './toSubgraphPlan.ts';

/** A field with a `@requires` that a subgraph adds to an interface, which it knows as an `@interfaceObject`. */
interface AddedField {
  readonly name: string;
  readonly requires: string;
}

/** A copy of a subgraph in which the implementations of an interface replace its `@interfaceObject`. */
interface ImplementationCopy extends GraphCopy {
  readonly interfaceName: string;
  readonly keys: readonly string[];
  readonly fields: readonly AddedField[];
  /** Types that are reachable from the fields. */
  readonly reachableTypes: ReadonlySet<string>;
}

interface ExpandedSupergraph {
  readonly document: DocumentNode;
  /** Converts a plan for the expanded supergraph to one for the original subgraphs. */
  restore(plan: QueryPlan): QueryPlan;
}

/** A supergraph in which the fields that an `@interfaceObject` computes from inputs belong to the implementations of
 *  the interface, in a copy of the subgraph.
 *
 *  Where such fields depend on each other, the planner confuses which types need which inputs, throws, or does not
 *  terminate. It handles ordinary object types correctly. `restore` puts the interface back into subgraph requests. */
export function expandInterfaceObjects(document: DocumentNode): ExpandedSupergraph {
  const copies = findCopies(document);
  if (copies.length === 0) return { document, restore: (plan) => plan };
  const names = subgraphNamesOf(document);
  const copyByGraph = new Map(copies.map((copy) => [copy.copyGraph, copy]));
  return {
    document: {
      ...document,
      definitions: document.definitions.map((definition) => expandDefinition(definition, copies)),
    },
    restore: (plan) =>
      mapFetches(plan, (fetch) => {
        const copy = copyByGraph.get(fetch.serviceName);
        return copy === undefined ? fetch : restoreFetch(fetch, copy, names.get(copy.graph) ?? copy.graph);
      }),
  };
}

function findCopies(document: DocumentNode): ImplementationCopy[] {
  const types = compositesOf(document);
  const suffix = unusedGraphSuffix(document);
  const copies: ImplementationCopy[] = [];
  for (const [interfaceName, type] of types) {
    if (type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const joins = joinsOf(type, 'join__type');
    const graphs = joins.filter((join) => argumentOf(join, 'isInterfaceObject') === 'true');
    for (const graph of new Set(graphs.map((join) => argumentOf(join, 'graph') as string))) {
      const keys = joins
        .filter((join) => argumentOf(join, 'graph') === graph && argumentOf(join, 'resolvable') !== 'false')
        .flatMap((join) => argumentOf(join, 'key') ?? []);
      const fields: AddedField[] = [];
      const reachable = new Set<string>();
      for (const field of type.fields ?? []) {
        const requires = requiresOfField(field, graph);
        if (requires === undefined) continue;
        const found = reachableTypesFrom(
          [namedTypeOf(field), ...typesOfFieldSets([...keys, requires], type, types)],
          types,
        );
        // The field leads back to objects of the interface. The copy would need both the interface object and its
        // implementations, which one subgraph cannot have.
        if (
          [...found].some(
            (name) => name === interfaceName || implementsInterface(types.get(name), interfaceName),
          )
        )
          continue;
        fields.push({ name: field.name.value, requires });
        for (const name of found) reachable.add(name);
      }
      if (keys.length === 0 || fields.length === 0) continue;
      const copyGraph = `${graph}${suffix}${copies.length}`;
      copies.push({ graph, copyGraph: copyGraph, interfaceName, keys, fields, reachableTypes: reachable });
    }
  }
  return copies;
}

function requiresOfField(field: FieldDefinitionNode, graph: string): string | undefined {
  const join = joinsOf(field, 'join__field').find((directive) => argumentOf(directive, 'graph') === graph);
  if (join === undefined || argumentOf(join, 'contextArguments') !== undefined) return undefined;
  return argumentOf(join, 'requires');
}

/** Composite types of the top-level fields of these field sets. */
function typesOfFieldSets(
  fieldSets: readonly string[],
  type: CompositeDefinition,
  types: ReadonlyMap<string, CompositeDefinition>,
): string[] {
  return fieldSets.flatMap((fieldSet) =>
    topLevelFieldsOf(fieldSet).flatMap((name) => {
      const field = type.fields?.find((candidate) => candidate.name.value === name);
      const typeName = field && namedTypeOf(field);
      return typeName !== undefined && types.has(typeName) ? [typeName] : [];
    }),
  );
}

function topLevelFieldsOf(fieldSet: string): string[] {
  const set = parseFieldSet(fieldSet);
  return set === undefined ? [] : [...fieldTreeOf([set]).keys()];
}

function reachableTypesFrom(
  start: readonly string[],
  types: ReadonlyMap<string, CompositeDefinition>,
): ReadonlySet<string> {
  const reachable = new Set<string>();
  const pending = [...start];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const type = types.get(name);
    if (type === undefined || reachable.has(name)) continue;
    reachable.add(name);
    pending.push(...(type.fields ?? []).map(namedTypeOf));
    for (const [candidateName, candidate] of types)
      if (implementsInterface(candidate, name)) pending.push(candidateName);
  }
  return reachable;
}

function expandDefinition(definition: DefinitionNode, copies: readonly ImplementationCopy[]): DefinitionNode {
  if (isComposite(definition)) return expandType(definition, copies);
  return isLeafDefinition(definition) ? addLeafCopies(definition, copies) : definition;
}

function expandType(type: CompositeDefinition, copies: readonly ImplementationCopy[]): CompositeDefinition {
  const name = type.name.value;
  const ofInterface = copies.filter(({ interfaceName }) => interfaceName === name);
  if (ofInterface.length > 0) return removeMovedFields(type, ofInterface);
  const reaching = copies.filter(({ reachableTypes }) => reachableTypes.has(name));
  if (reaching.length > 0) {
    const fields = type.fields?.map((field) => addCopyDirectives(field, reaching)) ?? [];
    return { ...addCopyDirectives(type, reaching), fields };
  }
  const applicable =
    type.kind === Kind.OBJECT_TYPE_DEFINITION
      ? copies.filter(({ interfaceName }) => implementsInterface(type, interfaceName))
      : [];
  return applicable.length === 0 ? type : addComputedFields(type, applicable);
}

/** Removes the moved fields from the interface in its subgraph. They belong to its implementations now. */
function removeMovedFields(
  type: CompositeDefinition,
  copies: readonly ImplementationCopy[],
): CompositeDefinition {
  const objectGraphs = joinsOf(type, 'join__type')
    .filter((join) => argumentOf(join, 'isInterfaceObject') !== 'true')
    .map((join) => argumentOf(join, 'graph') as string);
  const fields = type.fields?.map((field): FieldDefinitionNode => {
    const moved = copies.filter((copy) => copy.fields.some(({ name }) => name === field.name.value));
    if (moved.length === 0) return field;
    const remaining = (field.directives ?? []).filter(
      (directive) =>
        directive.name.value !== 'join__field' ||
        !moved.some(({ graph }) => graph === argumentOf(directive, 'graph')),
    );
    return {
      ...field,
      directives: [
        ...remaining,
        ...[...new Set(objectGraphs)].map((graph) => joinDirective('join__field', { graph })),
      ],
    };
  });
  return { ...type, fields: fields ?? [] };
}

/** Adds to an implementation the fields that the copies compute for it, with their keys and inputs. */
function addComputedFields(
  type: CompositeDefinition,
  copies: readonly ImplementationCopy[],
): CompositeDefinition {
  const graphs = [...new Set(joinsOf(type, 'join__type').map((join) => argumentOf(join, 'graph') as string))];
  const added = copies.flatMap(({ copyGraph: graph, keys }) =>
    keys.map((key) => joinDirective('join__type', { graph, key })),
  );
  const fields = type.fields?.map((field): FieldDefinitionNode => {
    const name = field.name.value;
    const joins = copies.flatMap(({ copyGraph: graph, keys, fields: computed }): ConstDirectiveNode[] => {
      const applicable = computed.find((candidate) => candidate.name === name);
      if (applicable !== undefined)
        return [joinDirective('join__field', { graph, requires: applicable.requires })];
      // Of its keys, the copy resolves the first one only: with more, the planner would call it to get one key for another,
      // also where the fetch before could bring both.
      const [first = '', ...others] = keys;
      if (topLevelFieldsOf(first).includes(name)) return [joinDirective('join__field', { graph })];
      if (others.some((key) => topLevelFieldsOf(key).includes(name)))
        return [joinDirective('join__field', { graph, external: true })];
      const isInput = computed.some(({ requires }) => topLevelFieldsOf(requires).includes(name));
      return isInput ? [joinDirective('join__field', { graph, external: true })] : [];
    });
    const present = joinsOf(field, 'join__field');
    // A field without `@join__field` is in all subgraphs of its type. The copies added some, so that the original ones
    // have to be listed.
    const explicit =
      present.length === 0 ? graphs.map((graph) => joinDirective('join__field', { graph })) : [];
    const isMoved = copies.some((copy) => copy.fields.some((candidate) => candidate.name === name));
    const retained = (field.directives ?? []).filter(
      (directive) => !(isMoved && isOfInterfaceObject(directive)),
    );
    return { ...field, directives: [...retained, ...explicit, ...joins] };
  });
  return { ...type, directives: [...(type.directives ?? []), ...added], fields: fields ?? [] };
}

/** Replaces implementation names by the interface name, which is the only one that the subgraph knows, in the operation
 *  and in representations. A fetch whose types select different fields becomes several, which travel in one request: the
 *  subgraph would compute the fields of one type for objects of another, whose representations lack the inputs. */
function restoreFetch(
  fetch: FetchNode,
  { interfaceName }: ImplementationCopy,
  serviceName: string,
): PlanNode {
  const [document, entities] = entitiesOf(fetch);
  const fragments = (entities?.selectionSet?.selections ?? []).filter(
    (selection) => selection.kind === Kind.INLINE_FRAGMENT,
  );
  if (document === undefined || fragments.length === 0) return { ...fetch, serviceName };
  const byType = Map.groupBy(fragments, ({ typeCondition }) => typeCondition?.name.value);
  const bySelections = Map.groupBy(byType, ([, own]) =>
    own.map(({ selectionSet }) => print(selectionSet)).join(),
  );
  const typeCondition = { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: interfaceName } } as const;
  const parts = Array.from(bySelections.values(), (ofTypes): FetchNode => {
    const typeNames = ofTypes.flatMap(([typeName]) => typeName ?? []);
    const selections = (ofTypes[0]?.[1] ?? []).map((fragment) => ({ ...fragment, typeCondition }));
    return {
      ...fetch,
      serviceName,
      ...replaceEntitiesSelection(
        document,
        { ...entities, selectionSet: { kind: Kind.SELECTION_SET, selections } },
        fetch,
      ),
      requires: (fetch.requires ?? []).filter(
        (selection) =>
          selection.kind === 'Field' ||
          selection.typeCondition === undefined ||
          typeNames.includes(selection.typeCondition),
      ),
      inputRewrites: [
        ...(fetch.inputRewrites ?? []),
        ...typeNames.map((name) => ({
          kind: 'ValueSetter' as const,
          path: [`... on ${name}`, '__typename'],
          setValueTo: interfaceName,
        })),
      ],
    };
  });
  return parts.length === 1 ? (parts[0] as FetchNode) : { kind: 'Parallel', nodes: parts };
}
