import type { ConstDirectiveNode } from 'graphql';
import { type FixedSeverityRuleId, ruleOf, type SubgraphRuleId } from '../rules.ts';
import type { Severity } from '../severity.ts';

/** One difference between two versions of a subgraph, without its location in a file. */
export interface SubgraphChange {
  readonly rule: SubgraphRuleId;
  readonly severity: Severity;
  readonly message: string;
  readonly coordinate: string;
  /** The changed directive in the new SDL, if there is one. Its location is more exact than that of the coordinate. */
  readonly node?: ConstDirectiveNode | undefined;
}

/** A change with the severity of its rule. */
export function createChange(
  rule: FixedChangeRuleId,
  details: Omit<SubgraphChange, 'rule' | 'severity'>,
): SubgraphChange {
  return { rule, severity: ruleOf(rule).severity as Severity, ...details };
}

/** The id of a rule whose changes all have one severity. */
export type FixedChangeRuleId = SubgraphRuleId & FixedSeverityRuleId;
