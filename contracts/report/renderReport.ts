import type { FileLocation } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';
import { renderGithub } from './renderGithub.ts';
import { renderGitlab } from './renderGitlab.ts';
import { renderJunit } from './renderJunit.ts';
import { renderMarkdown } from './renderMarkdown.ts';
import { renderSarif } from './renderSarif.ts';
import { renderText } from './renderText.ts';
import { escapeUnprintable } from './textFormatting.ts';

export const reportFormats = ['text', 'json', 'junit', 'sarif', 'github', 'markdown', 'gitlab'] as const;

export type ReportFormat = (typeof reportFormats)[number];

interface RenderOptions {
  /** Colours for the format `text`. */
  readonly color?: boolean;
  /** The path of a file from the root of its repository, for the formats of platforms. Omitted: paths are as the user
   *  would write them. */
  readonly repositoryPathOf?: ((file: string) => string) | undefined;
}

/** Platforms find files by their path in the repository, wherever in it the check ran. */
const platformFormats: ReadonlySet<ReportFormat> = new Set(['sarif', 'github', 'markdown', 'gitlab']);

/** The report as a whole file of one format, with a final line end. No message can break a format. */
export function renderReport(
  report: CheckReport,
  format: ReportFormat,
  { color = false, repositoryPathOf }: RenderOptions = {},
): string {
  const placed =
    repositoryPathOf !== undefined && platformFormats.has(format)
      ? relocateReport(report, repositoryPathOf)
      : report;
  return renderers[format](escapeUnprintable(placed), color);
}

const renderers: Readonly<Record<ReportFormat, (report: CheckReport, colours: boolean) => string>> = {
  text: renderText,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  junit: renderJunit,
  sarif: renderSarif,
  github: renderGithub,
  markdown: renderMarkdown,
  gitlab: renderGitlab,
};

/** Changes the path of every file in the locations of a report. */
function relocateReport(
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
