import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { reportFormats } from '../../../contracts/report/renderReport.ts';
import { isRuleId, ruleGroups, ruleIds, ruleOf } from '../../../contracts/rules.ts';
import { severitiesWorstFirst } from '../../../contracts/severity.ts';

const root = join(import.meta.dirname, '../../..');
const page = await readFile(join(root, 'docs/contracts.md'), 'utf8');

interface DocumentedRules {
  readonly ids: readonly string[];
  readonly severities: string;
}

/** The rows of the rule table under a heading. */
function rowsUnder(heading: string): DocumentedRules[] {
  const section = page.split(`\n### ${heading}\n`)[1]?.split(/\n##/)[0] ?? '';
  return Array.from(section.matchAll(/^\| (`[^|]+) \| ([^|]*) \|/gm), ([, ids = '', severities = '']) => ({
    ids: ids.replaceAll('`', '').split(', '),
    severities,
  }));
}

describe('docs/contracts.md', () => {
  test.each([
    ['store', 'The store and the arguments'],
    ['subgraph', 'One subgraph'],
    ['graph', 'The graph, its consumers and a rollout'],
    ['drift', 'What runs'],
  ] as const)('documents every rule of the group "%s" and no other', (group, heading) => {
    const ids = rowsUnder(heading).flatMap((row) => row.ids);
    expect(ids.toSorted()).toEqual(Object.keys(ruleGroups[group]).sort());
  });

  test.each(['The store and the arguments', 'The graph, its consumers and a rollout', 'What runs'])(
    'gives every rule under "%s" the severities of the rule table',
    (heading) => {
      for (const { ids, severities } of rowsUnder(heading)) {
        const known = new Set(ids.filter(isRuleId).flatMap((id) => ruleOf(id).severity));
        const ordered = severitiesWorstFirst.filter((severity) => known.has(severity));
        expect([ids, severities]).toEqual([ids, ordered.map((severity) => `\`${severity}\``).join(', ')]);
      }
    },
  );

  test('names every rule that cannot be waived', () => {
    const paragraph = /^These findings cannot be waived:.*$/m.exec(page)?.[0] ?? '';
    const unwaivable = ruleIds.filter((id) => ruleOf(id).unwaivable !== undefined);
    expect(unwaivable.filter((id) => !paragraph.includes(`\`${id}\``))).toEqual([]);
  });

  test('has every report format', () => {
    const table = page.split('\n## Reports\n')[1]?.split('\n## ')[0] ?? '';
    expect(Array.from(table.matchAll(/^\| `(\w+)` \|/gm), ([, format]) => format)).toEqual(
      expect.arrayContaining([...reportFormats]),
    );
  });
});

describe('the rule table', () => {
  test.each(ruleIds.map((id) => [id, ruleOf(id).advice] as const))(
    '%s is in kebab case, and its advice is a sentence',
    (id, advice) => {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      if (advice !== undefined) expect(advice).toMatch(/^[A-Z].*\.$/);
    },
  );
});

describe('an example for CI', () => {
  const commandIn = async (file: string, steps: (parsed: unknown) => string[]): Promise<string> => {
    const all = steps(parse(await readFile(join(root, file), 'utf8')));
    return all.find((step) => step.includes('tributary contracts check')) ?? '';
  };

  test.each<[string, (parsed: never) => string[]]>([
    [
      '.github/workflows/contracts.yml',
      ({ jobs }: { jobs: { check: { steps: { run?: string }[] } } }) =>
        jobs.check.steps.map(({ run = '' }) => run),
    ],
    [
      'docs/examples/gitlab-ci-contracts.yml',
      ({ contracts }: { contracts: { script: string[] } }) => contracts.script,
    ],
  ])('uses existing report formats: %s', async (file, steps) => {
    const command = await commandIn(file, steps as (parsed: unknown) => string[]);
    const formats = Array.from(command.matchAll(/--format (\S+)/g), ([, format]) => format);
    expect(formats.length).toBeGreaterThan(1);
    expect(formats.filter((format) => !reportFormats.some((known) => known === format))).toEqual([]);
  });
});
