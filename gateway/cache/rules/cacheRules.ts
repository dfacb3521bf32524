import type { DocumentNode } from 'graphql';
import { type CacheRuleTarget, parseCacheRuleTarget } from '../../config/cacheRuleTarget.ts';
import { readCachedDirectives } from './cachedDirectives.ts';
import { type CacheGraph, type GraphType, readCacheGraph } from './cacheGraph.ts';
import {
  type CacheRule,
  type DeclaredRule,
  mergeTags,
  resolveRuleLayers,
  strictestDeclaredRule,
} from './cacheRule.ts';

/** A rule of the configuration; durations in milliseconds. */
interface ConfiguredRule {
  readonly maxAge: number;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly scope?: 'PUBLIC' | 'PRIVATE' | undefined;
  /** `undefined`: those of the directive at the same place. */
  readonly tags?: readonly string[] | undefined;
}

/** `cache.rules` of the configuration: by `Product`, `Product.stock` or `subgraph:inventory`. */
export type ConfiguredRules = Readonly<Record<string, ConfiguredRule>>;

/** All rules that hold with one supergraph. Types are object types. */
export interface CacheRules {
  readonly graph: CacheGraph;
  /** Of a field in a subgraph: what is written for it, for its type, or for the subgraph. `undefined` for none. */
  ruleForField(type: GraphType, field: string, subgraph: string): CacheRule | undefined;
  /** Of a type in a subgraph, whatever its fields say. */
  ruleForType(type: GraphType, subgraph: string): CacheRule | undefined;
  /** Whether a rule is written for this very field. */
  hasFieldRule(type: GraphType, field: string): boolean;
  /** Whether a rule is written for the type. */
  hasTypeRule(type: GraphType): boolean;
}

export interface CacheRulesResult {
  readonly rules: CacheRules;
  /** Uses of `@cached` that cannot be read: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
  /** Keys of the configuration that mean nothing in this supergraph, each with what is not there. */
  readonly unknown: readonly string[];
}

/** The rules of a supergraph and of a configuration together. */
export function readCacheRules(document: DocumentNode, configured: ConfiguredRules): CacheRulesResult {
  const graph = readCacheGraph(document);
  const { rules: written, problems } = readCachedDirectives(document);
  const byPlace = new Map(written);
  const bySubgraph = new Map<string, DeclaredRule>();
  const unknown: string[] = [];
  for (const [key, rule] of Object.entries(configured)) {
    const target = parseCacheRuleTarget(key);
    const absence =
      target === undefined ? `"${key}" is no type, field or subgraph` : findMissingTarget(target, graph);
    if (absence !== undefined) unknown.push(absence);
    else if (target?.kind === 'subgraph') bySubgraph.set(target.subgraph, overrideRule(undefined, rule));
    else byPlace.set(key, overrideRule(byPlace.get(key), rule));
  }
  return { rules: new LayeredCacheRules(graph, byPlace, bySubgraph), problems, unknown };
}

/** How long is the configuration's word alone: its durations belong together. Whom a value is for, and by what it
 *  is invalidated, it may leave as it is. */
function overrideRule(directive: DeclaredRule | undefined, rule: ConfiguredRule): DeclaredRule {
  return {
    maxAgeMs: rule.maxAge,
    staleWhileRevalidateMs: rule.staleWhileRevalidate,
    staleIfErrorMs: rule.staleIfError,
    scope: rule.scope ?? directive?.scope,
    tags: rule.tags === undefined ? (directive?.tags ?? []) : mergeTags(rule.tags),
  };
}

function findMissingTarget(target: CacheRuleTarget, graph: CacheGraph): string | undefined {
  if (target.kind === 'subgraph') {
    return graph.subgraphs.has(target.subgraph) ? undefined : `there is no subgraph "${target.subgraph}"`;
  }
  const type = graph.types.get(target.type);
  if (type === undefined) return `there is no object type, interface or union ${target.type}`;
  if (target.kind === 'type' || type.fields.has(target.field)) return undefined;
  return `${target.type} has no field ${target.field}`;
}

class LayeredCacheRules implements CacheRules {
  readonly graph: CacheGraph;
  readonly #byCoordinate: ReadonlyMap<string, DeclaredRule>;
  readonly #bySubgraph: ReadonlyMap<string, DeclaredRule>;

  constructor(
    graph: CacheGraph,
    byPlace: ReadonlyMap<string, DeclaredRule>,
    bySubgraph: ReadonlyMap<string, DeclaredRule>,
  ) {
    this.graph = graph;
    this.#byCoordinate = byPlace;
    this.#bySubgraph = bySubgraph;
  }

  ruleForField(type: GraphType, field: string, subgraph: string): CacheRule | undefined {
    return resolveRuleLayers([
      ...this.#fieldLayers(type, field),
      ...this.#typeLayers(type),
      ...this.#subgraphLayers(subgraph),
    ]);
  }

  ruleForType(type: GraphType, subgraph: string): CacheRule | undefined {
    return resolveRuleLayers([...this.#typeLayers(type), ...this.#subgraphLayers(subgraph)]);
  }

  hasFieldRule(type: GraphType, field: string): boolean {
    return this.#fieldLayers(type, field).length > 0;
  }

  hasTypeRule(type: GraphType): boolean {
    return this.#typeLayers(type).length > 0;
  }

  #fieldLayers(type: GraphType, field: string): DeclaredRule[] {
    return this.#layers(
      `${type.name}.${field}`,
      type.supertypes.map((above) => `${above}.${field}`),
    );
  }

  #typeLayers(type: GraphType): DeclaredRule[] {
    return this.#layers(type.name, type.supertypes);
  }

  #subgraphLayers(subgraph: string): DeclaredRule[] {
    const rule = this.#bySubgraph.get(subgraph);
    return rule === undefined ? [] : [rule];
  }

  /** None of the interfaces and unions is narrower than another. */
  #layers(own: string, above: readonly string[]): DeclaredRule[] {
    const rulesAbove = above.flatMap((place) => this.#byCoordinate.get(place) ?? []);
    const shared = rulesAbove.length === 0 ? [] : [rulesAbove.reduce(strictestDeclaredRule)];
    const rule = this.#byCoordinate.get(own);
    return rule === undefined ? shared : [rule, ...shared];
  }
}
