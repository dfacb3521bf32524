import { isAscii } from 'node:buffer';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  cp,
  glob,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ConfigJsonSchema, createConfigJsonSchema } from '../../gateway/config/configJsonSchema.ts';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { readPages, typeScriptModulesOf } from '../harness/documentation.ts';
import { readExtensionExamples, writeExtensionExamples } from '../harness/extensionExamples.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

const root = join(import.meta.dirname, '../..');
const cache = join(root, 'node_modules/.cache');
const runFile = promisify(execFile);
const buildTimeoutMs = 300_000;

interface PackedFile {
  readonly path: string;
  readonly size: number;
}

let manifest: {
  readonly engines: { readonly node: string };
  readonly dependencies: Record<string, string>;
  readonly files: readonly string[];
};
/** What is packed. */
let staging: string;
let packedFiles: readonly PackedFile[];
/** A folder of a user, in which the packed package is installed. */
let app: string;
let installed: string;
let oldestNode: string;

beforeAll(async () => {
  manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await mkdir(cache, { recursive: true });
  staging = await mkdtemp(join(cache, 'packed-'));
  app = createTemporaryDirectory();
  [oldestNode] = await Promise.all([installOldestNode(), pack(staging)]);
  await install();
}, buildTimeoutMs);
afterAll(() => Promise.all([staging, app].map((folder) => rm(folder, { recursive: true, force: true }))));

function npm(args: readonly string[], cwd: string): Promise<{ stdout: string }> {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  return runFile('npm', [...args, ...quiet], { cwd, maxBuffer: 32 * 1024 * 1024 });
}

/** Installs the lowest version of Node that `engines` allows, once for all runs. Returns its path. */
async function installOldestNode(): Promise<string> {
  const [, version = ''] = /^>=([\d.]+)$/.exec(manifest.engines.node) ?? [];
  const directory = join(cache, `node-${version}`);
  const node = join(directory, 'node_modules/.bin/node');
  if (!existsSync(node)) {
    const made = await mkdtemp(join(cache, 'node-'));
    // Allows the install script, which brings the binary.
    await writeFile(join(made, 'package.json'), '{"private":true,"allowScripts":{"node":true}}');
    await npm(
      ['install', '--no-save', '--no-package-lock', '--ignore-scripts=false', `node@${version}`],
      made,
    );
    await rm(directory, { recursive: true, force: true });
    await rename(made, directory);
  }
  return node;
}

/** Builds the package and packs it as a release does. */
async function pack(directory: string): Promise<void> {
  // `npm test` checks the types beside the suites.
  const build = ['scripts/build.ts', '--no-check', '--out', join(directory, 'dist')];
  await runFile(process.execPath, build, { cwd: root });
  const built = (path: string) => path === 'dist' || path.startsWith('!');
  const patterns = ['package.json', 'README.md', 'LICENSE', ...manifest.files.filter((path) => !built(path))];
  for await (const path of glob(patterns, { cwd: root }))
    await cp(join(root, path), join(directory, path), { recursive: true });
  const { stdout } = await npm(['pack', '--ignore-scripts', '--json'], directory);
  const [{ files, filename }] = JSON.parse(stdout);
  packedFiles = files;
  await rename(join(directory, filename), join(directory, 'package.tgz'));
}

/** Installs the packed file beside links to its declared dependencies, so that it finds no others. An installation from
 *  the registry is that of `scripts/smokePackage.mjs`. */
async function install(): Promise<void> {
  const file = join(staging, 'package.tgz');
  installed = join(app, 'node_modules/tributary-gateway');
  await writeFile(join(app, 'package.json'), '{"private":true,"type":"module"}');
  await mkdir(installed, { recursive: true });
  await runFile('tar', ['-xzf', file, '--strip-components=1', '-C', installed]);
  const commands = join(app, 'node_modules/.bin');
  await mkdir(commands);
  await symlink('../tributary-gateway/gateway/cli/launch.js', join(commands, 'tributary'));
  // Types of Node, which a dependency brings, and the client that a page shows.
  const packages = [...Object.keys(manifest.dependencies), '@types/node', '@apollo/client'];
  await Promise.all(packages.map(linkPackage));
}

async function linkPackage(name: string): Promise<void> {
  const link = join(app, 'node_modules', name);
  await mkdir(dirname(link), { recursive: true });
  await symlink(join(root, 'node_modules', name), link);
}

test('the build does not empty a directory that it did not make', async () => {
  const folder = createTemporaryDirectory();
  const file = join(folder, 'precious.txt');
  await writeFile(file, 'text');
  const build = runFile(process.execPath, ['scripts/build.ts', '--out', folder], { cwd: root });
  await expect(build).rejects.toMatchObject({
    code: 2,
    stderr: `--out: must be dist or a directory in node_modules/.cache, not ${folder}\n`,
  });
  expect(await readFile(file, 'utf8')).toBe('text');
});

function descriptionsIn(schema: ConfigJsonSchema): string[] {
  const { description, properties = {}, additionalProperties, items } = schema;
  const children = [...Object.values(properties), additionalProperties, items].filter(
    (child) => typeof child === 'object',
  );
  return [...(description === undefined ? [] : [description]), ...children.flatMap(descriptionsIn)];
}

describe('the packed package', () => {
  test.each(['the oldest Node that it supports', 'the newest Node'])(
    'serves the demo configuration with GraphiQL on %s, and exits at SIGTERM',
    async (which) => {
      const node = which === 'the newest Node' ? process.execPath : oldestNode;
      const subgraphs = await startDemoSubgraphs({ ports: 0 });
      const urls = subgraphs.all.map(({ name, url }) => [`${name.toUpperCase()}_URL`, url]);
      const gateway = spawn(
        node,
        [join(app, 'node_modules/.bin/tributary'), 'serve', '--config', join(root, 'tributary.yaml')],
        {
          cwd: app,
          env: {
            ...process.env,
            TRIBUTARY_PORT: '0',
            TRIBUTARY_ADMIN_PORT: '0',
            ...Object.fromEntries(urls),
          },
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
    },
  );

  test('is a library with its errors on the oldest Node that it supports, and loads no library of unused options', async () => {
    const program = `
      import { createRequire } from 'node:module';
      import { ConfigError, createGateway, GatewayError, RequestRefusedError } from 'tributary-gateway';
      const refused = await createGateway({ listen: { port: -1 } }).catch((error) => error);
      const load = () => 'schema { query: Query } type Query { name: String }';
      const gateway = await createGateway({ supergraph: { load }, telemetry: { logLevel: 'silent' } });
      await gateway.start({ listen: false, admin: false });
      await gateway.close();
      console.log(process.version, refused instanceof ConfigError, refused.problems[0].path,
        new RequestRefusedError('No.', { code: 'NO', status: 403 }).name, GatewayError.name);
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(['ajv', 'bullmq', 'ioredis', 'fastify'].filter(
        (name) => loaded.some((path) => path.includes('/node_modules/' + name + '/'))));`;
    const file = join(app, 'program.js');
    await writeFile(file, program);
    const [major] = /\d+/.exec(manifest.engines.node) ?? [];
    const { stdout } = await runFile(oldestNode, [file], { cwd: app });
    expect(stdout).toMatch(
      new RegExp(
        `^v${major}\\.\\S+ true listen\\.port RequestRefusedError GatewayError\n\\[ 'fastify' \\]\n$`,
      ),
    );
  });

  test('has neither data of the demo nor source maps, tests or TypeScript sources, has few files to load, and is small', () => {
    const paths = packedFiles.map(({ path }) => path);
    expect(paths).toContain('dist/gateway/gateway.d.ts');
    expect(paths).toContain('dist/gateway/transport/graphiql/page/bundle/LICENSES.txt');
    // What docs/production.md says to copy from there.
    expect(paths).toContain('deploy/systemd/tributary.service');
    const unwanted = /\.map$|(^|\/)(test|bench|demo|storefront|subgraphs)\/|^(?!docs\/).*(?<!\.d)\.tsx?$/;
    // The stage between admission and response that calls subgraphs, and pages with their pictures.
    const own = /^dist\/gateway\/(subgraphs|subscriptions)\/|^(bench|subgraphs)\/.*\.(md|svg)$/;
    expect(paths.filter((path) => unwanted.test(path) && !own.test(path))).toEqual([]);
    // Each file takes a start longer.
    expect(paths.filter((path) => /^dist\/(?!.*\/page\/).*\.js$/.test(path)).length).toBeLessThan(120);
    const bytes = packedFiles.reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBeLessThan(14 * 1024 * 1024);
  });

  test('has what its pages link to, except for sources that pages about the code link to', async () => {
    const paths = new Set(packedFiles.map(({ path }) => path));
    const isPacked = (path: string) =>
      paths.has(path) || [...paths].some((other) => other.startsWith(`${path}/`));
    const isAboutCode = (page: string) =>
      /^docs\/(architecture\.md|decisions\/)|^(bench|subgraphs)\//.test(page);
    const broken: string[] = [];
    for (const page of paths) {
      if (!page.endsWith('.md')) continue;
      const text = (await readFile(join(installed, page), 'utf8')).replaceAll(/^```[\s\S]*?^```$/gm, '');
      for (const [, link = ''] of text.matchAll(/\]\((?![a-z]+:)([^)\s#]+)/g)) {
        const target = join(dirname(page), link).replace(/\/$/, '');
        if (!isPacked(target) && !(isAboutCode(page) && !/\.(md|svg|webp)$/.test(target)))
          broken.push(`${page}: ${link}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('is ASCII, which Node keeps in memory with one byte per character', async () => {
    const modules = packedFiles
      .map(({ path }) => path)
      .filter((path) => /^dist\/modules\/.*\.js$/.test(path));
    expect(modules).not.toHaveLength(0);
    const texts = await Promise.all(modules.map((path) => readFile(join(installed, path))));
    expect(modules.filter((_, i) => !isAscii(texts[i] as Buffer))).toEqual([]);
  });

  test('imports no module of Node whose exports an old Node lacks, so that the library can report its version', async () => {
    const bundles = packedFiles
      .map(({ path }) => path)
      .filter((path) => /^dist\/modules\/.*\.js$/.test(path));
    const texts = await Promise.all(bundles.map((path) => readFile(join(installed, path), 'utf8')));
    expect(texts.join('\n')).not.toMatch(/from ["']node:(zlib|worker_threads)["']/);
  });

  test('has the files of the insights page', async () => {
    const files = await readdir(join(installed, 'dist/gateway/insights/page/bundle'));
    expect(files.sort()).toEqual(['LICENSES.txt', 'app.js', 'style.css', 'version']);
  });

  test('describes every option in the types of the library', async () => {
    const types = await readFile(join(installed, 'dist/gateway/config/schema.d.ts'), 'utf8');
    const descriptions = descriptionsIn(createConfigJsonSchema());
    expect(descriptions.length).toBeGreaterThan(100);
    expect(descriptions.filter((description) => !types.includes(`/** ${description}`))).toEqual([]);
  });

  test('accepts valid options of createGateway and the TypeScript of all pages, and refuses other options, at compile time', async () => {
    const consumer = join(app, 'consumer.ts');
    await writeFile(
      consumer,
      `import {
        ConfigError, createGateway, defineExtension, errorCodes, GatewayError, RequestRefusedError,
        type ConfigProblem, type ErrorCode, type Extension, type Gateway, type GatewayDependencies, type GatewayOptions,
        type LoadSupergraph, type Logger,
      } from 'tributary-gateway';
      export const problem: ConfigProblem = new ConfigError([]).problems[0] ?? { path: '', message: '', expected: '' };
      export const code: ErrorCode = new GatewayError('OVERLOADED', 'Later.').code;
      export const status: number = errorCodes[code].status;
      export const load: LoadSupergraph = async ({ previous }) => previous;
      export const extension: Extension = defineExtension({
        name: 'a',
        onPlan() { throw new RequestRefusedError('No.', { code: 'NO', status: 403 }); },
      });
      export function start(logger: Logger, plugins: GatewayDependencies['plugins'] = []): Promise<Gateway> {
        return createGateway({ supergraph: { load }, extensions: [extension] }, { logger, plugins });
      }
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
      await createGateway({ supergraph, cache: { rules: { 'A.b': { maxAge: true } } } });
      // @ts-expect-error: not a hook
      defineExtension({ name: 'a', onPlann() {} });
      // @ts-expect-error: a synchronous hook
      defineExtension({ name: 'a', async subgraphHeaders() {} });
      // @ts-expect-error: a synchronous hook
      defineExtension({ name: 'a', readiness: async () => 'not yet' });`,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    // Without `--skipLibCheck`, the types of the package are checked, too.
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--module', 'nodenext'];
    const examples = await writeExtensionExamples(
      join(app, 'examples'),
      await readExtensionExamples(),
      'tributary-gateway',
    );
    const files = [consumer, ...examples.values()];
    for (const page of ['apollo-gateway', 'apollo-router', 'cosmo', 'hive-gateway']) {
      const ofPage = await writeExtensionExamples(
        join(app, 'examples', page),
        await readExtensionExamples(`docs/migration/${page}.md`),
        'tributary-gateway',
      );
      files.push(...ofPage.values());
    }
    for (const page of await readPages()) {
      if (/^docs\/(extensions\.md|migration\/)|^\.changeset\//.test(page.path)) continue;
      for (const [index, code] of typeScriptModulesOf(page).entries()) {
        const file = join(app, 'examples', `${page.path.replaceAll(/\W/g, '-')}-${index}.ts`);
        await writeFile(file, code);
        files.push(file);
      }
    }
    const run = runFile(process.execPath, [
      compiler,
      ...options,
      '--noUnusedLocals',
      '--noUncheckedIndexedAccess',
      '--noPropertyAccessFromIndexSignature',
      '--noImplicitReturns',
      '--allowImportingTsExtensions',
      '--target',
      'es2024',
      ...files,
    ]);
    const { stdout } = await run.catch((error: { stdout: string }) => error);
    // Types that Apollo Client brings.
    const ofOthers = /^node_modules\/@wry\//;
    expect(stdout.split('\n').filter((line) => line !== '' && !ofOthers.test(line))).toEqual([]);
  });
});
