import { OperationTypeNode, print } from 'graphql';
import type { FetchShape } from '../../execution/fetchShape.ts';
import type { CacheRule } from '../rules/cacheRule.ts';
import type { CacheRules } from '../rules/cacheRules.ts';
import { fetchRuleOf } from '../rules/fetchRule.ts';
import { fingerprintShape } from '../rules/shapeFingerprint.ts';
import { createValueTagger, type ValueTagger } from '../tags/valueTags.ts';
import { RootFetchPartition } from './rootFetchPartition.ts';

/** What holds for everything that is kept of one fetch shape. */
export interface CachePlan {
  readonly rule: CacheRule;
  /** The operation without its name, which is the client's and changes nothing. */
  readonly operationText: string;
  readonly fingerprint: string;
  readonly tagger: ValueTagger;
  /** Of root fields; entities have their own. */
  readonly rootType: string;
  /** The subgraph has called an answer private that is public by its rule: then private values are looked for too. */
  mayBePrivate: boolean;
  /** The newest answer could be stored. Where it could not, nobody waits for another one's. */
  isStorable: boolean;
}

/** The plans of one supergraph's fetch shapes, each made when it is first needed. */
export class CachePlans {
  readonly rules: CacheRules;
  readonly #plans = new WeakMap<FetchShape, CachePlan | 'none'>();
  readonly #rootPartitions = new WeakMap<FetchShape, RootFetchPartition | 'none'>();

  constructor(rules: CacheRules) {
    this.rules = rules;
  }

  /** `undefined` for what may not be kept. */
  planOf(shape: FetchShape): CachePlan | undefined {
    let plan = this.#plans.get(shape);
    if (plan === undefined) {
      plan = this.#createPlan(shape) ?? 'none';
      this.#plans.set(shape, plan);
    }
    return plan === 'none' ? undefined : plan;
  }

  /** The parts of a root fetch; `undefined` where none of them may be kept. */
  rootPartitionOf(shape: FetchShape): RootFetchPartition | undefined {
    let units = this.#rootPartitions.get(shape);
    if (units === undefined) {
      const made = new RootFetchPartition(shape);
      units = made.items.some((unit) => this.planOf(unit.shape) !== undefined) ? made : 'none';
      this.#rootPartitions.set(shape, units);
    }
    return units === 'none' ? undefined : units;
  }

  #createPlan(shape: FetchShape): CachePlan | undefined {
    const found = fetchRuleOf(shape, this.rules);
    if (!found.isCacheable) return undefined;
    const { rule } = found;
    const { name: _, ...nameless } = shape.document;
    return {
      rule,
      operationText: print(nameless),
      fingerprint: fingerprintShape(shape, this.rules, rule),
      tagger: createValueTagger(shape, this.rules.graph),
      rootType: this.rules.graph.roots.get(OperationTypeNode.QUERY) ?? 'Query',
      mayBePrivate: rule.scope === 'PRIVATE',
      isStorable: true,
    };
  }
}
