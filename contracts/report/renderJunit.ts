import type { Finding } from '../finding.ts';
import type { CheckReport } from './checkReport.ts';
import { levelOf } from './findingLevel.ts';
import { findingLines, locationPhrase, summaryPhrase, verdictSentence } from './reportPhrases.ts';
import { toSingleLine } from './textFormatting.ts';

/** A test suite per subgraph and a test case per finding: a failure for a breakage, an error for mistakes and
 *  undecided findings, skipped when waived. A report without findings is one passed test case, because readers of
 *  JUnit files take an empty file for a run that did not happen. */
export function renderJunit(report: CheckReport): string {
  const { findings, summary } = report;
  const suites = new Map<string, TestCase[]>();
  for (const finding of findings) {
    const name = finding.subgraph ?? 'graph';
    const cases = suites.get(name) ?? [];
    cases.push(testCase(finding, name, summary.strict));
    suites.set(name, cases);
  }
  if (suites.size === 0) suites.set('graph', [passedCase(verdictSentence(summary))]);
  const all = [...suites.values()].flat();
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'contracts', ...counts(all) })}>`,
    ...[...suites].map(([name, cases]) => suiteElement(name, cases)),
    // A comment of XML must not contain two hyphens.
    `<!-- ${summaryPhrase(summary).replaceAll(/-(?=-)/g, '- ')} -->`,
    '</testsuites>\n',
  ].join('\n');
}

interface TestCase {
  readonly outcome: 'passed' | 'failure' | 'error' | 'skipped';
  readonly classname: string;
  readonly name: string;
  readonly body: string;
}

function testCase(finding: Finding, classname: string, strict: boolean): TestCase {
  const { rule, coordinate, message, location, severity, waivedBy } = finding;
  const outcome = outcomeOf(finding, strict);
  const at = location === undefined ? [] : [`At ${locationPhrase(location)}`];
  const text = escapeText([...findingLines(finding), ...at].join('\n'));
  // The name has no wording of a finding with a coordinate, so that it is the same test in the next run.
  const name = `${rule} ${toSingleLine(coordinate ?? message)}`;
  if (outcome === 'passed') return { outcome, classname, name, body: `<system-out>${text}</system-out>` };
  if (outcome === 'skipped') {
    return { outcome, classname, name, body: `<skipped${attributes({ message: waivedBy ?? '' })}/>` };
  }
  const described = attributes({ type: `${severity}: ${rule}`, message: toSingleLine(message) });
  return { outcome, classname, name, body: `<${outcome}${described}>${text}</${outcome}>` };
}

function outcomeOf(finding: Finding, strict: boolean): TestCase['outcome'] {
  if (finding.waivedBy !== undefined) return 'skipped';
  if (levelOf(finding, strict) !== 'error') return 'passed';
  return finding.severity === 'misuse' || finding.severity === 'undecided' ? 'error' : 'failure';
}

function passedCase(name: string): TestCase {
  return { outcome: 'passed', classname: 'graph', name, body: '' };
}

function suiteElement(name: string, cases: readonly TestCase[]): string {
  const skipped = String(cases.filter(({ outcome }) => outcome === 'skipped').length);
  return [
    `  <testsuite${attributes({ name, ...counts(cases), skipped })}>`,
    ...cases.map(
      ({ classname, name: caseName, body }) =>
        `    <testcase${attributes({ classname, name: caseName })}>${body}</testcase>`,
    ),
    '  </testsuite>',
  ].join('\n');
}

function counts(cases: readonly TestCase[]): Readonly<Record<'tests' | 'failures' | 'errors', string>> {
  const count = (wanted: TestCase['outcome']): string =>
    String(cases.filter(({ outcome }) => outcome === wanted).length);
  return { tests: String(cases.length), failures: count('failure'), errors: count('error') };
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`)
    .join('');
}

function escapeText(text: string): string {
  // `>` too, because text must not contain `]]>`.
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function escapeAttribute(text: string): string {
  // XML parsers turn line ends and tabs in attributes into spaces unless they are character references.
  return escapeText(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;');
}
