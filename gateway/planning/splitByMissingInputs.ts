import {
  baseType,
  isCompositeType,
  type ObjectType,
  possibleRuntimeTypes,
  type Schema,
} from '@apollo/federation-internals';
import { type DocumentNode, type FieldNode, Kind, parse, print, type SelectionSetNode } from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { EntityInputs } from './entityInputs.ts';
import { responseNameOf } from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, KeyRenamer, QueryPlan } from './queryPlan.ts';
import { entitiesOf, entityFieldsOf, withEntityFields } from './toSubgraphPlan.ts';
import { usedVariableDefinitions } from './usedVariableDefinitions.ts';

/** Splits fetches that some objects lack inputs of, because the operation selects the fields that need these for other
 *  objects only, as `{ owners { kids { name } ... on Club { kids { text } } } }` selects `text`, which has a `@requires` or
 *  takes an argument from its club. The planner fetches both fields for all kids, and the executor fetches nothing for
 *  an object without an input. The parts are parallel fetches, which travel in one request.
 *
 *  The planner fetches the fields that take an argument from a context together with the others, after the value of the
 *  argument. If the fetch of that value may fail, or its subgraph may not know the object, the others would be lost with
 *  them. Such a fetch gets its parts, which are sent only for objects that lack a value: the subgraph would look up each
 *  entity twice. The planner itself puts the fields with a `@requires` into another fetch than those that need not wait.
 *  `text`: the operation, without named fragments. */
export function splitByMissingInputs(
  plan: QueryPlan,
  text: string,
  apiSchema: Schema,
  inputs: EntityInputs,
): QueryPlan {
  let operation: DocumentNode | undefined;
  return mapFetches(plan, (fetch, path) => {
    const [document, entities] = entitiesOf(fetch);
    if (document === undefined) return fetch;
    const { contextRewrites = [] } = fetch;
    if (contextRewrites.length === 0 && inputs.isEmpty) return fetch;
    const byVariable = Map.groupBy(contextRewrites, ({ renameKeyTo }) => renameKeyTo);
    let objects: ObjectsOnPath | undefined;
    const rewritesOf = (field: FieldNode): KeyRenamer[] =>
      usedVariableDefinitions(document, field).flatMap(
        ({ variable }) => byVariable.get(variable.name.value) ?? [],
      );
    const partOf = (field: FieldNode, typeName: string | undefined): string => {
      const required = inputs.inputsOf(fetch.serviceName, typeName, field);
      const rewrites = rewritesOf(field);
      if (required.length + rewrites.length === 0) return '';
      operation ??= parse(text, { noLocation: true });
      objects ??= new ObjectsOnPath(path, operation, apiSchema);
      const byArgument = Map.groupBy(rewrites, ({ renameKeyTo }) => renameKeyTo).values();
      const gaps = byArgument.flatMap((ofArgument) => objects?.withoutValue(ofArgument) ?? []);
      const isPartial = required.length > 0 && !objects.allSelect(field, typeName);
      return [...new Set(gaps), ...(isPartial ? required.map(print) : [])].sort().join();
    };
    const fields = [...entityFieldsOf(entities)];
    if (fields.length < 2) return fetch;
    const limitTo = (part: typeof fields): FetchNode =>
      withEntityFields(fetch, document, entities, new Set(part.map(([field]) => field)), inputs);
    const parts = Map.groupBy(fields, ([field, typeName]) => partOf(field, typeName));
    const nodes = Array.from(parts.values(), (part): FetchNode => {
      const node = parts.size === 1 ? fetch : limitTo(part);
      const byArguments = Map.groupBy(part, ([field]) =>
        [...new Set(rewritesOf(field).map(({ renameKeyTo }) => renameKeyTo))].sort().join(),
      );
      return byArguments.size === 1 ? node : { ...node, parts: Array.from(byArguments.values(), limitTo) };
    });
    return nodes.length === 1 ? (nodes[0] as FetchNode) : { kind: 'Parallel', nodes };
  });
}

type SetsByType = ReadonlyMap<ObjectType, readonly SelectionSetNode[]>;

/** The objects on the path of a fetch that an operation selects. */
class ObjectsOnPath {
  readonly #apiSchema: Schema;
  readonly #objectTypes = new Map<string, ReadonlySet<ObjectType>>();
  readonly #keys: readonly string[];
  /** The types before each key, with their selection sets, and at the end of the path. */
  readonly #levels: SetsByType[];
  /** By selection set: the one around it, and the types of whose objects it selects a field. */
  readonly #origins = new Map<SelectionSetNode, { parent: SelectionSetNode; types: Set<ObjectType> }>();

  constructor(path: readonly (string | number)[], { definitions }: DocumentNode, apiSchema: Schema) {
    this.#apiSchema = apiSchema;
    this.#keys = path.map(String).filter((part) => part !== '@');
    const roots = definitions.flatMap((definition): [ObjectType, SelectionSetNode[]][] => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return [];
      const root = apiSchema.schemaDefinition.rootType(definition.operation);
      return root === undefined ? [] : [[root, [definition.selectionSet]]];
    });
    this.#levels = [new Map(roots)];
    for (const key of this.#keys) this.#levels.push(this.#below(this.#levels.at(-1) as SetsByType, key));
  }

  /** Names of the types of objects above the targets for which none of the rewrites has a value. For objects that the
   *  operation does not select, as those of inputs, the rewrites themselves. */
  withoutValue(rewrites: readonly KeyRenamer[]): readonly string[] {
    const heights = new Set(rewrites.map(({ path }) => path.filter((part) => part === '..').length));
    const [height = 0] = heights;
    const level = this.#keys.length - height;
    const key = this.#keys[level];
    const types = [...(this.#levels[level] ?? [])].filter(
      (type) => key === undefined || this.#below(new Map([type]), key).size > 0,
    );
    if (heights.size > 1 || types.length === 0) return rewrites.map(({ path }) => path.join(' '));
    return types.flatMap(([type]) =>
      rewrites.some(({ path }) => this.#matches(path[height] as string, type)) ? [] : type.name,
    );
  }

  /** Whether the operation selects the field for each target of the type. The planner then fetches its inputs for all. */
  allSelect(field: FieldNode, typeName: string | undefined): boolean {
    const types = [...(this.#levels.at(-1) ?? [])].filter(
      ([type]) => typeName === undefined || this.#isOf(type, typeName),
    );
    const selects = (type: ObjectType, set: SelectionSetNode): boolean =>
      this.#fieldsOf(type, set).some((selected) => responseNameOf(selected) === responseNameOf(field));
    return (
      types.length > 0 &&
      types.every(([type, sets]) => {
        const selecting = sets.filter((set) => selects(type, set));
        return sets.every((set) => selecting.some((other) => this.#covers(other, set)));
      })
    );
  }

  /** Whether all objects of the inner selection set, which is on the same path, are also objects of the outer one. */
  #covers(outer: SelectionSetNode, inner: SelectionSetNode): boolean {
    if (outer === inner) return true;
    const [from, innerFrom] = [this.#origins.get(outer), this.#origins.get(inner)];
    if (from === undefined || innerFrom === undefined) return false;
    return innerFrom.types.isSubsetOf(from.types) && this.#covers(from.parent, innerFrom.parent);
  }

  #matches(part: string, type: ObjectType): boolean {
    return !part.startsWith(typeConditionPrefix) || this.#isOf(type, part.slice(typeConditionPrefix.length));
  }

  #isOf(type: ObjectType, name: string): boolean {
    const objects = getOrInsertComputed(this.#objectTypes, name, () => {
      const condition = this.#apiSchema.type(name);
      return new Set(condition && isCompositeType(condition) ? possibleRuntimeTypes(condition) : []);
    });
    return objects.has(type);
  }

  /** `key`: a response name, which may end with type conditions, as in `name|[A,B]`. */
  #below(level: SetsByType, key: string): SetsByType {
    const [name, conditions] = key.split('|');
    const types = conditions?.slice(1, -1).split(/, */);
    const below = new Map<ObjectType, SelectionSetNode[]>();
    for (const [type, sets] of level)
      for (const set of sets)
        for (const field of this.#fieldsOf(type, set)) {
          const declared = responseNameOf(field) === name ? type.field(field.name.value)?.type : undefined;
          const result = declared && baseType(declared);
          if (result === undefined || !isCompositeType(result) || field.selectionSet === undefined) continue;
          const origin = { parent: set, types: new Set<ObjectType>() };
          getOrInsertComputed(this.#origins, field.selectionSet, () => origin).types.add(type);
          for (const object of possibleRuntimeTypes(result))
            if (types === undefined || types.some((one) => this.#isOf(object, one)))
              getOrInsertComputed(below, object, () => []).push(field.selectionSet);
        }
    return below;
  }

  /** The fields that a selection set selects of objects of the type. */
  #fieldsOf(type: ObjectType, { selections }: SelectionSetNode): readonly FieldNode[] {
    return selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return selection;
      if (selection.kind !== Kind.INLINE_FRAGMENT) return [];
      const condition = selection.typeCondition?.name.value;
      const applies = condition === undefined || this.#isOf(type, condition);
      return applies ? this.#fieldsOf(type, selection.selectionSet) : [];
    });
  }
}

const typeConditionPrefix = '... on ';
