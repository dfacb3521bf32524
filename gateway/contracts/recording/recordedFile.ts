import { escapeUnprintable, toSingleLine, truncate } from '../../../contracts/report/textFormatting.ts';

/** What stands above a recorded operation. */
interface RecordedHeader {
  readonly client: string;
  /** In the order in which they were first seen, the last `maxVersions` of them. */
  readonly versions: readonly string[];
  /** A day: `2027-01-31`, UTC. */
  readonly firstSeen: string;
}

export const maxVersions = 20;

/** Longest client name or version that is written. */
const maxCommentLength = 100;

/** A client's name or version as it can stand in a comment: it ends with its line. */
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

/** Header of a file that was recorded before; what is not there is left out. */
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
