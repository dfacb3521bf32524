import type { Finding } from '../../../contracts/finding.ts';
import type { CheckReport } from '../../../contracts/report/checkReport.ts';
import { createReport } from '../../../contracts/report/createReport.ts';
import { type ReportOutput, writeReport } from './reportOutputs.ts';

/** Writes new and resolved findings since the last check, if there are any. Text on standard output shows only these.
 *  Every other output gets the whole report, because it describes the current state. */
export function reportChanges(
  last: CheckReport | undefined,
  report: CheckReport,
  outputs: readonly ReportOutput[],
): void {
  if (last === undefined) {
    writeReport(report, outputs);
    return;
  }
  const before = new Set(last.findings.map(findingKey));
  const after = new Set(report.findings.map(findingKey));
  const isNew = report.findings.filter((finding) => !before.has(findingKey(finding)));
  const over = last.findings.filter((finding) => !after.has(findingKey(finding)));
  if (isNew.length === 0 && over.length === 0) return;
  for (const output of outputs) {
    if (output.format !== 'text' || output.file !== undefined) {
      writeReport(report, [output]);
      continue;
    }
    process.stdout.write(`\n${new Date().toISOString()}: ${isNew.length} new, ${over.length} over\n`);
    for (const finding of over) process.stdout.write(`over  ${labelOf(finding)}\n`);
    if (isNew.length === 0) continue;
    const { strict, checked } = report.summary;
    writeReport(createReport({ findings: isNew, strict, checked }), [output]);
  }
}

function findingKey(finding: Finding): string {
  return JSON.stringify(finding);
}

function labelOf({ rule, subgraph, coordinate, message }: Finding): string {
  const parts = [rule, subgraph, coordinate].filter((part) => part !== undefined);
  return parts.length > 2 ? parts.join('  ') : `${parts.join('  ')}  ${message}`;
}
