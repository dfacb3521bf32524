import type { Finding } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';
import { type FindingLevel, levelOf } from './findingLevel.ts';
import { summaryPhrase, verdictSentence } from './reportPhrases.ts';
import { fileLocationOf, platformLines } from './repositoryLocation.ts';
import { toSingleLine } from './textFormatting.ts';

/** Workflow commands, one per line: an annotation per finding, and a summary. GitHub shows ten of each level per
 *  step, so the worst come first. */
export function renderGithub({ findings, summary }: CheckReport): string {
  const title = 'contracts';
  const level = summary.verdict === 'passed' ? 'note' : 'error';
  const text = `${verdictSentence(summary)} ${summaryPhrase(summary)}.`;
  const commands = findings.map((finding) => annotation(finding, levelOf(finding, summary.strict)));
  return `${[...commands, command(level, { title }, text)].join('\n')}\n`;
}

function annotation(finding: Finding, level: FindingLevel): string {
  const { rule, subgraph, coordinate, waivedBy } = finding;
  const location = fileLocationOf(finding);
  const standing = waivedBy === undefined ? finding.severity : 'waived';
  const title = [`${standing}: ${rule}`, coordinate, subgraph === undefined ? undefined : `(${subgraph})`];
  return command(
    level,
    {
      ...(location === undefined
        ? {}
        : { file: location.file, line: String(location.line), col: String(location.column) }),
      title: toSingleLine(title.filter((part) => part !== undefined).join(' ')),
    },
    platformLines(finding, maxAffectedOperations).join('\n'),
  );
}

/** GitHub cuts a message at 4,096 characters. The rollout steps and the advice come after the operations. */
const maxAffectedOperations = 10;

const commandNames: Readonly<Record<FindingLevel, string>> = {
  error: 'error',
  warning: 'warning',
  note: 'notice',
};

function command(level: FindingLevel, properties: Readonly<Record<string, string>>, message: string): string {
  const written = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(value)}`);
  return `::${commandNames[level]} ${written.join(',')}::${escapeMessage(message)}`;
}

// The percent sign first, because the other escapes contain it.
function escapeMessage(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
