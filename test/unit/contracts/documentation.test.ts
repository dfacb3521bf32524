import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { reportFormats } from '../../../contracts/report/renderReport.ts';
import { ruleNames } from '../../../contracts/ruleNames.ts';

const root = join(import.meta.dirname, '../../..');
const page = await readFile(join(root, 'docs/contracts.md'), 'utf8');
const section = page.split('\n## Rules\n')[1]?.split('\n## ')[0] ?? '';
/** What stands in the first column. */
const documented = Array.from(section.matchAll(/^\| (`[^|]+) \|/gm), ([, cell = '']) => cell)
  .flatMap((cell) => cell.split(', '))
  .map((id) => id.replaceAll('`', ''));

/** Ids that stand in the code as they are; those of the diff are in `diffRules`. */
async function rulesInCode(): Promise<Set<string>> {
  const rules = new Set<string>();
  for await (const path of glob('gateway/contracts/**/*.ts', { cwd: root })) {
    if (path.startsWith('gateway/contracts/diff/')) continue;
    const text = await readFile(join(root, path), 'utf8');
    for (const [, rule = ''] of text.matchAll(/\brule: '([a-z-]+)'/g)) rules.add(rule);
  }
  return rules;
}

describe('docs/contracts.md', () => {
  test('has every rule', async () => {
    const rules = await rulesInCode();
    expect([...rules]).toEqual(expect.arrayContaining(['store-missing', 'composition-error']));
    expect([...rules].filter((rule) => !ruleNames.includes(rule))).toEqual([]);
    expect(ruleNames.filter((rule) => !documented.includes(rule))).toEqual([]);
  });

  test('has every format', () => {
    const table = page.split('\n## Reports\n')[1]?.split('\n## ')[0] ?? '';
    expect(Array.from(table.matchAll(/^\| `(\w+)` \|/gm), ([, format]) => format)).toEqual(
      expect.arrayContaining([...reportFormats]),
    );
  });
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
  ])('asks for formats that there are: %s', async (file, steps) => {
    const command = await commandIn(file, steps as (parsed: unknown) => string[]);
    const formats = Array.from(command.matchAll(/--format (\S+)/g), ([, format]) => format);
    expect(formats.length).toBeGreaterThan(1);
    expect(formats.filter((format) => !reportFormats.some((known) => known === format))).toEqual([]);
  });
});
