import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const bootstrap = join(import.meta.dirname, '../../../scripts/bootstrap.mjs');

let folder: string;
let script: string;

beforeEach(() => {
  folder = createTemporaryDirectory();
  script = join(folder, 'script.ts');
});

function startBootstrap(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [bootstrap, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('scripts/bootstrap.mjs', () => {
  test('passes the arguments to the script and exits with its exit code', async () => {
    await writeFile(script, 'process.exitCode = Number(process.argv[2]);');
    const [code] = await once(startBootstrap([script, '7']), 'exit');
    expect(code).toBe(7);
  });

  test("runs TypeScript on the project's own Node", async () => {
    await writeFile(script, 'const version: string = process.version; console.log(version);');
    const child = startBootstrap([script]);
    const output: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
    await once(child, 'close');
    expect(Buffer.concat(output).toString()).toMatch(/^v26\.\d+\.\d+\n$/);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'passes %s on and waits for the script to end',
    async (signal) => {
      const lines = [
        `process.on('${signal}', () => process.exit(9));`,
        'setInterval(() => {}, 1000);',
        "console.log('started');",
      ];
      await writeFile(script, lines.join('\n'));
      const child = startBootstrap([script]);
      const exited = once(child, 'exit');
      if (child.stdout === null) throw new Error('The process has no standard output.');
      await once(child.stdout, 'data');
      child.kill(signal);
      expect(await exited).toEqual([9, null]);
    },
  );

  test('ends the demo subgraphs when it is killed', async () => {
    const child = startBootstrap(['subgraphs/demo.ts'], { PORT: '0' });
    // Emitted when the last process with this pipe has exited.
    const closed = once(child, 'close');
    if (child.stdout === null) throw new Error('The process has no standard output.');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    child.stdout.resume();
    expect(await closed).toEqual([null, 'SIGKILL']);
  });

  test('prints its usage without a script', async () => {
    const child = spawn(process.execPath, [bootstrap], { stdio: ['ignore', 'inherit', 'pipe'] });
    const output: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    const [code] = await once(child, 'close');
    expect(Buffer.concat(output).toString()).toBe(
      'Usage: node scripts/bootstrap.mjs [--demo] SCRIPT [arguments]\n',
    );
    expect(code).toBe(2);
  });
});

describe('scripts/bootstrap.mjs in a clone', () => {
  const sources = join(import.meta.dirname, '../../..');
  const version = '1.0.0';
  const lock = {
    '': {},
    'node_modules/graphql': { version },
    // The tests need it, and a dependency of the gateway.
    'node_modules/ajv': { version },
    'node_modules/node': { version, dev: true },
    'node_modules/esbuild': { version, dev: true },
    'node_modules/jest': { version, dev: true },
    'node_modules/fsevents': { version, dev: true, optional: true },
  };
  const pages = [
    '@apollo/client',
    '@graphiql/react',
    '@graphiql/toolkit',
    'esbuild',
    'graphiql',
    'meros',
    'monaco-editor',
    'monaco-graphql',
    'preact',
    'react',
    'react-dom',
    'rxjs',
    'uplot',
  ];
  const npmOptions = '--no-audit --no-fund --loglevel=error --prefer-offline';

  /** A clone whose npm installs nothing, but records its arguments and what it would have installed. */
  beforeEach(async () => {
    for (const file of ['scripts/bootstrap.mjs', 'gateway/cli/parentProcesses.js'])
      await cp(join(sources, file), join(folder, file));
    const devDependencies = Object.fromEntries(
      ['node', 'jest', 'ajv', ...pages].map((name) => [name, version]),
    );
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', devDependencies }));
    const pagesLock = Object.fromEntries(
      pages.map((name) => [`node_modules/${name}`, { version, dev: true }]),
    );
    await writeFile(
      join(folder, 'package-lock.json'),
      JSON.stringify({ packages: { ...lock, ...pagesLock } }),
    );
    await writeFile(join(folder, 'scripts/bundles.ts'), 'process.exitCode = 0;');
    await writeFile(join(folder, 'script.ts'), '');
    await mkdir(join(folder, 'bin'));
    await writeFile(
      join(folder, 'bin/npm'),
      `#!${process.execPath}
      import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
      const args = process.argv.slice(2);
      appendFileSync('npm.log', args.join(' ') + '\\n');
      mkdirSync('node_modules/.bin', { recursive: true });
      rmSync('node_modules/.bin/node', { force: true });
      symlinkSync(process.execPath, 'node_modules/.bin/node');
      const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
      const named = args.filter((arg) => arg.endsWith('@1.0.0')).map((arg) => 'node_modules/' + arg.slice(0, -6));
      const isInstalled = ([path, entry]) => path !== '' && !entry.optional
        && (!args.includes('--omit=dev') || !entry.dev || named.includes(path));
      const installed = Object.fromEntries(Object.entries(packages).filter(isInstalled));
      writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: installed }));`,
    );
    await chmod(join(folder, 'bin/npm'), 0o755);
  });

  async function startClone(args: readonly string[]): Promise<ChildProcess> {
    await writeFile(join(folder, 'npm.log'), '');
    return spawn(process.execPath, [join(folder, 'scripts/bootstrap.mjs'), ...args, 'script.ts'], {
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  async function readNpmRuns(): Promise<string[]> {
    return (await readFile(join(folder, 'npm.log'), 'utf8')).split('\n').filter((line) => line !== '');
  }

  /** Runs the bootstrap and returns the arguments of each run of npm. */
  async function bootstrapClone(...args: readonly string[]): Promise<string[]> {
    const child = await startClone(args);
    child.stdout?.resume();
    expect(await once(child, 'exit')).toEqual([0, null]);
    return readNpmRuns();
  }

  const installOf = (names: readonly string[]) =>
    `install --no-save --save-prod --omit=dev ${names.map((name) => `${name}@${version}`).join(' ')} ${npmOptions}`;

  test('installs for a demo Node and what the pages are bundled from, and removes the latter afterwards', async () => {
    expect(await bootstrapClone('--demo')).toEqual([installOf(['node', ...pages]), installOf(['node'])]);
    expect(await bootstrapClone('--demo')).toEqual([]);
  });

  test('installs what the pages are bundled from again when a page has changed', async () => {
    await bootstrapClone('--demo');
    const stale = "process.exitCode = process.argv[2] === '--check' ? 1 : 0;";
    await writeFile(join(folder, 'scripts/bundles.ts'), stale);
    expect(await bootstrapClone('--demo')).toEqual([installOf(['node', ...pages]), installOf(['node'])]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('installs and starts nothing after %s while it checks the pages', async (signal, code) => {
    await bootstrapClone('--demo');
    await writeFile(
      join(folder, 'scripts/bundles.ts'),
      "console.log('checks'); setInterval(() => {}, 1000);",
    );
    await writeFile(join(folder, 'script.ts'), "console.log('started');");
    const child = await startClone(['--demo']);
    const exited = once(child, 'exit');
    const output: string[] = [];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output.push(text);
      child.kill(signal);
    });
    expect(await exited).toEqual([code, null]);
    expect(output).toEqual(['checks\n']);
    expect(await readNpmRuns()).toEqual([]);
  });

  test('adds the packages of the tests to those of a demo, which may be running on them, and leaves them for the next demo', async () => {
    await bootstrapClone('--demo');
    expect(await bootstrapClone()).toEqual([`install --no-save --include=dev ${npmOptions}`]);
    expect(await bootstrapClone('--demo')).toEqual([]);
  });

  test('installs everything from the lockfile for the tests of a fresh clone, and when a version has changed', async () => {
    const ci = `ci --include=dev ${npmOptions}`;
    expect(await bootstrapClone()).toEqual([ci]);
    expect(await bootstrapClone()).toEqual([]);
    const file = join(folder, 'package-lock.json');
    const changed = JSON.parse(await readFile(file, 'utf8'));
    changed.packages['node_modules/graphql'].version = '2.0.0';
    await writeFile(file, JSON.stringify(changed));
    // Also for a demo: a clone that has the packages of the tests keeps them.
    expect(await bootstrapClone('--demo')).toEqual([ci]);
  });
});
