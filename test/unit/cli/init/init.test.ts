import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { suggestedSections } from '../../../../gateway/cli/init/printDraft.ts';
import { parseConfig } from '../../../../gateway/config/parseConfig.ts';
import { composeSubgraphs } from '../../../harness/composeSubgraphs.ts';

import { read, run, write } from './initFixture.ts';

const root = join(import.meta.dirname, '../../../..');

const products = { name: 'products', url: 'http://127.0.0.1:1/', sdl: 'type Query { name: String }' };

describe('tributary init', () => {
  test('writes a configuration for a supergraph file with which an operation can be planned', async () => {
    write('supergraph.graphql', await composeSubgraphs([products]));
    write('operation.graphql', '{ name }');
    expect(await run('init', '--supergraph', 'supergraph.graphql')).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^Written: tributary\.yaml\n(.*\n)*Next: npx tributary config check\nThen: npx tributary dev, or in production npx tributary serve\n$/,
      ),
      stderr: '',
    });
    expect(parseYaml(read())).toEqual({
      listen: { host: '127.0.0.1', port: 4000 },
      admin: { host: '127.0.0.1', port: 4001 },
      supergraph: { file: 'supergraph.graphql' },
      subgraphs: {
        all: {
          timeouts: { attempt: '5s', deadline: '15s' },
          headers: { forward: ['authorization', 'accept-language'] },
        },
      },
    });
    expect(read()).toContain('  # TCP port; 0 selects a free port.\n  port: 4000\n');
    const plan = await run('plan', 'operation.graphql');
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining('Fetch(service: "products")') });
  });

  test('writes a configuration for running subgraphs into the named file', async () => {
    const subgraphs = ['--subgraph', 'a=http://127.0.0.1:4101/graphql', '--subgraph', 'b.c=https://b.test/'];
    expect(await run('init', ...subgraphs, '--out', 'two.yaml')).toEqual({
      code: 0,
      stdout:
        'Written: two.yaml\nNext: npx tributary config check --config two.yaml\nThen: npx tributary dev --config two.yaml, or in production npx tributary serve --config two.yaml\n',
      stderr: '',
    });
    expect(parseYaml(read('two.yaml')).supergraph).toEqual({
      subgraphs: [
        { name: 'a', url: 'http://127.0.0.1:4101/graphql' },
        { name: 'b.c', url: 'https://b.test/' },
      ],
      pollInterval: '10s',
    });
    expect(await run('config', 'print', '--config', 'two.yaml')).toMatchObject({ code: 0, stderr: '' });
  });

  test('translates the example of docs/migration/apollo-router.md to the one beside it', async () => {
    const page = readFileSync(join(root, 'docs/migration/apollo-router.md'), 'utf8');
    const [, router = ''] = /^```yaml router\.yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    const [, tributary = ''] = /^becomes:\n\n```yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    write('router.yaml', router);
    expect(await run('init', '--apollo-router', 'router.yaml')).toMatchObject({ code: 0, stderr: '' });
    // The page rounds the number of bytes.
    const expected = tributary.replace('bodySize: 2MB', 'bodySize: 2000000B');
    expect(expected).not.toBe(tributary);
    expect(parseConfig(parseYaml(read()))).toEqual(parseConfig(parseYaml(expected)));
  });

  test('prints and writes what is not translated and which values the gateway refuses', async () => {
    write('router.yaml', 'limits: { max_depth: -1, max_aliases: 30 }\nrhai: { main: main.rhai }\nmine: 1\n');
    const { stdout } = await run('init', '--apollo-router', 'router.yaml');
    const notes = [
      'rhai: an extension replaces the scripts: docs/migration/apollo-router.md',
      'mine: is not translated; see docs/migration/apollo-router.md',
      'limits.max_depth: limits.depth is -1; expected: a whole number of at least 1',
    ];
    for (const note of notes) {
      expect(stdout).toContain(`\n  ${note}\n`);
      expect(read()).toContain(`\n# - ${note}\n`);
    }
    expect(parseYaml(read()).limits).toEqual({ bodySize: '2000000B', aliases: 30 });
  });

  test('writes over an existing file only with --force', async () => {
    write('tributary.yaml', 'mine');
    const args = ['init', '--subgraph', 'a=http://127.0.0.1:4101/graphql'];
    expect(await run(...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'Nothing was written, because tributary.yaml exists. --force replaces it.\n',
    });
    expect(read()).toBe('mine');
    expect(await run(...args, '--force')).toMatchObject({ code: 0 });
    expect(read()).toContain('name: a');
  });

  test.each<[string, string[], string]>([
    [
      'nothing to begin with',
      [],
      'Name what to begin with: --supergraph FILE, --subgraph NAME=URL for each running subgraph, or --apollo-router router.yaml.',
    ],
    [
      'two sources',
      ['--supergraph', 'a.graphql', '--subgraph', 'a=http://a'],
      'The supergraph is either a file (--supergraph) or composed of running subgraphs (--subgraph), not both.',
    ],
    [
      'an empty path',
      ['--supergraph', ''],
      "error: option '-s, --supergraph <file>' is empty\nSee `tributary init --help`.",
    ],
    ['a missing file', ['--supergraph', 'missing.graphql'], 'missing.graphql does not exist.'],
    [
      'a subgraph without a URL',
      ['--subgraph', 'reviews=localhost'],
      '--subgraph reviews=localhost is not NAME=URL, such as reviews=http://localhost:4104/graphql.',
    ],
    [
      'the schema of a subgraph',
      ['--supergraph', 'subgraph.graphql'],
      'subgraph.graphql is not a supergraph: it has no enum join__Graph. The schemas of subgraphs are composed with `tributary compose`, or name the running subgraphs with --subgraph NAME=URL.',
    ],
    [
      'a file that is no schema',
      ['--supergraph', 'router.yaml'],
      'router.yaml:1:1 is not a schema: Syntax Error: Unexpected "[".',
    ],
    [
      'a list instead of a configuration',
      ['--apollo-router', 'router.yaml'],
      'router.yaml is not a configuration of Apollo Router: it has no sections.',
    ],
    [
      'a configuration with an alias of nothing',
      ['--apollo-router', 'alias.yaml'],
      'The configuration is invalid:\n  alias.yaml:1:10 has an alias (text that begins with `*`) without its anchor (`&`); expected: texts that begin with * in quotes',
    ],
    [
      'a configuration that contains itself',
      ['--apollo-router', 'circle.yaml'],
      'The configuration is invalid:\n  circle.yaml:1:22 has an alias (`*`) inside of what it stands for (`&`); expected: no such alias',
    ],
    [
      'a directory as output',
      ['--subgraph', 'a=http://a', '--out', '.'],
      'Nothing was written, because . is a directory.',
    ],
    [
      'a directory as output with --force',
      ['--subgraph', 'a=http://a', '--out', '.', '--force'],
      'Nothing was written, because . is a directory.',
    ],
    [
      'an output in a directory that does not exist',
      ['--subgraph', 'a=http://a', '--out', 'absent/a.yaml'],
      'Nothing was written, because the directory absent does not exist.',
    ],
    [
      'two subgraphs of one name',
      ['--subgraph', 'a=http://a', '--subgraph', 'a=http://b'],
      'The configuration is invalid:\n  supergraph.subgraphs[1].name is "a", which is already used; expected: unique names',
    ],
  ])('refuses %s with what to do, and writes nothing', async (_, args, message) => {
    write('subgraph.graphql', 'type Query { name: String }');
    write('router.yaml', '[a]');
    write('alias.yaml', 'headers: *all');
    write('circle.yaml', 'headers: &all { all: *all }');
    expect(await run('init', ...args)).toEqual({ code: 2, stdout: '', stderr: `${message}\n` });
    expect(() => read()).toThrow('ENOENT');
  });

  test.each(Object.entries(suggestedSections))('suggests a valid section %s', (name, text) => {
    const section = parseYaml(
      text
        .split('\n')
        .filter((line) => !/^# [A-Z]/.test(line))
        .map((line) => line.replace(/^# /, '').replace(/\$\{[^}]*\}/, ''))
        .join('\n'),
    );
    expect(Object.keys(section)).toEqual([name]);
    expect(() => parseConfig({ supergraph: { file: 'a' }, ...section })).not.toThrow();
  });
});
