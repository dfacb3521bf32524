import type { Finding } from '../../../contracts/finding.ts';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { createReport } from '../../../contracts/report/createReport.ts';
import { type ReportOutput, writeReport } from './reportOutputs.ts';

/** Writes new and resolved findings since the last check, if there are any. Text on standard output shows only these.
 *  Every other output gets the whole report, because it describes the current state. */
export function reportChanges(
  previous: CheckReport | undefined,
  report: CheckReport,
  outputs: readonly ReportOutput[],
): void {
  if (previous === undefined) {
    writeReport(report, outputs);
    return;
  }
  const before = new Set(previous.findings.map(findingKey));
  const after = new Set(report.findings.map(findingKey));
  const added = report.findings.filter((finding) => !before.has(findingKey(finding)));
  const resolved = previous.findings.filter((finding) => !after.has(findingKey(finding)));
  if (added.length === 0 && resolved.length === 0) return;
  for (const output of outputs) {
    if (output.format !== 'text' || output.file !== undefined) {
      writeReport(report, [output]);
      continue;
    }
    process.stdout.write(`\n${new Date().toISOString()}: ${added.length} new, ${resolved.length} resolved\n`);
    for (const finding of resolved) process.stdout.write(`resolved  ${labelOf(finding)}\n`);
    if (added.length === 0) continue;
    const { strict, checked } = report.summary;
    writeReport(createReport({ findings: added, strict, checked }), [output]);
  }
}

function findingKey(finding: Finding): string {
  return JSON.stringify(finding);
}

function labelOf({ rule, subgraph, coordinate, message }: Finding): string {
  const parts = [rule, subgraph, coordinate].filter((part) => part !== undefined);
  return parts.length > 2 ? parts.join('  ') : `${parts.join('  ')}  ${message}`;
}
