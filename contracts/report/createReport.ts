import type { Finding } from '../finding.ts';
import { type Severity, severitiesWorstFirst } from '../severity.ts';
import type { CheckReport, CheckScope, ExitCode, Verdict } from './checkReport.ts';

interface ReportInput {
  /** With waivers applied, in any order. */
  readonly findings: readonly Finding[];
  readonly strict: boolean;
  readonly checked: CheckScope;
}

export function createReport({ findings, strict, checked }: ReportInput): CheckReport {
  const counts: Record<Severity, number> = { misuse: 0, breaking: 0, undecided: 0, dangerous: 0, safe: 0 };
  let waived = 0;
  for (const { severity, waivedBy } of findings) {
    if (waivedBy === undefined) counts[severity] += 1;
    else waived += 1;
  }
  const verdict = verdictOf(counts, strict);
  return {
    version: 1,
    summary: { verdict, exitCode: exitCodes[verdict], strict, counts, waived, checked },
    findings: sortFindings(findings),
  };
}

// A store with mistakes was read only in part, so nothing else is certain. A known breakage remains one even if
// other things could not be determined.
function verdictOf(counts: Readonly<Record<Severity, number>>, strict: boolean): Verdict {
  if (counts.misuse > 0) return 'misuse';
  if (counts.breaking > 0 || (strict && counts.dangerous > 0)) return 'failed';
  return counts.undecided > 0 ? 'undecided' : 'passed';
}

const exitCodes: Readonly<Record<Verdict, ExitCode>> = { passed: 0, failed: 1, misuse: 2, undecided: 3 };

/** Sorts by severity, then subgraph, then location, with waived findings last. The order does not depend on the order
 *  of the input. */
function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(compareFindings);
}

function compareFindings(a: Finding, b: Finding): number {
  return (
    Number(a.waivedBy !== undefined) - Number(b.waivedBy !== undefined) ||
    severitiesWorstFirst.indexOf(a.severity) - severitiesWorstFirst.indexOf(b.severity) ||
    compareText(a.subgraph, b.subgraph) ||
    compareText(a.location?.file, b.location?.file) ||
    (a.location?.line ?? 0) - (b.location?.line ?? 0) ||
    (a.location?.column ?? 0) - (b.location?.column ?? 0) ||
    compareText(a.coordinate, b.coordinate) ||
    compareText(a.rule, b.rule) ||
    compareText(a.message, b.message)
  );
}

// By code units: a locale-dependent order would differ between machines.
function compareText(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
