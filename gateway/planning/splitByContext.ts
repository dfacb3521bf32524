import {
  baseType,
  isCompositeType,
  type ObjectType,
  possibleRuntimeTypes,
  type Schema,
} from '@apollo/federation-internals';
import { type DocumentNode, type FieldNode, Kind, parse, type SelectionSetNode } from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import { responseNameOf } from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, KeyRenamer, QueryPlan } from './queryPlan.ts';
import { entitiesOf, visitFields, withEntityFields } from './toSubgraphPlan.ts';
import { usedVariableDefinitions } from './usedVariableDefinitions.ts';

/** Splits fetches whose `@fromContext` arguments have values for some of the objects only, as for
 *  `{ owners { kids { name } ... on Club { kids { text } } } }`, where `text` takes an argument from its club. The planner fetches
 *  both fields for all kids, and the executor fetches nothing for an object without the value of an argument. The parts
 *  are parallel fetches, which travel in one request. `text`: the operation, without named fragments. */
export function splitByContext(plan: QueryPlan, text: string, apiSchema: Schema): QueryPlan {
  let operation: DocumentNode | undefined;
  return mapFetches(plan, (fetch, path) => {
    const { contextRewrites = [] } = fetch;
    if (contextRewrites.length === 0) return fetch;
    const [document, entities] = entitiesOf(fetch);
    if (document === undefined || entities?.selectionSet === undefined) return fetch;
    operation ??= parse(text, { noLocation: true });
    const objects = new ObjectsOnPath(path, operation, apiSchema);
    const byVariable = Map.groupBy(contextRewrites, ({ renameKeyTo }) => renameKeyTo);
    const fieldsByGap = new Map<string, Set<FieldNode>>();
    visitFields(entities.selectionSet.selections, undefined, (field) => {
      const gaps = usedVariableDefinitions(document, field).flatMap(({ variable }) =>
        objects.withoutValue(byVariable.get(variable.name.value) ?? []),
      );
      const key = [...new Set(gaps)].sort().join();
      getOrInsertComputed(fieldsByGap, key, () => new Set()).add(field);
    });
    // A fetch that was split for its inputs has the rewrites of all its parts.
    const nodes = Array.from(fieldsByGap.values(), (fields): FetchNode => {
      const part = fieldsByGap.size === 1 ? fetch : withEntityFields(fetch, document, entities, fields);
      const isUsed = ({ renameKeyTo }: KeyRenamer): boolean =>
        new RegExp(`\\$${renameKeyTo}\\b`).test(part.operation);
      return { ...part, contextRewrites: contextRewrites.filter(isUsed) };
    });
    const [only] = nodes;
    if (only !== undefined && nodes.length === 1) return only;
    return { kind: 'Parallel', nodes };
  });
}

type SetsByType = ReadonlyMap<ObjectType, readonly SelectionSetNode[]>;

/** The objects on the path of a fetch that an operation selects. */
class ObjectsOnPath {
  readonly #apiSchema: Schema;
  readonly #keys: readonly string[];
  /** The types before each key, with their selection sets, and at the end of the path. */
  readonly #levels: SetsByType[];

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

  #matches(part: string, type: ObjectType): boolean {
    return !part.startsWith(typeConditionPrefix) || this.#isOf(type, part.slice(typeConditionPrefix.length));
  }

  #isOf(type: ObjectType, name: string): boolean {
    const condition = this.#apiSchema.type(name);
    return (
      condition !== undefined && isCompositeType(condition) && possibleRuntimeTypes(condition).includes(type)
    );
  }

  /** `key`: a response name, which may end with type conditions, as in `name|[A,B]`. */
  #below(level: SetsByType, key: string): SetsByType {
    const [name, conditions] = key.split('|');
    const types = conditions?.slice(1, -1).split(/, */);
    const below = new Map<ObjectType, SelectionSetNode[]>();
    const visit = (type: ObjectType, set: SelectionSetNode): void => {
      for (const selection of set.selections) {
        if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition?.name.value;
          if (condition === undefined || this.#isOf(type, condition)) visit(type, selection.selectionSet);
        } else if (selection.kind === Kind.FIELD && responseNameOf(selection) === name) {
          const declared = type.field(selection.name.value)?.type;
          const result = declared && baseType(declared);
          if (result === undefined || !isCompositeType(result) || selection.selectionSet === undefined)
            continue;
          for (const object of possibleRuntimeTypes(result))
            if (types === undefined || types.some((one) => this.#isOf(object, one)))
              getOrInsertComputed(below, object, () => []).push(selection.selectionSet);
        }
      }
    };
    for (const [type, sets] of level) for (const set of sets) visit(type, set);
    return below;
  }
}

const typeConditionPrefix = '... on ';
