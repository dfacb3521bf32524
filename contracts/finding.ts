import { type AdviceFreeRuleId, type FixedSeverityRuleId, type RuleId, ruleOf } from './rules.ts';
import type { Severity } from './severity.ts';

/** One result of a check about a change, an operation or the store. */
export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about the finding. */
  readonly advice?: string | undefined;
  readonly subgraph?: string | undefined;
  /** The schema coordinate, such as `Type.field(argument:)`. A finding about no part of the schema has another name
   *  that waivers can use: `consumer/Operation` for an operation, the code of a composition hint. A finding about a
   *  whole subgraph has none, and waivers use `subgraph`. */
  readonly coordinate?: string | undefined;
  readonly location?: FileLocation | undefined;
  /** Operations that the change breaks or makes worse. */
  readonly affects?: readonly AffectedOperation[] | undefined;
  /** The order in which to roll out, when the order decides whether something breaks. */
  readonly deployment?: Deployment | undefined;
  /** For an operation that failed before the change too: for each of its problems, the coordinates that it is about. A
   *  waiver of the change that broke the operation covers the finding by them. Not part of a report. */
  readonly earlierProblems?: readonly (readonly string[])[] | undefined;
  /** The waiver that covers the finding. `severity` is unchanged. */
  readonly waivedBy?: string | undefined;
}

/** A position in a file. Lines and columns count from 1. */
export interface FileLocation {
  /** The path as the user would write it: relative when the file is below the working directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface AffectedOperation {
  readonly consumer: string;
  /** Name of the operation. */
  readonly operation: string;
  readonly location: FileLocation;
  /** What the change does to the operation. */
  readonly reason: string;
}

export interface Deployment {
  readonly order: DeploymentOrder;
  /** The rollout steps, in order. */
  readonly steps: readonly string[];
}

/** `subgraph first`: the new subgraph serves the plans of old gateways. `gateway first`: the old subgraph serves the
 *  plans of new gateways. `expand and contract`: neither does. */
export type DeploymentOrder = 'subgraph first' | 'gateway first' | 'expand and contract';

type FindingDetails<Id extends RuleId> = Omit<Finding, 'rule' | 'severity' | 'advice'> &
  (Id extends FixedSeverityRuleId
    ? { readonly severity?: Severity | undefined }
    : { readonly severity: Severity }) &
  (Id extends AdviceFreeRuleId ? { readonly advice: string } : { readonly advice?: string | undefined });

/** A finding with the severity and advice of its rule, unless `details` overrides them. */
export function createFinding<Id extends RuleId>(rule: Id, details: FindingDetails<Id>): Finding {
  const { severity, advice } = ruleOf(rule);
  return {
    ...details,
    rule,
    severity: details.severity ?? (severity as Severity),
    advice: details.advice ?? advice,
  };
}
