import { truncate } from '../../gateway/json/truncate.ts';
import type { Finding } from '../finding.ts';
import { type Severity, severitiesWorstFirst } from '../severity.ts';
import type { CheckReport } from './checkReport.ts';
import { affectedPhrase, locationPhrase, summaryPhrase, verdictSentence } from './reportPhrases.ts';
import { toSingleLine } from './textFormatting.ts';

/** GitHub's limit for the length of a comment, in characters. */
const maxCommentLength = 65_536;

/** First line of every comment, by which the next run finds the comment to replace. */
const commentMarker = '<!-- tributary contracts -->';

/** A pull request comment: the verdict, a table of counts, and the findings, folded unless they break something.
 *  Findings beyond GitHub's limit are only counted. */
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
    `${escapeMarkdown(summaryPhrase(summary))}.`,
    '',
  ].join('\n');
  let text = head;
  let shown = 0;
  let groupTotal = 0;
  for (const group of groupsOf(findings)) {
    const opening = `\n<details${group.isOpen ? ' open' : ''}><summary>${group.title}</summary>\n\n`;
    const closing = '\n</details>\n';
    let items = '';
    for (const finding of group.findings) {
      const item = listItem(finding);
      const length = text.length + opening.length + items.length + item.length + closing.length;
      if (length + omittedNotice(findings.length).length > maxCommentLength) break;
      items += item;
      shown += 1;
    }
    if (items !== '') text += opening + items + closing;
    groupTotal += group.findings.length;
    if (shown < groupTotal) return text + omittedNotice(findings.length - shown);
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
  undecided: 'Undecided',
  dangerous: 'Dangerous',
  safe: 'Safe',
};

/** Limits for one finding, so that it leaves room for others. Other formats are not limited. */
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
  const item = (text: string): string => `  - ${escapeMarkdown(text)}\n`;
  const heading = where.filter((part) => part !== undefined).map((part) => escapeMarkdown(part));
  return [
    `- **${[escapeMarkdown(rule), ...heading].join(' · ')}**<br>${escapeMarkdown(message)}\n`,
    ...affects
      .slice(0, maxAffectedOperations)
      .map((operation) => item(`affects ${affectedPhrase(operation)}`)),
    ...(affects.length > maxAffectedOperations
      ? [item(`and ${affects.length - maxAffectedOperations} more operations`)]
      : []),
    ...(deployment === undefined ? [] : [item(`deploy ${deployment.order}`)]),
    // A list of its own: as one line, the last steps would exceed the length of a text.
    ...(deployment?.steps ?? []).map((step, index) => `    ${index + 1}. ${escapeMarkdown(step)}\n`),
    ...(advice === undefined ? [] : [item(`to do: ${advice}`)]),
    ...(waivedBy === undefined ? [] : [item(`waived: ${waivedBy}`)]),
  ].join('');
}

function omittedNotice(count: number): string {
  return `\n${count} more findings exceed the size limit; the other formats have them all.\n`;
}

/** Escapes text for one line of Markdown: nothing in it formats, links or mentions. Names in backticks stay code. */
function escapeMarkdown(text: string): string {
  return truncate(toSingleLine(text), maxTextLength)
    .split(/(`[\w.@(),:"' -]+`)/)
    .map((part, index) => (index % 2 === 1 ? part : escapeProse(part)))
    .join('');
}

// `@key` would mention a user and `#1` an issue. A zero-width space prevents both.
function escapeProse(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|~&$#@]/g, (character) => {
    if (character === '@') return '@&#8203;';
    return character === '#' ? '\\#&#8203;' : `\\${character}`;
  });
}
