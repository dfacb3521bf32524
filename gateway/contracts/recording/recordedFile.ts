import { escapeUnprintable, toSingleLine } from '../../../contracts/report/textFormatting.ts';
import { truncate } from '../../json/truncate.ts';

/** The comment above a recorded operation. */
interface RecordedHeader {
  readonly client: string;
  /** The last `maxVersions` client versions, in order of first observation. */
  readonly versions: readonly string[];
  /** The day in UTC, such as `2027-01-31`. */
  readonly firstSeen: string;
}

export const maxVersions = 20;

/** Maximum length of a client name or version in a comment. */
const maxCommentLength = 100;

/** Turns a client's name or version into text for a one-line comment. */
export function toCommentText(text: string): string {
  return truncate(toSingleLine(escapeUnprintable(text)), maxCommentLength);
}

export function printRecordedFile(
  { client, versions, firstSeen }: RecordedHeader,
  operation: string,
): string {
  return [
    `# client: ${client}`,
    ...versions.map((version) => `# version: ${version}`),
    `# first seen: ${firstSeen}`,
    operation,
  ].join('\n');
}

/** Reads the header of a recorded file. Missing lines are omitted. */
export function readRecordedHeader(text: string): Partial<RecordedHeader> {
  const versions: string[] = [];
  let client: string | undefined;
  let firstSeen: string | undefined;
  for (const line of text.split('\n')) {
    if (!line.startsWith('#')) break;
    const [, key, value = ''] = /^# (client|version|first seen): (.*)$/.exec(line) ?? [];
    if (key === 'client') client = value;
    if (key === 'version') versions.push(value);
    if (key === 'first seen') firstSeen = value;
  }
  return {
    versions,
    ...(client === undefined ? {} : { client }),
    ...(firstSeen === undefined ? {} : { firstSeen }),
  };
}
