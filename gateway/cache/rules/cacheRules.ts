import type { DocumentNode } from 'graphql';
import { type CacheRuleTarget, parseCacheRuleTarget } from '../../config/cacheRuleTarget.ts';
import { type CacheGraph, type GraphType, readCacheGraph } from './cacheGraph.ts';
import { type CacheRule, layerRules, shortestWritten, uniteTags, type WrittenRule } from './cacheRule.ts';
import { readCachedDirectives } from './readCachedDirectives.ts';

/** A rule of the configuration; durations in milliseconds. */
export interface ConfiguredRule {
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
  ofField(type: GraphType, field: string, subgraph: string): CacheRule | undefined;
  /** Of a type in a subgraph, whatever its fields say. */
  ofType(type: GraphType, subgraph: string): CacheRule | undefined;
  /** Whether a rule is written for this very field. */
  hasFieldRule(type: GraphType, field: string): boolean;
  /** Whether a rule is written for the type. */
  hasTypeRule(type: GraphType): boolean;
}

export interface ReadRules {
  readonly rules: CacheRules;
  /** Uses of `@cached` that cannot be read: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
  /** Keys of the configuration that mean nothing in this supergraph, each with what is not there. */
  readonly unknown: readonly string[];
}

/** The rules of a supergraph and of a configuration together. */
export function readCacheRules(document: DocumentNode, configured: ConfiguredRules): ReadRules {
  const graph = readCacheGraph(document);
  const { rules: written, problems } = readCachedDirectives(document);
  const byPlace = new Map(written);
  const bySubgraph = new Map<string, WrittenRule>();
  const unknown: string[] = [];
  for (const [key, rule] of Object.entries(configured)) {
    const target = parseCacheRuleTarget(key);
    const absence =
      target === undefined ? `"${key}" is no type, field or subgraph` : findAbsence(target, graph);
    if (absence !== undefined) unknown.push(absence);
    else if (target?.kind === 'subgraph') bySubgraph.set(target.subgraph, overrule(undefined, rule));
    else byPlace.set(key, overrule(byPlace.get(key), rule));
  }
  return { rules: new Rules(graph, byPlace, bySubgraph), problems, unknown };
}

/** How long is the configuration's word alone: its durations belong together. Whom a value is for, and by what it
 *  is invalidated, it may leave as it is. */
function overrule(directive: WrittenRule | undefined, rule: ConfiguredRule): WrittenRule {
  return {
    maxAgeMs: rule.maxAge,
    staleWhileRevalidateMs: rule.staleWhileRevalidate,
    staleIfErrorMs: rule.staleIfError,
    scope: rule.scope ?? directive?.scope,
    tags: rule.tags === undefined ? (directive?.tags ?? []) : uniteTags(rule.tags),
  };
}

function findAbsence(target: CacheRuleTarget, graph: CacheGraph): string | undefined {
  if (target.kind === 'subgraph') {
    return graph.subgraphs.has(target.subgraph) ? undefined : `there is no subgraph "${target.subgraph}"`;
  }
  const type = graph.types.get(target.type);
  if (type === undefined) return `there is no object type, interface or union ${target.type}`;
  if (target.kind === 'type' || type.fields.has(target.field)) return undefined;
  return `${target.type} has no field ${target.field}`;
}

class Rules implements CacheRules {
  readonly graph: CacheGraph;
  readonly #byPlace: ReadonlyMap<string, WrittenRule>;
  readonly #bySubgraph: ReadonlyMap<string, WrittenRule>;

  constructor(
    graph: CacheGraph,
    byPlace: ReadonlyMap<string, WrittenRule>,
    bySubgraph: ReadonlyMap<string, WrittenRule>,
  ) {
    this.graph = graph;
    this.#byPlace = byPlace;
    this.#bySubgraph = bySubgraph;
  }

  ofField(type: GraphType, field: string, subgraph: string): CacheRule | undefined {
    return layerRules([
      ...this.#fieldLayers(type, field),
      ...this.#typeLayers(type),
      ...this.#subgraphLayers(subgraph),
    ]);
  }

  ofType(type: GraphType, subgraph: string): CacheRule | undefined {
    return layerRules([...this.#typeLayers(type), ...this.#subgraphLayers(subgraph)]);
  }

  hasFieldRule(type: GraphType, field: string): boolean {
    return this.#fieldLayers(type, field).length > 0;
  }

  hasTypeRule(type: GraphType): boolean {
    return this.#typeLayers(type).length > 0;
  }

  #fieldLayers(type: GraphType, field: string): WrittenRule[] {
    return this.#layers(
      `${type.name}.${field}`,
      type.above.map((above) => `${above}.${field}`),
    );
  }

  #typeLayers(type: GraphType): WrittenRule[] {
    return this.#layers(type.name, type.above);
  }

  #subgraphLayers(subgraph: string): WrittenRule[] {
    const rule = this.#bySubgraph.get(subgraph);
    return rule === undefined ? [] : [rule];
  }

  /** None of the interfaces and unions is narrower than another. */
  #layers(own: string, above: readonly string[]): WrittenRule[] {
    const rulesAbove = above.flatMap((place) => this.#byPlace.get(place) ?? []);
    const shared = rulesAbove.length === 0 ? [] : [rulesAbove.reduce(shortestWritten)];
    const rule = this.#byPlace.get(own);
    return rule === undefined ? shared : [rule, ...shared];
  }
}
