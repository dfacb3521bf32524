import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { transform } from 'esbuild';
import { parse as parseGraphql } from 'graphql';
import { parse } from 'yaml';
import { createConfigJsonSchema } from '../../../gateway/config/configJsonSchema.ts';
import { expandReferences } from '../../../gateway/config/expandReferences.ts';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';
import { generateProducts } from '../../../subgraphs/shared/generate.ts';
import { codeBlocksOf, fileNameOf, type Page, readPages } from '../../harness/documentation.ts';

const root = join(import.meta.dirname, '../../..');

const pages = await readPages();
const blocks = pages.flatMap((page) => codeBlocksOf(page).map((block) => ({ path: page.path, ...block })));
const blocksIn = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

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
  const commands = blocksIn('sh').flatMap(({ path, code }) =>
    code
      .replaceAll('\\\n', '')
      .split('\n')
      .map((command) => ({ path, command })),
  );

  // `tributary` is not on the path of a clone, and the machine's own Node may not run TypeScript.
  test('start the tributary command and TypeScript files with npx or npm', () => {
    expect(commands.map(({ command }) => command)).toContain(
      'npx tributary serve --supergraph supergraph.graphql',
    );
    expect(
      commands.filter(({ command }) =>
        /^(node (?!scripts\/bootstrap\.mjs|\w+\.mjs$)|tributary (?!contracts))/.test(command),
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

  test('name products that the demo has', () => {
    const ids = new Set(generateProducts().products.map(({ id }) => id));
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
  const ofOtherPrograms = /^(?:\.github\/.+|values\.yaml|kustomization\.yaml)$/;
  const examples = blocksIn('yaml', 'yml').filter((block) => !ofOtherPrograms.test(fileNameOf(block) ?? ''));

  test('are found', () => {
    const found = new Set(examples.map(({ path }) => path));
    expect([...found]).toEqual(
      expect.arrayContaining(['docs/configuration.md', 'docs/guides/cache-an-entity.md']),
    );
  });

  test.each(examples.map(({ path, line, code }) => [`${path}:${line}`, code] as const))(
    'are valid configurations: %s',
    (_, yaml) => {
      // Secrets of examples have no defaults.
      const environment = { GATEWAY_KEY: 'key', HIVE_CDN_KEY: 'key', SIGNING_SECRET: 'secret' };
      const { expanded, problems } = expandReferences(parse(yaml), { environment, readFile: () => 'value' });
      expect([...problems, ...findConfigProblems(expanded)]).toEqual([]);
    },
  );
});

describe('code in the documentation', () => {
  const isFound = (found: readonly unknown[]): void => expect(found.length).toBeGreaterThan(5);

  test('is valid GraphQL', () => {
    const examples = blocksIn('graphql');
    isFound(examples);
    const problems = examples.flatMap(({ path, line, code }) => {
      try {
        // `…` stands for what a page leaves out.
        parseGraphql(code.replaceAll('…', '__typename'));
        return [];
      } catch (error) {
        return [`${path}:${line}: ${(error as Error).message}`];
      }
    });
    expect(problems).toEqual([]);
  });

  test('is valid JSON, or the output of a command in a guide', () => {
    const examples = blocksIn('json').filter(({ path }) => !path.startsWith('docs/guides/'));
    isFound(examples);
    const problems = examples.flatMap(({ path, line, code }) => {
      try {
        JSON.parse(code);
        return [];
      } catch (error) {
        return [`${path}:${line}: ${(error as Error).message}`];
      }
    });
    expect(problems).toEqual([]);
  });

  test('is valid JavaScript or TypeScript', async () => {
    const examples = blocksIn('js', 'ts');
    isFound(examples);
    const problems = await Promise.all(
      examples.map(({ path, line, code, language }) =>
        transform(code, { loader: language === 'ts' ? 'ts' : 'js', format: 'esm', target: 'esnext' }).then(
          () => [],
          (error: Error) => [`${path}:${line}: ${error.message}`],
        ),
      ),
    );
    expect(problems.flat()).toEqual([]);
  });
});

describe('the names of options in the documentation', () => {
  const schema = createConfigJsonSchema();
  const sections = Object.keys(schema.properties ?? {});
  /** A part of responses, and attributes of OpenTelemetry. */
  const otherNames = /^(extensions|http\.(request|response))\./;

  /** Whether the configuration has the option. Names that users choose, such as those of subgraphs, stand for any. */
  function isOption(name: string): boolean {
    let current: readonly (typeof schema)[] = [schema];
    for (const key of name.split('.')) {
      current = current.flatMap(({ properties = {}, additionalProperties, anyOf = [] }) => [
        ...[properties, ...anyOf.map((each) => each.properties ?? {})].flatMap((known) =>
          Object.hasOwn(known, key) ? [known[key] as typeof schema] : [],
        ),
        ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
      ]);
    }
    return current.length > 0;
  }

  test.each(
    pages
      .filter(({ path }) => /^(README\.md|docs\/(?!decisions|migration|configuration))/.test(path))
      .map((page) => [page.path, page] as const),
  )('are those of the configuration: %s', (_, { text }) => {
    const named = Array.from(text.matchAll(/`([a-z]+(?:\.[\w*]+)+)`/g), ([, name = '']) => name);
    expect(
      named.filter(
        (name) => sections.includes(name.split('.')[0] ?? '') && !otherNames.test(name) && !isOption(name),
      ),
    ).toEqual([]);
  });
});

describe('the proxies in docs/proxies.md', () => {
  const page = pages.find(({ path }) => path === 'docs/proxies.md') as Page;

  test('remove the `forwarded` header that clients send', async () => {
    const nginx = await readFile(join(root, 'deploy/nginx/nginx.conf'), 'utf8');
    const configurations = [
      nginx,
      ...codeBlocksOf(page).flatMap(({ code, language }) => (language === 'text' ? [code] : [])),
    ];
    expect(configurations.length).toBe(3);
    const removal =
      /proxy_set_header Forwarded ''|http-request del-header forwarded|request_headers_to_remove: \[forwarded\]/;
    expect(configurations.filter((configuration) => !removal.test(configuration))).toEqual([]);
  });

  test("explain the directives of deploy/nginx/nginx.conf that differ from nginx's defaults", async () => {
    const nginx = await readFile(join(root, 'deploy/nginx/nginx.conf'), 'utf8');
    const names = new Set(Array.from(nginx.matchAll(/^ *([a-z_]+)[^{}\n]*;$/gm), ([, name = '']) => name));
    // Addresses, a line of `map`, and a value that is nginx's default. For `proxy_set_header`, the page names the headers.
    const others = ['listen', 'server', 'proxy_pass', 'default', 'proxy_send_timeout', 'proxy_set_header'];
    for (const name of others) names.delete(name);
    expect([...names].filter((name) => !new RegExp(`[\` ]${name}\\b`).test(page.text))).toEqual([]);
  });
});

test('the first example in docs/configuration.md shows the default values', () => {
  const example = blocksIn('yaml').find(({ path }) => path === 'docs/configuration.md');
  const shown = parse(example?.code ?? '');
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

  test('are listed once each, with their titles and with what supersedes them, in docs/decisions/README.md', () => {
    const index = pages.find(({ path }) => path === 'docs/decisions/README.md')?.text ?? '';
    const listed = Array.from(index.matchAll(/^- \[(\d{4})\]\((\1-.+\.md)\): (.+)$/gm), ([line]) => line);
    const expected = records.slice(1).map(({ path, text }) => {
      const file = path.slice('docs/decisions/'.length);
      const [, title] = /^# (.+)$/m.exec(text) ?? [];
      const [, part, by] = /^Status: .*superseded in part \((.+)\) by (.+)\. Date/m.exec(text) ?? [];
      const newer = by === undefined ? '' : ` (superseded in part by ${by}: ${part})`;
      return `- [${file.slice(0, 4)}](${file}): ${title}${newer}`;
    });
    expect(listed.sort()).toEqual(expected);
  });

  test.each(records.map(({ path, text }) => [path, text] as const))('follow the template: %s', (_, text) => {
    expect(text).toMatch(
      /^# .+\n\nStatus: .+\. Date: [\d\-A-Z]+\.\n\n## Context\n[\s\S]+\n## Decision\n[\s\S]+\n## Alternatives\n[\s\S]+\n## Consequences\n/,
    );
  });
});
