import { isHttpUrl } from '../../gateway/config/isHttpUrl.ts';
import type { FileLocation, Finding } from '../finding.ts';
import { splitRevision } from '../store/displayPath.ts';
import { findingLines, locationPhrase } from './reportPhrases.ts';

/** The location of a finding in a file. Platforms show locations in files of a repository only, and GitHub refuses a
 *  whole SARIF file because of a single URL. They know nothing of revisions either: the location of a removed schema is
 *  where the change removes it. */
export function fileLocationOf({ location }: Finding): FileLocation | undefined {
  if (location === undefined || isHttpUrl(location.file)) return undefined;
  return { ...location, file: splitRevision(location.file).path };
}

/** What is known about a finding besides its rule and its location in a file: a location in a running subgraph or at a
 *  revision is the last line. */
export function platformLines(finding: Finding, maxAffected?: number): string[] {
  const { location } = finding;
  const lines = findingLines(finding, maxAffected);
  if (location === undefined || fileLocationOf(finding)?.file === location.file) return lines;
  return [...lines, `At ${locationPhrase(location)}`];
}
