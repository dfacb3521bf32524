import { OperationTypeNode, print } from 'graphql';
import type { FetchShape } from '../../execution/fetchShape.ts';
import { RootFetchPartition } from '../../execution/rootFetchPartition.ts';
import type { CacheRule } from '../rules/cacheRule.ts';
import type { CacheRules } from '../rules/cacheRules.ts';
import { fetchRuleOf } from '../rules/fetchRule.ts';
import { fingerprintShape } from '../rules/shapeFingerprint.ts';
import { createValueValidator, type ValueValidator } from '../rules/valueValidator.ts';
import type { FetchUsage, RuleUsages } from '../ruleUsages.ts';
import { createValueTagger, type ValueTagger } from '../tags/valueTags.ts';

/** How the values of one fetch shape are cached. */
export interface CachePlan {
  readonly isCacheable: true;
  readonly rule: CacheRule;
  /** Counts what its rules do. */
  readonly usage: FetchUsage;
  /** The operation without its name: the client chose it, and it does not change the response. */
  readonly operationText: string;
  readonly fingerprint: string;
  readonly tagger: ValueTagger;
  readonly validator: ValueValidator;
  /** The type of root fields. Entities have their own types. */
  readonly rootType: string;
  /** Whether private entries are looked up too: the rule is private, or the subgraph marked a response `private`. */
  mayBePrivate: boolean;
  /** Whether a value of the latest response could be stored. If not, requests do not wait for each other's responses. */
  isStorable: boolean;
}

/** A fetch shape whose values must not be stored. */
interface UncacheablePlan {
  readonly isCacheable: false;
  /** Counts its values for the rules that some of its fields have; `undefined` if no field has a rule. */
  readonly countNotStored: ((values: number) => void) | undefined;
}

/** The cache plans of one supergraph, each created when its fetch shape is first used. */
export class CachePlans {
  readonly rules: CacheRules;
  readonly #usages: RuleUsages;
  readonly #plans = new WeakMap<FetchShape, CachePlan | UncacheablePlan>();
  readonly #rootPartitions = new WeakMap<FetchShape, RootFetchPartition | 'none'>();

  constructor(rules: CacheRules, usages: RuleUsages) {
    this.rules = rules;
    this.#usages = usages;
  }

  planOf(shape: FetchShape): CachePlan | UncacheablePlan {
    let plan = this.#plans.get(shape);
    if (plan === undefined) {
      plan = this.#createPlan(shape);
      this.#plans.set(shape, plan);
    }
    return plan;
  }

  /** `undefined` if no root field may be stored and none has a rule to count for. */
  rootPartitionOf(shape: FetchShape): RootFetchPartition | undefined {
    let partition = this.#rootPartitions.get(shape);
    if (partition === undefined) {
      const created = new RootFetchPartition(shape);
      const isRelevant = ({ shape }: RootFetchPartition['items'][number]): boolean => {
        const plan = this.planOf(shape);
        return plan.isCacheable || plan.countNotStored !== undefined;
      };
      partition = created.items.some(isRelevant) ? created : 'none';
      this.#rootPartitions.set(shape, partition);
    }
    return partition === 'none' ? undefined : partition;
  }

  #createPlan(shape: FetchShape): CachePlan | UncacheablePlan {
    const fetchRule = fetchRuleOf(shape, this.rules);
    const usage = this.#usages.usageOf({ subgraph: shape.subgraph, ...fetchRule });
    if (!fetchRule.isCacheable) {
      const { ruledFields, reason } = fetchRule;
      const countNotStored = (values: number): void => usage.onNotStored(reason, 'info', values);
      return { isCacheable: false, countNotStored: ruledFields.length > 0 ? countNotStored : undefined };
    }
    const { rule } = fetchRule;
    const { name: _, ...nameless } = shape.document;
    return {
      isCacheable: true,
      rule,
      usage,
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
