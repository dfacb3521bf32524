import type { Finding } from '../finding.ts';
import type { Severity } from '../severity.ts';

/** The result of a check. `docs/contracts-report.schema.json` describes its JSON. */
export interface CheckReport {
  /** Version of the JSON form. It increases when readers of the old form would misunderstand the new one. */
  readonly version: 1;
  readonly summary: CheckSummary;
  /** Sorted by severity, subgraph and location, with waived findings last. */
  readonly findings: readonly Finding[];
}

export interface CheckSummary {
  readonly verdict: Verdict;
  readonly exitCode: ExitCode;
  /** Whether `dangerous` findings fail the check. */
  readonly strict: boolean;
  /** Findings that are not waived. */
  readonly counts: Readonly<Record<Severity, number>>;
  /** Number of waived findings. */
  readonly waived: number;
  readonly checked: CheckScope;
  /** Present in the answer whether a subgraph can be deployed now: yes when `verdict` is `passed`, no when it is
   *  `failed`. The findings are those that forbid it. */
  readonly deployability?: Deployability | undefined;
}

/** Where a subgraph is to be deployed. */
export interface DeploymentTarget {
  readonly subgraph: string;
  readonly environment: string;
}

interface Deployability extends DeploymentTarget {
  /** The rollout steps, in order. */
  readonly steps: readonly string[];
}

/** `misuse`: the store or the arguments have mistakes. `undecided`: something could not be determined. */
export type Verdict = 'passed' | 'failed' | 'misuse' | 'undecided';

export type ExitCode = 0 | 1 | 2 | 3;

/** What was checked. */
export interface CheckScope {
  /** Directory of the store, as the user would write it. Findings without a location are reported there. */
  readonly directory: string;
  /** Number of subgraphs in the candidate graph. */
  readonly subgraphs: number;
  readonly consumers: number;
  readonly operations: number;
  /** What the check compared with, such as `revision HEAD`. Empty when there was nothing; omitted by `drift`. */
  readonly baselines?: readonly string[] | undefined;
  /** Number of subgraphs that differ from a baseline; omitted without one. */
  readonly changedSubgraphs?: number | undefined;
}
