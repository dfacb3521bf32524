import { type DocumentNode, OperationTypeNode } from 'graphql';
import { type CacheRuleTarget, parseCacheRuleTarget } from '../../config/cacheRuleTarget.ts';
import { suggestName } from '../../config/findNearestName.ts';
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
  /** Keys of `cache.rules` that name something that this supergraph lacks. */
  readonly unknown: readonly { readonly key: string; readonly reason: string }[];
  /** Rules without effect, each with the reason. */
  readonly warnings: readonly string[];
}

/** Reads the cache rules of a supergraph and of the configuration, which overrides directives at the same coordinate. */
export function readCacheRules(document: DocumentNode, configured: ConfiguredRules): CacheRulesResult {
  const graph = readCacheGraph(document);
  const { rules: declared, problems } = readCachedDirectives(document);
  const byCoordinate = new Map(declared);
  const bySubgraph = new Map<string, DeclaredRule>();
  const unknown: { key: string; reason: string }[] = [];
  for (const [key, rule] of Object.entries(configured)) {
    const target = parseCacheRuleTarget(key);
    const problem =
      target === undefined ? `"${key}" is not a type, field or subgraph` : findMissingTarget(target, graph);
    if (problem !== undefined) unknown.push({ key, reason: problem });
    else if (target?.kind === 'subgraph') bySubgraph.set(target.subgraph, overrideRule(undefined, rule));
    else byCoordinate.set(key, overrideRule(byCoordinate.get(key), rule));
  }
  const uncachedTypes = [OperationTypeNode.MUTATION, OperationTypeNode.SUBSCRIPTION].map((root) =>
    graph.roots.get(root),
  );
  const warnings = [...byCoordinate.keys()]
    .filter((coordinate) => uncachedTypes.includes(coordinate.split('.')[0]))
    .map(
      (coordinate) =>
        `${coordinate}: a cache rule has no effect here, because mutations and subscriptions are never cached`,
    );
  return {
    rules: new LayeredCacheRules(graph, byCoordinate, bySubgraph, configured),
    problems,
    unknown,
    warnings,
  };
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
    return graph.subgraphs.has(target.subgraph)
      ? undefined
      : `there is no subgraph "${target.subgraph}"${suggestName(target.subgraph, [...graph.subgraphs])}`;
  }
  const type = graph.types.get(target.type);
  if (type === undefined) {
    const suggestion = suggestName(target.type, [...graph.types.keys()]);
    return `there is no object type, interface or union ${target.type}${suggestion}`;
  }
  if (target.kind === 'type' || type.fields.has(target.field)) return undefined;
  return `${target.type} has no field ${target.field}${suggestName(target.field, [...type.fields.keys()])}`;
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
    return resolveRuleLayers(this.#layersFor(type, field, subgraph).map(({ rule }) => rule));
  }

  ruleForType(type: GraphType, subgraph: string): CacheRule | undefined {
    return resolveRuleLayers(
      [...this.#typeLayers(type), ...this.#subgraphLayers(subgraph)].map(({ rule }) => rule),
    );
  }

  hasFieldRule(type: GraphType, field: string): boolean {
    return this.#fieldLayers(type, field).length > 0;
  }

  hasTypeRule(type: GraphType): boolean {
    return this.#typeLayers(type).length > 0;
  }

  ruleNamesFor(type: GraphType, field: string, subgraph: string): readonly string[] {
    return this.#layersFor(type, field, subgraph)[0]?.names ?? [];
  }

  #layersFor(type: GraphType, field: string, subgraph: string): readonly RuleLayer[] {
    return [...this.#fieldLayers(type, field), ...this.#typeLayers(type), ...this.#subgraphLayers(subgraph)];
  }

  #fieldLayers(type: GraphType, field: string): readonly RuleLayer[] {
    return this.#layers(
      `${type.name}.${field}`,
      type.supertypes.map((supertype) => `${supertype}.${field}`),
    );
  }

  #typeLayers(type: GraphType): readonly RuleLayer[] {
    return this.#layers(type.name, type.supertypes);
  }

  #subgraphLayers(subgraph: string): readonly RuleLayer[] {
    const rule = this.#bySubgraph.get(subgraph);
    return rule === undefined ? [] : [{ names: [`subgraph:${subgraph}`], rule }];
  }

  /** Interfaces and unions form one layer, because none of them is narrower than another. */
  #layers(coordinate: string, supertypeCoordinates: readonly string[]): readonly RuleLayer[] {
    return [[coordinate], supertypeCoordinates].flatMap((coordinates) => {
      const names = coordinates.filter((name) => this.#byCoordinate.has(name));
      if (names.length === 0) return [];
      const rules = names.map((name) => this.#byCoordinate.get(name) as DeclaredRule);
      return [{ names, rule: rules.reduce(strictestDeclaredRule) }];
    });
  }
}

/** Rules of one precedence, merged. */
interface RuleLayer {
  /** Coordinates, or one `subgraph:NAME`. */
  readonly names: readonly string[];
  readonly rule: DeclaredRule;
}
