import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormatsModule from 'ajv-formats';
import fc from 'fast-check';
import type { Finding } from '../../../../contracts/finding.ts';
import { renderReport } from '../../../../contracts/report/renderReport.ts';
import { childElements, parseXml, textOf, type XmlElement } from '../../../harness/xml.ts';
import { findSchemaProblems } from '../../../harness/xmlSchema.ts';
import { holdsForHostileReports, hostileFinding } from './hostileFindings.ts';
import {
  emptyReport,
  everything,
  removedField,
  reportOf,
  swappedKeys,
  unreachableSubgraph,
  widenedRequires,
} from './sampleReport.ts';

const readFixture = (file: string): Promise<string> =>
  readFile(join(import.meta.dirname, '../../../fixtures/report', file), 'utf8');

// The schema has draft 4, but uses only what draft 7 understands, except for the names of its ids.
const { $schema: _, id: __, ...sarifSchema } = JSON.parse(await readFixture('sarif-schema-2.1.0.json'));
const isSarif = addFormatsModule.default(new Ajv({ allErrors: true, strict: false })).compile(sarifSchema);
const junitSchema = parseXml(await readFixture('junit-10.xsd'));

describe('format junit', () => {
  const casesOf = (suites: XmlElement): XmlElement[] => childElements(suites).flatMap(childElements);

  test('matches the schema of the format', () => {
    expect(findSchemaProblems(parseXml(renderReport(everything, 'junit')), junitSchema)).toEqual([]);
    expect(findSchemaProblems(parseXml(renderReport(emptyReport, 'junit')), junitSchema)).toEqual([]);
    holdsForHostileReports('junit', (text) => {
      expect(findSchemaProblems(parseXml(text), junitSchema)).toEqual([]);
    });
  });

  test('the schema refuses values that are not reports', () => {
    const problems = (xml: string): string[] => findSchemaProblems(parseXml(xml), junitSchema);
    const counts = 'tests="1" failures="0" errors="0"';
    expect(problems('<testsuite name="a"/>')).toEqual([
      '/testsuite: attribute missing: tests',
      '/testsuite: attribute missing: failures',
      '/testsuite: attribute missing: errors',
    ]);
    expect(problems(`<testsuite name="a" ${counts} time="soon"><failure/>x</testsuite>`)).toEqual([
      '/testsuite: text is not allowed',
      '/testsuite: wrong: soon',
      '/testsuite/failure[0]: not allowed here',
    ]);
    expect(problems(`<testsuites place="1"><testcase name="a"/></testsuites>`)).toEqual([
      '/testsuites: no such attribute: place',
      '/testsuites/testcase[0]: not allowed here',
    ]);
  });

  test('distinguishes failures, errors, skipped and passed test cases', () => {
    const suites = parseXml(renderReport(everything, 'junit'));
    expect(Object.fromEntries(suites.attributes)).toEqual({
      name: 'contracts',
      tests: '6',
      failures: '1',
      errors: '2',
    });
    const outcomes = casesOf(suites).map((item) => [
      item.attributes.get('classname'),
      item.attributes.get('name'),
      childElements(item)[0]?.name,
    ]);
    expect(outcomes).toEqual([
      ['graph', 'waiver-incomplete The waiver has no owner.', 'error'],
      ['reviews', 'field-removed Review.body', 'failure'],
      ['reviews', 'field-removed Review.title', 'skipped'],
      ['accounts', 'subgraph-unreachable accounts does not answer.', 'error'],
      ['inventory', 'requires-widened Product.shippingEstimate', 'system-out'],
      ['products', 'deprecation-reason-changed Product', 'system-out'],
    ]);
    const [failure] = casesOf(suites)
      .flatMap(childElements)
      .filter(({ name }) => name === 'failure');
    expect(textOf(failure!)).toBe(`The field \`Review.body\` was removed.
Breaks or worsens storefront/ProductPage (contracts/operations/storefront/productPage.graphql:4:7): selects it
Deploy expand and contract:
1. Deploy the new field.
2. Remove the old one.
What to do: Deprecate it, and remove it when no operation selects it any more.
At contracts/schemas/reviews.graphql:12:3`);
  });

  test('reports a dangerous finding as a failure when the check is strict', () => {
    const suites = parseXml(renderReport(reportOf([widenedRequires], true), 'junit'));
    expect(suites.attributes.get('failures')).toBe('1');
  });

  test('is one passed test case when there are no findings', () => {
    const suites = parseXml(renderReport(emptyReport, 'junit'));
    expect(casesOf(suites).map(({ attributes, children }) => [attributes.get('name'), children])).toEqual([
      ['Nothing breaks: there are no findings.', []],
    ]);
  });

  test('preserves the text of messages', () => {
    const message = 'a <b> & "c" ]]> d\n\te';
    const suites = parseXml(renderReport(reportOf([{ ...unreachableSubgraph, message }]), 'junit'));
    expect(textOf(childElements(casesOf(suites)[0]!)[0]!)).toBe(message);
  });
});

describe('format sarif', () => {
  test('matches the schema of the format', () => {
    expect(isSarif(JSON.parse(renderReport(everything, 'sarif'))) || isSarif.errors).toBe(true);
    expect(isSarif(JSON.parse(renderReport(emptyReport, 'sarif'))) || isSarif.errors).toBe(true);
    holdsForHostileReports('sarif', (text) => {
      expect(isSarif(JSON.parse(text)) || isSarif.errors).toBe(true);
    });
  });

  test('the schema refuses values that are not reports', () => {
    const log = JSON.parse(renderReport(everything, 'sarif'));
    expect(isSarif({ ...log, version: '2.0.0' })).toBe(false);
    const [run] = log.runs;
    const wrong = { ...run.results[0].locations[0].physicalLocation, artifactLocation: { uri: 'a b' } };
    expect(isSarif({ ...log, runs: [{ ...run, results: [{ message: {}, locations: [wrong] }] }] })).toBe(
      false,
    );
  });

  test('has location, level, affected operations and suppression of each finding', () => {
    const { results, tool } = JSON.parse(renderReport(everything, 'sarif')).runs[0];
    expect(results.map((result: Record<string, unknown>) => [result.ruleId, result.level])).toEqual([
      ['waiver-incomplete', 'error'],
      ['field-removed', 'error'],
      ['subgraph-unreachable', 'error'],
      ['requires-widened', 'warning'],
      ['deprecation-reason-changed', 'note'],
      ['field-removed', 'note'],
    ]);
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex].id).toBe(ruleId);
    expect(results[1]).toMatchObject({
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'contracts/schemas/reviews.graphql', uriBaseId: '%SRCROOT%' },
            region: { startLine: 12, startColumn: 3 },
          },
          logicalLocations: [{ fullyQualifiedName: 'Review.body' }],
        },
      ],
      relatedLocations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'contracts/operations/storefront/productPage.graphql' },
            region: { startLine: 4, startColumn: 7 },
          },
        },
      ],
    });
    expect(results[2].locations).toEqual([
      { physicalLocation: { artifactLocation: { uri: 'contracts', uriBaseId: '%SRCROOT%' } } },
    ]);
    expect(results[5].suppressions).toEqual([
      { kind: 'external', status: 'accepted', justification: 'contracts/waivers.yaml:7, until 2027-01-31' },
    ]);
  });

  test('says so when there are no findings', () => {
    const [run] = JSON.parse(renderReport(emptyReport, 'sarif')).runs;
    expect(run.results).toEqual([]);
    expect(run.invocations).toEqual([
      {
        executionSuccessful: true,
        exitCode: 0,
        exitCodeDescription:
          'Nothing breaks: there are no findings. 4 subgraphs, 1 consumer, 12 operations checked.',
      },
    ]);
  });

  test.each([
    ['./schemas/a b.graphql', { uri: 'schemas/a%20b.graphql', uriBaseId: '%SRCROOT%' }],
    ['schemas\\a.graphql', { uri: 'schemas/a.graphql', uriBaseId: '%SRCROOT%' }],
    ['/srv/a#b.graphql', { uri: 'file:///srv/a%23b.graphql' }],
    ['C:\\srv\\a.graphql', { uri: 'file:///C:/srv/a.graphql' }],
  ])('writes the path %s as a URI', (file, artifactLocation) => {
    const finding = { ...unreachableSubgraph, location: { file, line: 1, column: 1 } };
    const [run] = JSON.parse(renderReport(reportOf([finding]), 'sarif')).runs;
    expect(run.results[0].locations[0].physicalLocation.artifactLocation).toEqual(artifactLocation);
  });
});

test('formats for platforms give a location in a running subgraph in the message, because they show only files', () => {
  const file = 'http://127.0.0.1:4001/graphql';
  const report = reportOf([{ ...unreachableSubgraph, location: { file, line: 3, column: 1 } }]);
  const [run] = JSON.parse(renderReport(report, 'sarif')).runs;
  const [issue] = JSON.parse(renderReport(report, 'gitlab'));
  const [annotation] = renderReport(report, 'github').split('\n');
  expect([run.results[0].locations, issue.location]).toEqual([
    [{ physicalLocation: { artifactLocation: { uri: 'contracts', uriBaseId: '%SRCROOT%' } } }],
    { path: 'contracts', lines: { begin: 1 } },
  ]);
  expect(annotation).toMatch(/^::error title=undecided/);
  for (const text of [run.results[0].message.text, issue.description, annotation])
    expect(text).toMatch(/At http:\/\/127\.0\.0\.1:4001\/graphql:3:1$/);
});

test('formats for platforms give the path of a file at a revision without the revision, which is in the message', () => {
  const location = { file: 'HEAD:contracts/schemas/accounts.graphql', line: 1, column: 1 };
  const report = reportOf([{ ...unreachableSubgraph, rule: 'subgraph-removed', location }]);
  const [run] = JSON.parse(renderReport(report, 'sarif')).runs;
  const [issue] = JSON.parse(renderReport(report, 'gitlab'));
  const [annotation] = renderReport(report, 'github').split('\n');
  expect([run.results[0].locations[0].physicalLocation.artifactLocation.uri, issue.location.path]).toEqual([
    'contracts/schemas/accounts.graphql',
    'contracts/schemas/accounts.graphql',
  ]);
  expect(annotation).toMatch(/^::error file=contracts\/schemas\/accounts\.graphql,line=1,col=1,/);
  for (const text of [run.results[0].message.text, issue.description, annotation])
    expect(text).toMatch(/At HEAD:contracts\/schemas\/accounts\.graphql:1:1$/);
});

describe('format github', () => {
  test('names ten affected operations, because GitHub cuts long messages before the advice', () => {
    const affects = Array.from({ length: 500 }, (_, index) => ({
      consumer: 'storefront',
      operation: `Page${index}`,
      location: { file: 'contracts/operations/storefront/page.graphql', line: index + 1, column: 1 },
      reason: 'selects it',
    }));
    const [annotation = ''] = renderReport(reportOf([{ ...removedField, affects }]), 'github').split('\n');
    const lines = annotation.split('%0A');
    expect(lines.filter((line) => line.startsWith('Breaks'))).toHaveLength(10);
    expect(lines.slice(11)).toEqual([
      'and 490 more operations',
      'Deploy expand and contract:',
      '1. Deploy the new field.',
      '2. Remove the old one.',
      'What to do: Deprecate it, and remove it when no operation selects it any more.',
    ]);
  });

  test('annotates the location and escapes workflow command syntax', () => {
    const finding: Finding = {
      ...unreachableSubgraph,
      severity: 'breaking',
      message: '100 % a:b, c\n::error::d',
      coordinate: 'Query.a(b:)',
      location: { file: '/con,tracts/a:b%.graphql', line: 7, column: 2 },
    };
    expect(renderReport(reportOf([finding]), 'github')).toBe(
      `::error file=/con%2Ctracts/a%3Ab%25.graphql,line=7,col=2,title=breaking%3A subgraph-unreachable Query.a(b%3A) (accounts)::100 %25 a:b, c%0A::error::d
::error title=contracts::Something breaks. 1 breaking; 4 subgraphs, 1 consumer, 12 operations checked.
`,
    );
  });

  test('distinguishes errors, warnings and notices', () => {
    const lines = renderReport(everything, 'github').trimEnd().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      '::error',
      '::error',
      '::error',
      '::warning',
      '::notice',
      '::notice',
      '::error',
    ]);
  });

  test('says so when there are no findings', () => {
    expect(renderReport(emptyReport, 'github')).toBe(
      '::notice title=contracts::Nothing breaks: there are no findings. 4 subgraphs, 1 consumer, 12 operations checked.\n',
    );
  });

  test('has one command per line, even if messages contain line breaks', () => {
    const shape =
      /^::(error|warning|notice) (file=[^:,\n]*,line=\d+,col=\d+,)?title=[^:,\n]*::(?:[^%\r\n]|%25|%0D|%0A)*$/;
    holdsForHostileReports('github', (text, count) => {
      const lines = text.trimEnd().split('\n');
      expect(lines).toHaveLength(count + 1);
      for (const line of lines) expect(line).toMatch(shape);
    });
  });
});

describe('format markdown', () => {
  test('has a table of counts and folds findings by severity', () => {
    expect(renderReport(reportOf([removedField, swappedKeys]), 'markdown')).toBe(`<!-- tributary contracts -->
### Contracts: Something breaks.

| Finding | Count |
| --- | --- |
| misuse | 0 |
| breaking | 1 |
| undecided | 0 |
| dangerous | 0 |
| safe | 1 |
| waived | 0 |

1 breaking, 1 safe; 4 subgraphs, 1 consumer, 12 operations checked.

<details open><summary>Breaking</summary>

- **field-removed · Review.body · in reviews · contracts/schemas/reviews.graphql:12:3**<br>The field \`Review.body\` was removed.
  - affects storefront/ProductPage (contracts/operations/storefront/productPage.graphql:4:7): selects it
  - deploy expand and contract
    1. Deploy the new field.
    2. Remove the old one.
  - to do: Deprecate it, and remove it when no operation selects it any more.

</details>

<details><summary>Safe</summary>

- **deprecation-reason-changed · Product · in products · contracts/schemas/products.graphql:1:1**<br>A deprecation reason changed.

</details>
`);
  });

  test('says so when there are no findings', () => {
    const text = renderReport(emptyReport, 'markdown');
    expect(text).toContain('### Contracts: Nothing breaks: there are no findings.\n');
    expect(text).not.toContain('<details');
  });

  test('mentions no users and no issues', () => {
    const finding = { ...unreachableSubgraph, message: 'See @key, `@key` and #12.' };
    expect(renderReport(reportOf([finding]), 'markdown')).toContain(
      'See @&#8203;key, `@key` and \\#&#8203;12.',
    );
  });

  test('has a fixed line structure, even if messages contain line breaks', () => {
    const line =
      /^(<!-- tributary contracts -->|### Contracts: [^<|]*|\| [\w-]+ \| [\w-]+ \||<details( open)?><summary>[\w ]+<\/summary>|<\/details>|- \*\*(?<heading>.+)\*\*<br>(?<message>.*)| {2}(?:-| {2}\d+\.) (?<detail>.*)|[\w ,;]+\.|)$/;
    // Characters with a meaning in Markdown are escaped.
    const shown = /^(?:[^\\`*_[\]<>|~&$#@]|\\[\\`*_[\]<>|~&$]|(?:@|\\#)&#8203;|`[\w.@(),:"' -]+`)*$/;
    holdsForHostileReports('markdown', (text) => {
      for (const each of text.split('\n')) {
        const match = line.exec(each);
        expect([each, match === null]).toEqual([each, false]);
        const { heading = '', message = '', detail = '' } = match?.groups ?? {};
        for (const part of [heading, message, detail]) expect(part).toMatch(shown);
      }
    });
  });

  test('stays below the size limit of a comment and counts omitted findings', () => {
    fc.assert(
      fc.property(hostileFinding, fc.integer({ min: 1, max: 3_000 }), (finding, repeats) => {
        const findings = Array.from({ length: repeats }, () => finding);
        const text = renderReport(reportOf(findings), 'markdown');
        expect(text.length).toBeLessThanOrEqual(65_536);
        expect(text.split('<details').length).toBe(text.split('</details>').length);
        const listed = text.match(/^- \*\*/gm)?.length ?? 0;
        const omitted = Number(/^(\d+) more findings exceed the size limit/m.exec(text)?.[1] ?? 0);
        expect(listed + omitted).toBe(repeats);
      }),
      { numRuns: 20 },
    );
  });

  test('limits the length of a single finding', () => {
    const affects = Array.from({ length: 500 }, () => removedField.affects![0]!);
    const finding = { ...removedField, affects, message: `${'x'.repeat(998)}😀${'y'.repeat(90_000)}` };
    const text = renderReport(reportOf([finding]), 'markdown');
    expect(text).toContain(`${'x'.repeat(998)}…\n`);
    expect(text).toContain('  - and 480 more operations\n');
  });
});

describe('format gitlab', () => {
  const issuesOf = (findings: readonly Finding[], strict = false): Record<string, unknown>[] =>
    JSON.parse(renderReport(reportOf(findings, strict), 'gitlab'));

  test('is a list of code quality issues', () => {
    expect(issuesOf([swappedKeys, unreachableSubgraph])).toEqual([
      {
        description: 'accounts does not answer.',
        check_name: 'subgraph-unreachable',
        fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
        severity: 'critical',
        location: { path: 'contracts', lines: { begin: 1 } },
      },
      {
        description: 'A deprecation reason changed.',
        check_name: 'deprecation-reason-changed',
        fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
        severity: 'info',
        location: { path: 'contracts/schemas/products.graphql', lines: { begin: 1 } },
      },
    ]);
  });

  test('is an empty list when there are no findings', () => {
    expect(renderReport(emptyReport, 'gitlab')).toBe('[]\n');
  });

  test('keeps the fingerprint of a finding that has moved or been reworded', () => {
    const location = { file: removedField.location!.file, line: 99, column: 1 };
    const [before] = issuesOf([removedField]);
    const [after] = issuesOf([{ ...removedField, location, message: 'Review.body is gone.' }]);
    expect(after!.fingerprint).toBe(before!.fingerprint);
  });

  test.each<[string, Partial<Finding>]>([
    ['rule', { rule: 'field-type-changed' }],
    ['subgraph', { subgraph: 'products' }],
    ['coordinate', { coordinate: 'Review.title' }],
    ['file', { location: { file: 'other.graphql', line: 12, column: 3 } }],
  ])('gives findings that differ in %s different fingerprints', (_, difference) => {
    const [one] = issuesOf([removedField]);
    const [other] = issuesOf([{ ...removedField, ...difference }]);
    expect(other!.fingerprint).not.toBe(one!.fingerprint);
  });

  test('gives every finding a unique fingerprint', () => {
    holdsForHostileReports('gitlab', (text, count) => {
      const issues: { fingerprint: string }[] = JSON.parse(text);
      expect(new Set(issues.map(({ fingerprint }) => fingerprint)).size).toBe(count);
    });
    const twice = issuesOf([removedField, removedField]);
    expect(new Set(twice.map(({ fingerprint }) => fingerprint)).size).toBe(2);
  });

  test('reports a dangerous finding as a blocker when the check is strict', () => {
    expect(issuesOf([widenedRequires])[0]!.severity).toBe('major');
    expect(issuesOf([widenedRequires], true)[0]!.severity).toBe('blocker');
  });
});
