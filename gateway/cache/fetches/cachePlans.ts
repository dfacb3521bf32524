import { OperationTypeNode, print } from 'graphql';
import type { FetchShape } from '../../execution/fetchShape.ts';
import { RootFetchPartition } from '../../execution/rootFetchPartition.ts';
import type { CacheRule } from '../rules/cacheRule.ts';
import type { CacheRules } from '../rules/cacheRules.ts';
import { fetchRuleOf } from '../rules/fetchRule.ts';
import { fingerprintShape } from '../rules/shapeFingerprint.ts';
import { createValueValidator, type ValueValidator } from '../rules/valueValidator.ts';
import { createValueTagger, type ValueTagger } from '../tags/valueTags.ts';
import type { FetchCacheOptions } from './fetchCache.ts';

/** How the values of one fetch shape are cached. */
export interface CachePlan {
  readonly rule: CacheRule;
  /** Coordinates of the fields that have a rule. */
  readonly ruledFields: readonly string[];
  /** The operation without its name: the client chose it, and it does not change the answer. */
  readonly operationText: string;
  readonly fingerprint: string;
  readonly tagger: ValueTagger;
  readonly validator: ValueValidator;
  /** The type of root fields. Entities have their own types. */
  readonly rootType: string;
  /** Whether private entries are looked up too: the rule is private, or the subgraph marked an answer `private`. */
  mayBePrivate: boolean;
  /** Whether the latest answer could be stored. If not, requests do not wait for each other's answers. */
  isStorable: boolean;
}

/** The cache plans of one supergraph, each created when its fetch shape is first used. */
export class CachePlans {
  readonly rules: CacheRules;
  readonly #onUncacheable: FetchCacheOptions['onUncacheable'];
  readonly #plans = new WeakMap<FetchShape, CachePlan | 'none'>();
  readonly #rootPartitions = new WeakMap<FetchShape, RootFetchPartition | 'none'>();

  constructor(rules: CacheRules, onUncacheable: FetchCacheOptions['onUncacheable']) {
    this.rules = rules;
    this.#onUncacheable = onUncacheable;
  }

  /** `undefined` if the values of the shape must not be stored. */
  planOf(shape: FetchShape): CachePlan | undefined {
    let plan = this.#plans.get(shape);
    if (plan === undefined) {
      plan = this.#createPlan(shape) ?? 'none';
      this.#plans.set(shape, plan);
    }
    return plan === 'none' ? undefined : plan;
  }

  /** `undefined` if none of the root fields may be stored. */
  rootPartitionOf(shape: FetchShape): RootFetchPartition | undefined {
    let partition = this.#rootPartitions.get(shape);
    if (partition === undefined) {
      const created = new RootFetchPartition(shape);
      partition = created.items.some((item) => this.planOf(item.shape) !== undefined) ? created : 'none';
      this.#rootPartitions.set(shape, partition);
    }
    return partition === 'none' ? undefined : partition;
  }

  #createPlan(shape: FetchShape): CachePlan | undefined {
    const fetchRule = fetchRuleOf(shape, this.rules);
    const { ruledFields } = fetchRule;
    if (!fetchRule.isCacheable) {
      if (ruledFields.length > 0) this.#onUncacheable(shape.subgraph, ruledFields, fetchRule.reason);
      return undefined;
    }
    const { rule } = fetchRule;
    const { name: _, ...nameless } = shape.document;
    return {
      rule,
      ruledFields,
      operationText: print(nameless),
      fingerprint: fingerprintShape(shape, this.rules, rule),
      tagger: createValueTagger(shape, this.rules.graph),
      validator: createValueValidator(shape, this.rules.graph),
      rootType: this.rules.graph.roots.get(OperationTypeNode.QUERY) ?? 'Query',
      mayBePrivate: rule.scope === 'PRIVATE',
      isStorable: true,
    };
  }
}
