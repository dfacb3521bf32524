import type { Finding } from '../finding.ts';
import type { Severity } from '../severity.ts';

/** What a check has found, ready to be told. Its JSON is described by `docs/contracts-report.schema.json`. */
export interface CheckReport {
  /** Of the JSON form: a new number whenever a reader of the old one would misunderstand. */
  readonly version: 1;
  readonly summary: CheckSummary;
  /** In the order of `sortFindings`. */
  readonly findings: readonly Finding[];
}

export interface CheckSummary {
  readonly verdict: Verdict;
  readonly exitCode: ExitCode;
  /** What is dangerous fails too. */
  readonly strict: boolean;
  /** Findings that no waiver lets pass. */
  readonly counts: Readonly<Record<Severity, number>>;
  /** Findings that a waiver lets pass. */
  readonly waived: number;
  readonly checked: CheckScope;
}

/** `misuse`: the store or the arguments are wrong. `undecided`: something could not be found out. */
export type Verdict = 'passed' | 'failed' | 'misuse' | 'undecided';

export type ExitCode = 0 | 1 | 2 | 3;

/** What the check has looked at. */
export interface CheckScope {
  /** The store's, as the user would write it. What stands at no place of its own is told there. */
  readonly directory: string;
  /** Of the candidate graph. */
  readonly subgraphs: number;
  readonly consumers: number;
  readonly operations: number;
}
