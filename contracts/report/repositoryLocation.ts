import { isHttpUrl } from '../../gateway/config/isHttpUrl.ts';
import type { FileLocation, Finding } from '../finding.ts';
import { findingLines, locationPhrase } from './reportPhrases.ts';

/** The location of a finding in a file. Platforms show locations in files of a repository only, and GitHub refuses a
 *  whole SARIF file because of a single URL. */
export function fileLocationOf({ location }: Finding): FileLocation | undefined {
  return location === undefined || isHttpUrl(location.file) ? undefined : location;
}

/** What is known about a finding besides its rule and its location in a file: a location in a running subgraph is the
 *  last line. */
export function platformLines(finding: Finding): string[] {
  const { location } = finding;
  if (location === undefined || fileLocationOf(finding) !== undefined) return findingLines(finding);
  return [...findingLines(finding), `At ${locationPhrase(location)}`];
}
