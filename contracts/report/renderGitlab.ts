import type { Finding } from '../finding.ts';
import type { Severity } from '../severity.ts';
import type { CheckReport } from './checkReport.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { fileLocationOf, platformLines } from './repositoryLocation.ts';

/** A GitLab code quality report: a list of issues. Every issue needs a location; that of a finding without one is the
 *  store. */
export function renderGitlab({ findings, summary }: CheckReport): string {
  const fingerprints = fingerprintsOf(findings);
  const issues = findings.map((finding, index) => ({
    description: platformLines(finding).join('\n'),
    check_name: finding.rule,
    fingerprint: fingerprints[index],
    severity: gitlabSeverityOf(finding, summary.strict),
    location: locationOf(finding, summary.checked.directory),
  }));
  return `${JSON.stringify(issues, null, 2)}\n`;
}

function locationOf(finding: Finding, directory: string): object {
  const { file, line } = fileLocationOf(finding) ?? { file: directory, line: 1 };
  // GitLab finds only relative paths without a leading `./` in the repository.
  return { path: file.replace(/^(\.\/)+/, ''), lines: { begin: line } };
}

type GitlabSeverity = 'info' | 'minor' | 'major' | 'critical' | 'blocker';

function gitlabSeverityOf({ severity, waivedBy }: Finding, strict: boolean): GitlabSeverity {
  if (waivedBy !== undefined) return 'info';
  return severity === 'dangerous' && strict ? 'blocker' : gitlabSeverities[severity];
}

const gitlabSeverities: Readonly<Record<Severity, GitlabSeverity>> = {
  misuse: 'critical',
  breaking: 'blocker',
  undecided: 'critical',
  dangerous: 'major',
  safe: 'info',
};
