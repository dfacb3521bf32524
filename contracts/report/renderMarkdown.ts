import type { Finding } from '../finding.ts';
import { type Severity, severitiesWorstFirst } from '../severity.ts';
import type { CheckReport } from './checkReport.ts';
import {
  affectedPhrase,
  checkedPhrase,
  countsPhrase,
  deploymentPhrase,
  locationPhrase,
  verdictSentence,
} from './reportPhrases.ts';
import { toSingleLine, truncate } from './textFormatting.ts';

/** Most characters that GitHub takes in a comment. */
const maxCommentLength = 65_536;

/** Stands first in every comment, so that the next run finds the comment that it replaces. */
const commentMarker = '<!-- tributary contracts -->';

/** A comment for a pull request: the verdict, a table of counts, and what was found, folded away but for what breaks.
 *  What has no room is counted. */
export function renderMarkdown(report: CheckReport): string {
  const { findings, summary } = report;
  const head = [
    commentMarker,
    `### Contracts: ${verdictSentence(summary)}`,
    '',
    '| Finding | Count |',
    '| --- | --- |',
    ...severitiesWorstFirst.map((severity) => `| ${severity} | ${summary.counts[severity]} |`),
    `| waived | ${summary.waived} |`,
    '',
    `${countsPhrase(summary)}; ${checkedPhrase(summary)}.`,
    '',
  ].join('\n');
  let text = head;
  let told = 0;
  let counted = 0;
  for (const group of groupsOf(findings)) {
    const opening = `\n<details${group.isOpen ? ' open' : ''}><summary>${group.title}</summary>\n\n`;
    const closing = '\n</details>\n';
    let items = '';
    for (const finding of group.findings) {
      const item = listItem(finding);
      const length = text.length + opening.length + items.length + item.length + closing.length;
      if (length + omittedNotice(findings.length).length > maxCommentLength) break;
      items += item;
      told += 1;
    }
    if (items !== '') text += opening + items + closing;
    counted += group.findings.length;
    if (told < counted) return text + omittedNotice(findings.length - told);
  }
  return text;
}

interface Group {
  readonly title: string;
  readonly isOpen: boolean;
  readonly findings: readonly Finding[];
}

function groupsOf(findings: readonly Finding[]): Group[] {
  const groups = severitiesWorstFirst.map((severity) => ({
    title: groupTitles[severity],
    isOpen: severity === 'misuse' || severity === 'breaking' || severity === 'undecided',
    findings: findings.filter((finding) => finding.severity === severity && finding.waivedBy === undefined),
  }));
  const waived = findings.filter(({ waivedBy }) => waivedBy !== undefined);
  return [...groups, { title: 'Waived', isOpen: false, findings: waived }];
}

const groupTitles: Readonly<Record<Severity, string>> = {
  misuse: 'Mistakes in the contracts or the arguments',
  breaking: 'Breaking',
  undecided: 'Could not be found out',
  dangerous: 'Dangerous',
  safe: 'Safe',
};

/** One finding must not take the room of all others: the other formats have everything. */
const maxTextLength = 1_000;
const maxAffectedOperations = 20;

function listItem({
  rule,
  subgraph,
  coordinate,
  location,
  message,
  affects = [],
  deployment,
  advice,
  waivedBy,
}: Finding): string {
  const where = [
    coordinate,
    subgraph === undefined ? undefined : `in ${subgraph}`,
    location && locationPhrase(location),
  ];
  const details = [
    ...affects.slice(0, maxAffectedOperations).map((operation) => `affects ${affectedPhrase(operation)}`),
    ...(affects.length > maxAffectedOperations
      ? [`and ${affects.length - maxAffectedOperations} more operations`]
      : []),
    ...(deployment === undefined ? [] : [`deploy ${deploymentPhrase(deployment)}`]),
    ...(advice === undefined ? [] : [`to do: ${advice}`]),
    ...(waivedBy === undefined ? [] : [`waived: ${waivedBy}`]),
  ];
  const heading = where.filter((part) => part !== undefined).map((part) => escapeMarkdown(part));
  return [
    `- **${[escapeMarkdown(rule), ...heading].join(' · ')}**<br>${escapeMarkdown(message)}\n`,
    ...details.map((detail) => `  - ${escapeMarkdown(detail)}\n`),
  ].join('');
}

function omittedNotice(count: number): string {
  return `\n${count} more findings have no room here; the other formats have them all.\n`;
}

/** Text that Markdown shows as it is: in one line, with nothing in it that formats, links, or calls somebody. Names in
 *  backticks, as our messages write them, stay code. */
function escapeMarkdown(text: string): string {
  return truncate(toSingleLine(text), maxTextLength)
    .split(/(`[\w.@(),:"' -]+`)/)
    .map((part, index) => (index % 2 === 1 ? part : escapeProse(part)))
    .join('');
}

// A directive such as `@key` is also somebody's name, and `#1` an issue: an invisible space keeps them from being that.
function escapeProse(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|~&$#@]/g, (character) => {
    if (character === '@') return '@&#8203;';
    return character === '#' ? '\\#&#8203;' : `\\${character}`;
  });
}
