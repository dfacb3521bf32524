import type { FileLocation } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';

/** Changes the path of every file in the locations of a report. */
export function relocateReport(
  { findings, summary, ...rest }: CheckReport,
  pathOf: (file: string) => string,
): CheckReport {
  const relocate = (location: FileLocation): FileLocation => ({ ...location, file: pathOf(location.file) });
  const { checked } = summary;
  return {
    ...rest,
    summary: { ...summary, checked: { ...checked, directory: pathOf(checked.directory) } },
    findings: findings.map((finding) => ({
      ...finding,
      location: finding.location && relocate(finding.location),
      affects: finding.affects?.map((operation) => ({
        ...operation,
        location: relocate(operation.location),
      })),
    })),
  };
}
