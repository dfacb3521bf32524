import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { expandEnvironment } from '../../../gateway/config/expandEnvironment.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import { hasContractStore } from '../../../gateway/contracts/storeProbe.ts';

const root = join(import.meta.dirname, '../../..');

interface Page {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly text: string;
}

async function readPages(): Promise<Page[]> {
  const patterns = [
    '*.md',
    'docs/**/*.md',
    'subgraphs/*.md',
    'storefront/*.md',
    'bench/*.md',
    '.changeset/*.md',
  ];
  const pages: Page[] = [];
  for await (const path of glob(patterns, { cwd: root })) {
    pages.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
  return pages;
}

const pages = await readPages();

/** The text without code, in which brackets are not links. */
function proseOf(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, 'code');
}

/** The anchors that GitHub generates for the headings of a page. */
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

/** Links of a page whose file or anchor does not exist. */
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

/** Paths in code, relative to the root or the page, whose files do not exist. */
function missingFiles({ path, text }: Page): string[] {
  const named = text.matchAll(
    /`((?:gateway|contracts|test|scripts|docs|storefront|subgraphs|bench|deploy)\/[\w./-]+\.\w+)`/g,
  );
  return Array.from(named, ([, file = '']) => file).filter(
    (file) => !existsSync(join(root, file)) && !existsSync(join(root, dirname(path), file)),
  );
}

describe('the documentation', () => {
  test('includes the main pages', () => {
    expect(pages.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/errors.md', 'docs/glossary.md']),
    );
  });

  test.each(pages.map((page) => [page.path, page] as const))(
    'has only links to existing files and anchors: %s',
    (_, page) => {
      expect(brokenLinks(page)).toEqual([]);
    },
  );

  test.each(pages.map((page) => [page.path, page] as const))('names only existing files: %s', (_, page) => {
    expect(missingFiles(page)).toEqual([]);
  });
});

describe('commands in the documentation', () => {
  const commands = pages.flatMap(({ path, text }) =>
    Array.from(text.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, block = '']) => block)
      .flatMap((block) => block.replaceAll('\\\n', '').split('\n'))
      .map((command) => ({ path, command })),
  );

  // `tributary` is not on the path of a clone, and the machine's own Node may not run TypeScript.
  test('start the tributary command and TypeScript files with npx or npm', () => {
    expect(commands.map(({ command }) => command)).toContain(
      'npx tributary serve --supergraph supergraph.graphql',
    );
    expect(
      commands.filter(({ command }) =>
        /^(node (?!scripts\/bootstrap\.mjs)|tributary (?!contracts))/.test(command),
      ),
    ).toEqual([]);
  });

  test('name npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const named = pages
      .filter(({ path }) => !path.startsWith('.changeset/'))
      .flatMap(({ text }) => Array.from(text.matchAll(/\bnpm run ([\w:]+)/g), ([, name = '']) => name));
    expect(named).toContain('subgraphs');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('name products that the demo has', async () => {
    const file = join(root, 'subgraphs/shared/generated/products.json');
    const { products } = JSON.parse(await readFile(file, 'utf8')) as { products: { id: string }[] };
    const ids = new Set(products.map(({ id }) => id));
    const named = commands.flatMap(({ path, command }) =>
      Array.from(
        command.matchAll(/product\(id: \\?"(\w+)|"Product", *"id": *"(\w+)|type=Product&id=(\w+)/g),
        ([, argument, key, parameter]) => ({ path, id: argument ?? key ?? parameter ?? '' }),
      ),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter(({ id }) => !ids.has(id))).toEqual([]);
  });
});

describe('YAML examples in the documentation', () => {
  const examples = pages.flatMap(({ path, text }) =>
    Array.from(text.matchAll(/^```ya?ml\n([\s\S]*?)^```$/gm), ([, yaml = ''], index) => ({
      name: `${path}, number ${index + 1}`,
      yaml,
    })),
  );

  test('are found', () => {
    expect(examples.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'README.md, number 1',
        'README.md, number 2',
        'docs/configuration.md, number 1',
      ]),
    );
  });

  test.each(examples.map(({ name, yaml }) => [name, yaml] as const))(
    'are valid configurations: %s',
    (_, yaml) => {
      // Secrets of examples have no defaults.
      const env = { GATEWAY_KEY: 'key', SIGNING_SECRET: 'secret' };
      const { expanded, problems } = expandEnvironment(parse(yaml), env);
      expect([...problems, ...findConfigProblems(expanded)]).toEqual([]);
    },
  );
});

test('the gateway of two subgraphs in README.md has no contracts of another graph to guard in this repository', async () => {
  const readme = pages.find(({ path }) => path === 'README.md') as Page;
  const section = readme.text.split('## Serve your own supergraph')[1] ?? '';
  const { contracts } = parseConfig(parse(/^```yaml\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? ''));
  expect(await hasContractStore(join(root, contracts.directory))).toBe(false);
  // The demo's own configuration has a store.
  expect(await hasContractStore(join(root, 'contracts/demo'))).toBe(true);
});

test('the configuration in README.md shows the default values', () => {
  const readme = pages.find(({ path }) => path === 'README.md') as Page;
  const section = readme.text.split('## Configure it')[1] ?? '';
  const shown = parse(/^```yaml\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? '');
  expect(Object.keys(shown.subgraphs)).toEqual(['all', 'reviews']);
  delete shown.subgraphs.reviews;
  expect(parseConfig(shown)).toEqual(parseConfig({ supergraph: { file: 'supergraph.graphql' } }));
});

describe('the decision records', () => {
  const records = pages.filter(({ path }) => /^docs\/decisions\/\d{4}-/.test(path));

  test('have consecutive numbers', () => {
    const numbers = records.map(({ path }) => Number(path.slice('docs/decisions/'.length).slice(0, 4)));
    expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index));
  });

  test.each(records.map(({ path, text }) => [path, text] as const))('follow the template: %s', (_, text) => {
    expect(text).toMatch(
      /^# .+\n\nStatus: .+\. Date: [\d\-A-Z]+\.\n\n## Context\n[\s\S]+\n## Decision\n[\s\S]+\n## Alternatives\n[\s\S]+\n## Consequences\n/,
    );
  });
});
