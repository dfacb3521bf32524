import type { Finding, Severity } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { isAddress } from './isAddress.ts';
import { findingLines } from './wording.ts';

/** A code quality report: a list of issues, empty where there are none. Every issue needs a place; one without stands
 *  at the store. */
export function renderGitlab({ findings, summary }: CheckReport): string {
  const fingerprints = fingerprintsOf(findings);
  const issues = findings.map((finding, index) => ({
    description: findingLines(finding).join('\n'),
    check_name: finding.rule,
    fingerprint: fingerprints[index],
    severity: degreeOf(finding, summary.strict),
    location: locationOf(finding, summary.checked.directory),
  }));
  return `${JSON.stringify(issues, null, 2)}\n`;
}

function locationOf({ place }: Finding, directory: string): object {
  const { file, line } = place === undefined || isAddress(place.file) ? { file: directory, line: 1 } : place;
  // Only relative paths without `./` are found again in the repository.
  return { path: file.replace(/^(\.\/)+/, ''), lines: { begin: line } };
}

type Degree = 'info' | 'minor' | 'major' | 'critical' | 'blocker';

function degreeOf({ severity, waivedBy }: Finding, strict: boolean): Degree {
  if (waivedBy !== undefined) return 'info';
  return severity === 'dangerous' && strict ? 'blocker' : degrees[severity];
}

const degrees: Readonly<Record<Severity, Degree>> = {
  misuse: 'critical',
  breaking: 'blocker',
  undecided: 'critical',
  dangerous: 'major',
  safe: 'info',
};
