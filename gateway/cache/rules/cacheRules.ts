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
  /** `undefined`: the tags of the directive at the same coordinate. */
  readonly tags?: readonly string[] | undefined;
}

/** `cache.rules` of the configuration, by `Product`, `Product.stock` or `subgraph:inventory`. */
export type ConfiguredRules = Readonly<Record<string, ConfiguredRule>>;

/** The cache rules of one supergraph. Types are object types. */
export interface CacheRules {
  readonly graph: CacheGraph;
  /** The rule of a field in a subgraph, from the field, its type and the subgraph; `undefined` for none. */
  ruleForField(type: GraphType, field: string, subgraph: string): CacheRule | undefined;
  /** The rule of a type in a subgraph, without the rules of its fields. */
  ruleForType(type: GraphType, subgraph: string): CacheRule | undefined;
  /** Whether a rule is declared for the field itself. */
  hasFieldRule(type: GraphType, field: string): boolean;
  /** Whether a rule is declared for the type. */
  hasTypeRule(type: GraphType): boolean;
  /** The names of the rule that defines the durations of a field, such as `Product` or `subgraph:inventory`. Several
   *  interfaces can define them together. */
  ruleNamesFor(type: GraphType, field: string, subgraph: string): readonly string[];
  /** All rules as they are declared. */
  readonly declared: readonly NamedRule[];
}

interface NamedRule {
  readonly name: string;
  /** `configuration`: also if it overrides a directive. */
  readonly source: 'configuration' | 'directive';
  readonly rule: DeclaredRule;
}

export interface CacheRulesResult {
  readonly rules: CacheRules;
  /** Invalid uses of `@cached`: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
  /** What keys of the configuration name and this supergraph lacks. */
  readonly unknown: readonly string[];
}

/** Reads the cache rules of a supergraph and of the configuration, which overrides directives at the same coordinate. */
export function readCacheRules(document: DocumentNode, configured: ConfiguredRules): CacheRulesResult {
  const graph = readCacheGraph(document);
  const { rules: declared, problems } = readCachedDirectives(document);
  const byCoordinate = new Map(declared);
  const bySubgraph = new Map<string, DeclaredRule>();
  const unknown: string[] = [];
  for (const [key, rule] of Object.entries(configured)) {
    const target = parseCacheRuleTarget(key);
    const problem =
      target === undefined ? `"${key}" is not a type, field or subgraph` : findMissingTarget(target, graph);
    if (problem !== undefined) unknown.push(problem);
    else if (target?.kind === 'subgraph') bySubgraph.set(target.subgraph, overrideRule(undefined, rule));
    else byCoordinate.set(key, overrideRule(byCoordinate.get(key), rule));
  }
  return { rules: new LayeredCacheRules(graph, byCoordinate, bySubgraph, configured), problems, unknown };
}

/** The configuration always replaces the durations of a directive, which belong together. It may omit scope and tags to
 *  keep those of the directive. */
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
  readonly declared: readonly NamedRule[];
  readonly #byCoordinate: ReadonlyMap<string, DeclaredRule>;
  readonly #bySubgraph: ReadonlyMap<string, DeclaredRule>;

  constructor(
    graph: CacheGraph,
    byCoordinate: ReadonlyMap<string, DeclaredRule>,
    bySubgraph: ReadonlyMap<string, DeclaredRule>,
    configured: ConfiguredRules,
  ) {
    this.graph = graph;
    this.declared = [
      ...byCoordinate,
      ...[...bySubgraph].map(([name, rule]) => [`subgraph:${name}`, rule] as const),
    ].map(([name, rule]) => ({
      name,
      source: Object.hasOwn(configured, name) ? 'configuration' : 'directive',
      rule,
    }));
    this.#byCoordinate = byCoordinate;
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

  ruleNamesFor(type: GraphType, field: string, subgraph: string): readonly string[] {
    const layers = [
      [`${type.name}.${field}`],
      type.supertypes.map((supertype) => `${supertype}.${field}`),
      [type.name],
      type.supertypes,
    ].map((names) => names.filter((name) => this.#byCoordinate.has(name)));
    const ofSubgraph = this.#bySubgraph.has(subgraph) ? [`subgraph:${subgraph}`] : [];
    return layers.find((names) => names.length > 0) ?? ofSubgraph;
  }

  #fieldLayers(type: GraphType, field: string): DeclaredRule[] {
    return this.#layers(
      `${type.name}.${field}`,
      type.supertypes.map((supertype) => `${supertype}.${field}`),
    );
  }

  #typeLayers(type: GraphType): DeclaredRule[] {
    return this.#layers(type.name, type.supertypes);
  }

  #subgraphLayers(subgraph: string): DeclaredRule[] {
    const rule = this.#bySubgraph.get(subgraph);
    return rule === undefined ? [] : [rule];
  }

  /** Interfaces and unions form one layer, because none of them is narrower than another. */
  #layers(coordinate: string, supertypeCoordinates: readonly string[]): DeclaredRule[] {
    const inherited = supertypeCoordinates.flatMap((name) => this.#byCoordinate.get(name) ?? []);
    const supertypeLayer = inherited.length === 0 ? [] : [inherited.reduce(strictestDeclaredRule)];
    const rule = this.#byCoordinate.get(coordinate);
    return rule === undefined ? supertypeLayer : [rule, ...supertypeLayer];
  }
}
