import { styleText } from 'node:util';
import type { Finding } from '../finding.ts';
import type { Severity } from '../severity.ts';
import type { CheckReport, Verdict } from './checkReport.ts';
import { affectedPhrase, locationPhrase, summaryPhrase, verdictSentence } from './reportPhrases.ts';
import { toSingleLine } from './textFormatting.ts';

type Style = Parameters<typeof styleText>[0];

/** Text for people, with colours for terminals. */
export function renderText({ findings, summary }: CheckReport, colours: boolean): string {
  const paint = (style: Style, text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  const blocks = findings.map((finding) => `${findingBlock(finding, paint)}\n`);
  const verdict = paint(verdictStyles[summary.verdict], verdictSentence(summary));
  if (summary.deployability !== undefined) {
    const steps = summary.deployability.steps.map((step) => `  - ${toSingleLine(step)}\n`);
    const order = findings.length > 0 || steps.length === 0 ? [] : [`In this order:\n${steps.join('')}`];
    const counts = findings.length === 0 ? [] : [`${summaryPhrase(summary)}.\n`];
    return [`${verdict}\n`, ...blocks, ...counts, ...order].join('\n');
  }
  return [...blocks, `${verdict} ${summaryPhrase(summary)}.\n`].join('\n');
}

function findingBlock(finding: Finding, paint: (style: Style, text: string) => string): string {
  const { severity, waivedBy, rule, subgraph, coordinate, location, deployment } = finding;
  const standing = waivedBy === undefined ? severity : `waived (${severity})`;
  const heading = [
    paint(waivedBy === undefined ? severityStyles[severity] : 'dim', standing),
    paint('bold', toSingleLine(rule)),
    ...(subgraph === undefined ? [] : [toSingleLine(subgraph)]),
    ...(coordinate === undefined ? [] : [toSingleLine(coordinate)]),
  ].join('  ');
  const lines = [
    heading,
    ...(location === undefined ? [] : [paint('dim', `at ${toSingleLine(locationPhrase(location))}`)]),
    ...finding.message.split('\n'),
    ...(finding.affects ?? []).map((operation) => `affects  ${toSingleLine(affectedPhrase(operation))}`),
    ...(deployment === undefined ? [] : [`deploy   ${paint('bold', deployment.order)}`]),
    ...(deployment?.steps ?? []).map((step, index) => `         ${index + 1}. ${toSingleLine(step)}`),
    ...(finding.advice === undefined ? [] : [`to do    ${toSingleLine(finding.advice)}`]),
    ...(waivedBy === undefined ? [] : [`waived   ${toSingleLine(waivedBy)}`]),
  ];
  return lines.join('\n  ');
}

const severityStyles: Readonly<Record<Severity, Style>> = {
  misuse: 'magenta',
  breaking: 'red',
  undecided: 'magenta',
  dangerous: 'yellow',
  safe: 'green',
};

const verdictStyles: Readonly<Record<Verdict, Style>> = {
  passed: 'green',
  failed: 'red',
  misuse: 'magenta',
  undecided: 'magenta',
};
