import { type AdviceFreeRuleId, type FixedSeverityRuleId, type RuleId, ruleOf } from './rules.ts';
import type { Severity } from './severity.ts';

/** What a check has found: one thing that is right or wrong about a change, an operation or the store itself. */
export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
  readonly subgraph?: string | undefined;
  /** Schema coordinate, `Type.field(argument:)`. Where it is about no part of the schema, what else a waiver can name it
   *  by: `consumer/Operation` for an operation, the code of a composer's hint. For a whole subgraph that is `subgraph`. */
  readonly coordinate?: string | undefined;
  readonly location?: FileLocation | undefined;
  /** Operations of consumers that it breaks, or makes worse. */
  readonly affects?: readonly AffectedOperation[] | undefined;
  /** In which order to roll out, where that decides on whether something breaks. */
  readonly deployment?: Deployment | undefined;
  /** The waiver that lets it pass; `severity` is what it would be without. */
  readonly waivedBy?: string | undefined;
}

/** Where it stands in a file: lines and columns count from 1. */
export interface FileLocation {
  /** As the user would write it: relative to the working directory where it is below it. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface AffectedOperation {
  readonly consumer: string;
  /** The operation's name. */
  readonly operation: string;
  readonly location: FileLocation;
  /** What happens to it. */
  readonly reason: string;
}

export interface Deployment {
  readonly order: DeploymentOrder;
  /** What to do, one after the other. */
  readonly steps: readonly string[];
}

/** `subgraph first`: the new subgraph serves the plans of the old gateway. `gateway first`: the old subgraph serves
 *  the plans of the new one. `expand and contract`: neither. */
export type DeploymentOrder = 'safe' | 'subgraph first' | 'gateway first' | 'expand and contract';

type FindingDetails<Id extends RuleId> = Omit<Finding, 'rule' | 'severity' | 'advice'> &
  (Id extends FixedSeverityRuleId
    ? { readonly severity?: Severity | undefined }
    : { readonly severity: Severity }) &
  (Id extends AdviceFreeRuleId ? { readonly advice: string } : { readonly advice?: string | undefined });

/** A finding with the severity and the advice of its rule, unless `details` has others. */
export function createFinding<Id extends RuleId>(rule: Id, details: FindingDetails<Id>): Finding {
  const { severity, advice } = ruleOf(rule);
  return {
    ...details,
    rule,
    severity: details.severity ?? (severity as Severity),
    advice: details.advice ?? advice,
  };
}
