import fc from 'fast-check';
import type { FileLocation, Finding } from '../../../../contracts/finding.ts';
import { type ReportFormat, renderReport } from '../../../../contracts/report/renderReport.ts';
import type { RuleId } from '../../../../contracts/rules.ts';
import { codePoint } from '../../../harness/codePoint.ts';
import { reportOf } from './sampleReport.ts';

/** Texts that break formats without escaping. */
const hostileSnippets = [
  '|',
  '`',
  '```',
  '\n',
  '\r',
  '\r\n',
  '\t',
  '\0',
  '\u001B[31m',
  '\u0007',
  '\u0085',
  '\u009B',
  '\u2028',
  '\u202E',
  '\u2066',
  '\uFEFF',
  '\uFFFE',
  '\uFFFF',
  '\uD800',
  '\uDC00',
  '😀',
  '::',
  '::error::',
  '::stop-commands::x',
  '%',
  '%0A',
  ',',
  ':',
  '=',
  '<',
  '>',
  '&',
  '&amp;',
  '&#0;',
  '"',
  "'",
  ']]>',
  '<![CDATA[',
  '-->',
  '</details>',
  '</summary>',
  '<script>',
  '@key',
  '#1',
  '# ',
  '- ',
  '[x](y)',
  '![x](y)',
  '\\',
  '\\|',
  '**',
  '__',
  '~~',
  '$$',
  '\u200B',
  ' ',
] as const;

const hostileText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...hostileSnippets),
      fc.string({ unit: codePoint, maxLength: 4 }),
      fc.constant('word'),
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));

const location: fc.Arbitrary<FileLocation> = fc.record({
  file: hostileText,
  line: fc.integer({ min: 1, max: 1e6 }),
  column: fc.integer({ min: 1, max: 1e4 }),
});

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

export const hostileFinding: fc.Arbitrary<Finding> = fc.record({
  // Stranger than any rule, so that rule ids are escaped too.
  rule: hostileText.map((text) => `rule${text}` as RuleId),
  severity: fc.constantFrom('breaking', 'dangerous', 'safe', 'undecided', 'misuse'),
  message: hostileText,
  advice: optional(hostileText),
  subgraph: optional(hostileText),
  coordinate: optional(hostileText),
  location: optional(location),
  affects: optional(
    fc.array(fc.record({ consumer: hostileText, operation: hostileText, location, reason: hostileText }), {
      maxLength: 3,
    }),
  ),
  deployment: optional(
    fc.record({
      order: fc.constantFrom('subgraph first', 'gateway first', 'expand and contract'),
      steps: fc.array(hostileText, { maxLength: 3 }),
    }),
  ),
  waivedBy: optional(hostileText),
});

export const hostileFindings = fc.array(hostileFinding, { maxLength: 6 });

/** Checks a property of reports with hostile findings. */
export function holdsForHostileReports(
  format: ReportFormat,
  check: (text: string, findings: number) => void,
): void {
  fc.assert(
    fc.property(hostileFindings, fc.boolean(), (findings, strict) => {
      check(renderReport(reportOf(findings, strict), format), findings.length);
    }),
    { numRuns: 300 },
  );
}
