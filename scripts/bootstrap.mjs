// Installs what a script of the project needs, and runs it on the project's own Node, on a machine that may have only an
// older Node and npm. It is plain JavaScript without dependencies, since it must run before anything is installed.
//
//   node scripts/bootstrap.mjs [--demo] SCRIPT [arguments]
//
// `--demo`: the script runs without the packages of tests, and with the bundles of the pages instead of the packages that
// they are bundled from.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parentProcesses, watchParentProcesses } from '../gateway/cli/parentProcesses.js';

/** What the pages are bundled from: the shop, GraphiQL and insights. These packages are larger than all others together,
 *  so that a demo removes them after the bundling. */
const pagePackages = [
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

const root = fileURLToPath(new URL('..', import.meta.url));
const startedBy = parentProcesses();
const projectNode = join(root, 'node_modules', '.bin', 'node');

const wanted = readJson('package-lock.json').packages;
const { devDependencies } = readJson('package.json');

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

/** The installed packages by path, as npm recorded them. */
function readInstalled() {
  const isInstalled = existsSync(projectNode) && existsSync(join(root, 'node_modules', '.package-lock.json'));
  return isInstalled ? readJson('node_modules/.package-lock.json').packages : {};
}

/** Whether all these packages are installed in the version of the lockfile. Compares contents, because each checkout
 *  changes the lockfile's time. */
function has(installed, paths) {
  return paths.every((path) => installed[path]?.version === wanted[path].version);
}

/** Without optional packages, which are for other platforms. */
const all = Object.keys(wanted).filter(
  (path) => path !== '' && !wanted[path].optional && !wanted[path].devOptional,
);
const forDemo = all.filter((path) => !wanted[path].dev || path === 'node_modules/node');
const forPages = pagePackages.map((name) => `node_modules/${name}`);
/** Without those that a dependency of the gateway needs, too: a demo has them. */
const forTestsOnly = Object.keys(devDependencies)
  .filter((name) => name !== 'node' && !pagePackages.includes(name))
  .map((name) => `node_modules/${name}`)
  .filter((path) => wanted[path]?.dev);

/** The environment without the project's `.bin` on the path: npm may replace the Node in that folder, so it must run on
 *  the machine's own Node. */
function environmentForNpm() {
  const isProjectBin = (folder) => folder.endsWith(join('node_modules', '.bin'));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !isProjectBin(folder));
  return { ...process.env, PATH: path.join(delimiter) };
}

/** The last signal that this process has received while a command ran. */
let stopSignal;

/** Runs a command and resolves to its exit code. Passes on the signals that this process receives. */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => {
      stopSignal = signal;
      child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const stopWatching = watchParentProcesses(startedBy, () => forward('SIGTERM'));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      stopWatching();
      for (const name of signals) process.off(name, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** Runs a command that the script needs first. Exits after a signal: the command has failed because of it, and nothing else
 *  is wrong. */
async function prepare(command, args, options) {
  const code = await run(command, args, options);
  if (stopSignal !== undefined) process.exit(128 + constants.signals[stopSignal]);
  return code;
}

async function npm(...args) {
  // Errors only: npm's warnings are about the machine's Node, which the project does not use.
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  const windows = process.platform === 'win32';
  const code = await prepare('npm', [...args, ...options], { env: environmentForNpm(), shell: windows });
  if (code === 0) return;
  console.error(`npm ${args[0]} failed, see above. Nothing was started.`);
  process.exit(code);
}

/** Installs development dependencies of `package.json` with all production dependencies, and removes all others. npm
 *  takes every version from the lockfile, and writes neither it nor `package.json`. */
function installOnly(names) {
  const packages = names.map((name) => `${name}@${devDependencies[name]}`);
  return npm('install', '--no-save', '--save-prod', '--omit=dev', ...packages);
}

function checkProjectNode() {
  if (existsSync(projectNode)) return;
  console.error(
    "npm ran, but the project's Node is not there. The package `node` brings it with an install script: " +
      'is `ignore-scripts` set (npm config get ignore-scripts)? Then allow it here, or run: npm rebuild node ' +
      '--ignore-scripts=false',
  );
  process.exit(1);
}

async function installAll(installed) {
  if (has(installed, all)) return;
  const isDemo = has(installed, forDemo);
  console.log(`Installing ${isDemo ? 'the packages of the tests' : 'everything'} (npm) …`);
  // What is installed already stays in place, as a demo may be running on it.
  if (isDemo) await npm('install', '--no-save', '--include=dev');
  else await npm('ci', '--include=dev');
  checkProjectNode();
}

async function installDemo(installed) {
  if (forTestsOnly.some((path) => path in installed)) return installAll(installed);
  const isComplete = has(installed, forDemo);
  if (isComplete && (has(installed, forPages) || (await prepare(projectNode, [bundles, '--check'])) === 0))
    return;
  await step('1 of 3: installing the packages of the demo (npm)', () =>
    installOnly(['node', ...pagePackages]),
  );
  checkProjectNode();
  await step('2 of 3: bundling the pages', async () => {
    const code = await prepare(projectNode, [bundles], { stdio: ['inherit', 'ignore', 'inherit'] });
    if (code !== 0) process.exit(code);
  });
  await step('3 of 3: removing the packages that only the bundling needed', () => installOnly(['node']));
}

const bundles = join('scripts', 'bundles.ts');

async function step(title, action) {
  console.log(`${title} …`);
  const start = performance.now();
  await action();
  console.log(`  ${((performance.now() - start) / 1000).toFixed(0)} s`);
}

const isDemo = process.argv[2] === '--demo';
const [script, ...args] = process.argv.slice(isDemo ? 3 : 2);
if (script === undefined) {
  console.error('Usage: node scripts/bootstrap.mjs [--demo] SCRIPT [arguments]');
  process.exit(2);
}
await (isDemo ? installDemo : installAll)(readInstalled());
const path = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`;
process.exitCode = await run(projectNode, [script, ...args], {
  env: { ...process.env, PATH: path },
  // The IPC channel closes when this process ends for any reason, which tells the script to stop.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
