import { isObjectType } from 'graphql';
import type { CacheRule } from '../../gateway/cache/rules/cacheRule.ts';
import { type CacheRules, readCacheRules } from '../../gateway/cache/rules/cacheRules.ts';
import { possibleTypesOf } from '../../gateway/operation/possibleTypesOf.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { fetchesOf } from '../graph/checkPlanCompatibility.ts';
import { subgraphSchemaOf } from '../graph/subgraphSchema.ts';
import { type SelectedField, selectedFieldsOf } from './selectedFieldsOf.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Cache rules of a value by the subgraph that serves it, without subgraphs whose values are not cached. When no rule
 *  names a whole subgraph, the map has one entry with an empty name for all of them. */
export type ValueRules = ReadonlyMap<string, CacheRule>;

interface CachedValues {
  /** The fields of object types that an operation can get. */
  valuesOf(
    operation: ConsumerOperation,
  ): readonly Pick<SelectedField, 'typeName' | 'fieldName' | 'coordinate'>[];
  /** The cache rules of a field of an object type where the operation selects it. */
  rulesOf(operation: ConsumerOperation, typeName: string, fieldName: string): ValueRules;
}

/** Reads the rules of a graph and of its gateways' configuration the way a gateway reads them. */
export function createCachedValues(graph: ServedGraph): CachedValues {
  return new GraphCachedValues(graph);
}

class GraphCachedValues implements CachedValues {
  readonly #graph: ServedGraph;
  readonly #rules: CacheRules;
  readonly #hasSubgraphRules: boolean;
  /** By the coordinate of the value, for all operations. */
  readonly #rulesByValue = new Map<string, ValueRules>();
  readonly #fetchedSubgraphs = new Map<ConsumerOperation, ReadonlySet<string>>();

  constructor(graph: ServedGraph) {
    const { enabled, rules } = graph.gatewaySettings.cache;
    this.#graph = graph;
    this.#rules = readCacheRules(graph.document, enabled ? rules : {}).rules;
    this.#hasSubgraphRules = Object.keys(rules).some((key) => key.startsWith('subgraph:'));
  }

  valuesOf({ document }: ConsumerOperation) {
    const { apiSchema } = this.#graph;
    const values = selectedFieldsOf(apiSchema, document).flatMap(({ typeName, fieldName }) => {
      const owners = possibleTypesOf(apiSchema, apiSchema.getType(typeName));
      return owners.map(({ name }) => ({ typeName: name, fieldName, coordinate: `${name}.${fieldName}` }));
    });
    return [...new Map(values.map((value) => [value.coordinate, value])).values()];
  }

  rulesOf(operation: ConsumerOperation, typeName: string, fieldName: string): ValueRules {
    const coordinate = `${typeName}.${fieldName}`;
    const rules = getOrInsertComputed(this.#rulesByValue, coordinate, () =>
      this.#readRules(typeName, fieldName),
    );
    if (!this.#hasSubgraphRules || rules.size === 0) return rules;
    const fetched = this.#fetchedSubgraphsOf(operation);
    return new Map([...rules].filter(([subgraph]) => fetched.has(subgraph)));
  }

  #readRules(typeName: string, fieldName: string): ValueRules {
    const type = this.#rules.graph.types.get(typeName);
    if (type === undefined || !this.#graph.gatewaySettings.cache.enabled) return new Map();
    // Key fields identify their object, so its rules for other values do not apply to them.
    if (type.keyFields.has(fieldName) && !this.#rules.hasFieldRule(type, fieldName)) return new Map();
    const subgraphs = this.#hasSubgraphRules ? this.#resolversOf(typeName, fieldName) : [''];
    return new Map(
      subgraphs.flatMap((subgraph): [string, CacheRule][] => {
        const rule = this.#rules.ruleForField(type, fieldName, subgraph);
        return rule === undefined ? [] : [[subgraph, rule]];
      }),
    );
  }

  /** Subgraphs that resolve the field. */
  #resolversOf(typeName: string, fieldName: string): readonly string[] {
    const { graph, metadata } = this.#graph;
    return [...graph.contracts.values()].flatMap((contract) => {
      const type = subgraphSchemaOf(contract).getType(typeName);
      const isThere = isObjectType(type) && type.getFields()[fieldName] !== undefined;
      const isExternal = metadata.subgraphs
        .get(contract.name)
        ?.fields.get(`${typeName}.${fieldName}`)?.isExternal;
      return isThere && isExternal !== true ? [contract.name] : [];
    });
  }

  /** Subgraphs that the operation's plans fetch from. */
  #fetchedSubgraphsOf(operation: ConsumerOperation): ReadonlySet<string> {
    return getOrInsertComputed(
      this.#fetchedSubgraphs,
      operation,
      () => new Set(fetchesOf(this.#graph.plans.get(operation)).map(({ subgraph }) => subgraph)),
    );
  }
}
