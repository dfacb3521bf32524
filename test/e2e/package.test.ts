import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ConfigJsonSchema, createConfigJsonSchema } from '../../gateway/config/configJsonSchema.ts';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { readPages, typeScriptModulesOf } from '../harness/documentation.ts';
import { readExtensionExamples, writeExtensionExamples } from '../harness/extensionExamples.ts';

const root = join(import.meta.dirname, '../..');
// Inside node_modules, so that the built package finds its dependencies.
const cache = join(root, 'node_modules/.cache');
const buildTimeoutMs = 300_000;

let out: string;
beforeAll(async () => {
  await mkdir(cache, { recursive: true });
  out = await mkdtemp(join(cache, 'built-'));
  await promisify(execFile)(process.execPath, ['scripts/build.ts', '--out', out], { cwd: root });
}, buildTimeoutMs);
afterAll(() => rm(out, { recursive: true, force: true }));

test('the build does not empty a directory that it did not make', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-build-'));
  const file = join(folder, 'precious.txt');
  await writeFile(file, 'text');
  const build = promisify(execFile)(process.execPath, ['scripts/build.ts', '--out', folder], { cwd: root });
  await expect(build).rejects.toMatchObject({
    code: 2,
    stderr: `--out: must be dist or a directory in node_modules/.cache, not ${folder}\n`,
  });
  expect(await readFile(file, 'utf8')).toBe('text');
  await rm(folder, { recursive: true });
});

function descriptionsIn(schema: ConfigJsonSchema): string[] {
  const { description, properties = {}, additionalProperties, items } = schema;
  const children = [...Object.values(properties), additionalProperties, items].filter(
    (child) => typeof child === 'object',
  );
  return [...(description === undefined ? [] : [description]), ...children.flatMap(descriptionsIn)];
}

describe('the built package', () => {
  test('serves the demo configuration with GraphiQL, and exits at SIGTERM', async () => {
    const subgraphs = await startDemoSubgraphs({ ports: 0 });
    const urls = subgraphs.all.map(({ name, url }) => [`${name.toUpperCase()}_URL`, url]);
    const gateway = spawn(
      process.execPath,
      [join(out, 'gateway/cli/launch.js'), 'serve', '--config', 'tributary.yaml'],
      {
        cwd: root,
        env: { ...process.env, TRIBUTARY_PORT: '0', TRIBUTARY_ADMIN_PORT: '0', ...Object.fromEntries(urls) },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const ended = once(gateway, 'exit');
    try {
      let url = '';
      for await (const line of createInterface(gateway.stdout)) {
        url = /listens on (\S+)/.exec(line)?.[1] ?? '';
        if (url !== '') break;
      }
      const response = await fetch(url, {
        method: 'POST',
        // Reviews have a budget in the demo.
        headers: { 'content-type': 'application/json', 'tributary-budget': '15s' },
        body: '{"query":"{ product(id: \\"p1\\") { name reviews(first: 1) { rating } } }"}',
      });
      expect(await response.json()).toEqual({
        data: { product: { name: 'Cast-Iron Skillet, 24 cm', reviews: [{ rating: expect.any(Number) }] } },
        extensions: { tributary: expect.objectContaining({ cost: 11, actualCost: 2 }) },
      });
      const page = await fetch(url, { headers: { accept: 'text/html' } });
      const script = await fetch(new URL('/graphiql/app.js', url));
      expect([page.status, await page.text(), script.status]).toEqual([
        200,
        expect.stringContaining('/graphiql/app.js'),
        200,
      ]);
    } finally {
      gateway.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      await subgraphs.close();
    }
  });

  test('has the files of the insights page', async () => {
    const files = await readdir(join(out, 'gateway/insights/page/bundle'));
    expect(files.sort()).toEqual(['app.js', 'style.css', 'version']);
  });

  test('describes every option in the types of the library', async () => {
    const types = await readFile(join(out, 'gateway/config/schema.d.ts'), 'utf8');
    const descriptions = descriptionsIn(createConfigJsonSchema());
    expect(descriptions.length).toBeGreaterThan(100);
    expect(descriptions.filter((description) => !types.includes(`/** ${description}`))).toEqual([]);
  });

  test('accepts valid options of createGateway and the TypeScript of all pages, and refuses other options, at compile time', async () => {
    const consumer = join(out, 'consumer.ts');
    await writeFile(
      consumer,
      `import { ConfigError, createGateway, type GatewayOptions } from './gateway/gateway.js';
      const options: GatewayOptions = {
        listen: { port: '4000' },
        supergraph: { subgraphs: [{ name: 'a', url: 'http://a' }] },
        subgraphs: { all: { headers: { forward: ['cookie'] } }, a: { timeouts: { attempt: 500 } } },
        cache: { rules: { 'A.b': { maxAge: '1s', tags: ['a'] } } },
      };
      const supergraph = { file: 'supergraph.graphql' };
      await createGateway(options).catch((error) => error instanceof ConfigError && error.problems[0]?.path);
      // @ts-expect-error: not a port
      await createGateway({ supergraph, listen: { port: true } });
      // @ts-expect-error: not an option
      await createGateway({ supergraph, listen: { prot: 1 } });
      // @ts-expect-error: not a name
      await createGateway({ supergraph: { subgraphs: [{ name: 1, url: 'http://a' }] } });
      // @ts-expect-error: not an option of a subgraph
      await createGateway({ supergraph, subgraphs: { a: { timeouts: { atempt: '1s' } } } });
      // @ts-expect-error: not a duration
      await createGateway({ supergraph, cache: { rules: { 'A.b': { maxAge: true } } } });`,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
    const examples = await writeExtensionExamples(
      join(out, 'examples'),
      await readExtensionExamples(),
      '../gateway/gateway.js',
    );
    const files = [consumer, ...examples.values()];
    for (const page of ['apollo-gateway', 'apollo-router', 'cosmo', 'hive-gateway']) {
      const ofPage = await writeExtensionExamples(
        join(out, 'examples', page),
        await readExtensionExamples(`docs/migration/${page}.md`),
        '../../gateway/gateway.js',
      );
      files.push(...ofPage.values());
    }
    for (const page of await readPages()) {
      if (/^docs\/(extensions\.md|migration\/)|^\.changeset\//.test(page.path)) continue;
      for (const [index, code] of typeScriptModulesOf(page).entries()) {
        const file = join(out, 'examples', `${page.path.replaceAll(/\W/g, '-')}-${index}.ts`);
        await writeFile(
          file,
          code.replaceAll(/from 'tributary(-gateway)?'/g, "from '../gateway/gateway.js'"),
        );
        files.push(file);
      }
    }
    const run = promisify(execFile)(process.execPath, [
      compiler,
      ...options,
      '--noUnusedLocals',
      '--allowImportingTsExtensions',
      '--target',
      'es2024',
      ...files,
    ]);
    expect(await run.catch((error: { stdout: string }) => error)).toMatchObject({ stdout: '' });
  });
});
