import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { expandEnvironment } from '../../../gateway/config/expandEnvironment.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const root = join(import.meta.dirname, '../../..');

interface Page {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

async function readPages(): Promise<Page[]> {
  const patterns = ['*.md', 'docs/**/*.md', 'subgraphs/*.md', 'bench/*.md', '.changeset/*.md'];
  const pages: Page[] = [];
  for await (const path of glob(patterns, { cwd: root })) {
    pages.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
  return pages;
}

const pages = await readPages();

/** Without code, in which brackets mean something else. */
function proseOf(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, 'code');
}

/** The names that GitHub gives to a page's headings. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Links of a page that lead nowhere. */
function brokenLinks({ path, text }: Page): string[] {
  const links = Array.from(proseOf(text).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? join(root, path) : resolve(root, dirname(path), file);
    if (!existsSync(target) || relative(root, target).startsWith('..')) return true;
    if (anchor === undefined) return false;
    const linked = pages.find((page) => join(root, page.path) === target);
    return linked === undefined || !anchorsOf(linked.text).has(anchor);
  });
}

/** Files that a page names in code without linking to them, by their path from the root or from the page, and
 *  that are not there. */
function missingFiles({ path, text }: Page): string[] {
  const named = text.matchAll(/`((?:gateway|test|scripts|docs|storefront|subgraphs)\/[\w./-]+\.\w+)`/g);
  return Array.from(named, ([, file = '']) => file).filter(
    (file) => !existsSync(join(root, file)) && !existsSync(join(root, dirname(path), file)),
  );
}

describe('the documentation', () => {
  test('is all there', () => {
    expect(pages.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/errors.md', 'docs/glossary.md']),
    );
  });

  test.each(pages.map((page) => [page.path, page] as const))(
    'has no link that leads nowhere: %s',
    (_, page) => {
      expect(brokenLinks(page)).toEqual([]);
    },
  );

  test.each(pages.map((page) => [page.path, page] as const))('names files that exist: %s', (_, page) => {
    expect(missingFiles(page)).toEqual([]);
  });
});

describe('every YAML example in the documentation', () => {
  const examples = pages.flatMap(({ path, text }) =>
    Array.from(text.matchAll(/^```ya?ml\n([\s\S]*?)^```$/gm), ([, yaml = ''], index) => ({
      name: `${path}, number ${index + 1}`,
      yaml,
    })),
  );

  test('is found', () => {
    expect(examples.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'README.md, number 1',
        'README.md, number 2',
        'docs/configuration.md, number 1',
      ]),
    );
  });

  test.each(examples.map(({ name, yaml }) => [name, yaml] as const))('is a configuration: %s', (_, yaml) => {
    const { expanded, problems } = expandEnvironment(parse(yaml), {});
    expect([...problems, ...findConfigProblems(expanded)]).toEqual([]);
  });
});

test("the README's configuration shows the defaults", () => {
  const readme = pages.find(({ path }) => path === 'README.md') as Page;
  const section = readme.text.split('## Configure it')[1] ?? '';
  const shown = parse(/^```yaml\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? '');
  expect(Object.keys(shown.subgraphs)).toEqual(['all', 'reviews']);
  delete shown.subgraphs.reviews;
  expect(parseConfig(shown)).toEqual(parseConfig({ supergraph: { file: 'supergraph.graphql' } }));
});

describe('the decisions', () => {
  const records = pages.filter(({ path }) => /^docs\/decisions\/\d{4}-/.test(path));

  test('are numbered one after the other', () => {
    const numbers = records.map(({ path }) => Number(path.slice('docs/decisions/'.length).slice(0, 4)));
    expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index));
  });

  test.each(records.map(({ path, text }) => [path, text] as const))('follow the template: %s', (_, text) => {
    expect(text).toMatch(
      /^# .+\n\nStatus: .+\. Date: [\d\-A-Z]+\.\n\n## Context\n[\s\S]+\n## Decision\n[\s\S]+\n## Alternatives\n[\s\S]+\n## Consequences\n/,
    );
  });
});
