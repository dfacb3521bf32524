import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Finding } from '../../../../contracts/finding.ts';
import type { CheckScope } from '../../../../contracts/report/checkReport.ts';
import { createReport } from '../../../../contracts/report/createReport.ts';
import { type ReportFormat, renderReport, reportFormats } from '../../../../contracts/report/renderReport.ts';
import { parseXml } from '../../../harness/xml.ts';
import { holdsForHostileReports } from './hostileFindings.ts';
import {
  allFindings,
  emptyReport,
  everything,
  namelessWaiver,
  removedField,
  reportOf,
  swappedKeys,
  unreachableSubgraph,
  waivedRemoval,
  widenedRequires,
} from './sampleReport.ts';

const root = join(import.meta.dirname, '../../../..');

const isReport = new Ajv2020({ allErrors: true }).compile(
  JSON.parse(await readFile(join(root, 'docs/contracts-report.schema.json'), 'utf8')),
);

const sameFor = (format: ReportFormat, findings: readonly Finding[]): string =>
  renderReport(reportOf(findings), format);

// A control character except tab and line feed, or an unpaired surrogate.
const unfit = /(?![\t\n])\p{Cc}|\p{Cs}/u;

describe('every format', () => {
  test.each(reportFormats)('does not depend on the order of the findings: %s', (format) => {
    expect(sameFor(format, allFindings.toReversed())).toBe(sameFor(format, allFindings));
  });

  test.each(reportFormats)('has no control characters and ends with a line end: %s', (format) => {
    holdsForHostileReports(format, (text) => {
      expect(text).not.toMatch(unfit);
      expect(text.endsWith('\n')).toBe(true);
    });
  });
});

describe('format text', () => {
  test('shows the worst findings first, with all their details', () => {
    expect(renderReport(everything, 'text')).toBe(`misuse  waiver-incomplete
  at contracts/waivers.yaml:3:1
  The waiver has no owner.

breaking  field-removed  reviews  Review.body
  at contracts/schemas/reviews.graphql:12:3
  The field \`Review.body\` was removed.
  affects  storefront/ProductPage (contracts/operations/storefront/productPage.graphql:4:7): selects it
  deploy   expand and contract
           1. Deploy the new field.
           2. Remove the old one.
  to do    Deprecate it, and remove it when no operation selects it any more.

undecided  subgraph-unreachable  accounts
  accounts does not answer.

dangerous  requires-widened  inventory  Product.shippingEstimate
  at contracts/schemas/inventory.graphql:8:5
  \`@requires\` asks for more: "price weight".

safe  deprecation-reason-changed  products  Product
  at contracts/schemas/products.graphql:1:1
  A deprecation reason changed.

waived (breaking)  field-removed  reviews  Review.title
  at contracts/schemas/reviews.graphql:12:3
  The field \`Review.title\` was removed.
  affects  storefront/ProductPage (contracts/operations/storefront/productPage.graphql:4:7): selects it
  deploy   expand and contract
           1. Deploy the new field.
           2. Remove the old one.
  to do    Deprecate it, and remove it when no operation selects it any more.
  waived   contracts/waivers.yaml:7, until 2027-01-31

The contracts or the arguments have mistakes: correct them and check again. 1 misuse, 1 breaking, 1 undecided, 1 dangerous, 1 safe, 1 waived; 4 subgraphs, 1 consumer, 12 operations checked.
`);
  });

  test('says so when there are no findings', () => {
    expect(renderReport(emptyReport, 'text')).toBe(
      'Nothing breaks: there are no findings. 4 subgraphs, 1 consumer, 12 operations checked.\n',
    );
  });

  test('has colours only on request, with the same text', () => {
    const coloured = renderReport(everything, 'text', { color: true });
    expect(coloured).toContain('\u001B[31mbreaking\u001B[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are made of them.
    expect(coloured.replaceAll(/\u001B\[\d+m/g, '')).toBe(renderReport(everything, 'text'));
  });

  test('indents every line of a finding except its heading', () => {
    holdsForHostileReports('text', (text, count) => {
      const headings = text.split('\n').filter((line) => /^\S/.test(line));
      expect(headings).toHaveLength(count + 1);
    });
  });
});

describe('format json', () => {
  test('matches the published JSON schema', () => {
    expect(isReport(JSON.parse(renderReport(everything, 'json'))) || isReport.errors).toBe(true);
    expect(isReport(JSON.parse(renderReport(emptyReport, 'json'))) || isReport.errors).toBe(true);
    holdsForHostileReports('json', (text) => {
      expect(isReport(JSON.parse(text)) || isReport.errors).toBe(true);
    });
  });

  test('contains every finding unchanged', () => {
    expect(JSON.parse(renderReport(everything, 'json')).findings).toEqual([
      namelessWaiver,
      removedField,
      unreachableSubgraph,
      widenedRequires,
      swappedKeys,
      waivedRemoval,
    ]);
  });

  test('says so when there are no findings', () => {
    expect(JSON.parse(renderReport(emptyReport, 'json'))).toEqual({
      version: 1,
      summary: {
        verdict: 'passed',
        exitCode: 0,
        strict: false,
        counts: { misuse: 0, breaking: 0, undecided: 0, dangerous: 0, safe: 0 },
        waived: 0,
        checked: { directory: 'contracts', subgraphs: 4, consumers: 1, operations: 12 },
      },
      findings: [],
    });
  });

  test('the schema refuses values that are not reports', () => {
    const report = JSON.parse(renderReport(everything, 'json'));
    expect(isReport({ ...report, version: 2 })).toBe(false);
    expect(isReport({ ...report, findings: [{ ...removedField, severity: 'bad' }] })).toBe(false);
    expect(
      isReport({ ...report, findings: [{ ...removedField, location: { file: 'a', line: 0, column: 1 } }] }),
    ).toBe(false);
  });
});

describe('the summary of a report', () => {
  const summaryOf = (more: Partial<CheckScope>, format: ReportFormat, findings: Finding[] = []) => {
    const checked = { directory: 'contracts', subgraphs: 4, consumers: 1, operations: 12, ...more };
    return renderReport(createReport({ findings, strict: false, checked }), format);
  };

  test.each<ReportFormat>(['text', 'junit', 'sarif', 'github', 'markdown'])(
    'says what was compared and how many subgraphs differ: %s',
    (format) => {
      const unchanged = { baselines: ['revision HEAD'], changedSubgraphs: 0 };
      expect(summaryOf(unchanged, format)).toContain(
        '12 operations checked against revision HEAD, from which no subgraph differs',
      );
      const changed = { baselines: ['production', 'production with a v2'], changedSubgraphs: 2 };
      expect(summaryOf(changed, format, [removedField])).toContain(
        'checked against production, production with a v2, from which 2 subgraphs differ',
      );
    },
  );

  test.each<ReportFormat>(['text', 'junit', 'sarif', 'github', 'markdown'])(
    'does not say that nothing breaks when the store has no operations: %s',
    (format) => {
      expect(summaryOf({ consumers: 0, operations: 0 }, format)).toContain(
        'Nothing breaks that is known: the store has no operations of clients.',
      );
    },
  );

  test('is a valid comment in junit when the name of the baseline has two hyphens', () => {
    const report = summaryOf({ baselines: ['a---b'], changedSubgraphs: 1 }, 'junit');
    expect(report).toContain('against a- - -b, from which 1 subgraph differs');
    expect(() => parseXml(report)).not.toThrow();
  });

  test('follows the schema of JSON reports with its baselines', () => {
    const checked = { baselines: ['revision HEAD'], changedSubgraphs: 1 };
    expect(isReport(JSON.parse(summaryOf(checked, 'json')))).toBe(true);
    expect(isReport(JSON.parse(summaryOf({ ...checked, changedSubgraphs: -1 }, 'json')))).toBe(false);
  });
});

describe('the exit code of a report', () => {
  const checked = { directory: 'contracts', subgraphs: 1, consumers: 0, operations: 0 };

  test.each<[string, Finding[], boolean, number]>([
    ['nothing', [], false, 0],
    ['what is safe', [swappedKeys], true, 0],
    ['what is dangerous', [widenedRequires], false, 0],
    ['what is dangerous, strictly', [widenedRequires], true, 1],
    ['what is waived', [waivedRemoval], true, 0],
    ['what breaks', [removedField], false, 1],
    ['what breaks, where not everything is known', [removedField, unreachableSubgraph], false, 1],
    ['what could not be found out', [unreachableSubgraph], false, 3],
    ['mistakes beside everything else', [removedField, unreachableSubgraph, namelessWaiver], false, 2],
  ])('for %s', (_, findings, strict, exitCode) => {
    expect(createReport({ findings, strict, checked }).summary.exitCode).toBe(exitCode);
  });
});
