// Runs one of the project's scripts on the project's own Node, on a machine that may have only an older Node
// and npm. It is plain JavaScript without dependencies, since it must run before anything is installed.
//
//   node scripts/bootstrap.mjs scripts/start.ts [arguments]

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parentProcesses, watchParentProcesses } from '../gateway/cli/parentProcesses.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const startedBy = parentProcesses();
const projectNode = join(root, 'node_modules', '.bin', 'node');

/** Packages that the lockfile lists and that are missing or have another version. Compares contents, because each
 *  checkout changes the lockfile's time. Ignores optional packages, which are for other platforms. */
function missingPackages() {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile) || !existsSync(projectNode)) return ['node_modules'];
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.keys(wanted).filter((path) => {
    const { version, optional, devOptional } = wanted[path];
    return path !== '' && !optional && !devOptional && installed[path]?.version !== version;
  });
}

/** The environment without the project's `.bin` on the path: `npm ci` removes the Node in that folder, so it must run
 *  on the machine's own Node. */
function environmentForNpm() {
  const isProjectBin = (folder) => folder.endsWith(join('node_modules', '.bin'));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !isProjectBin(folder));
  return { ...process.env, PATH: path.join(delimiter) };
}

/** Runs a command and resolves to its exit code. Passes on the signals that this process receives. */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const stopWatching = watchParentProcesses(startedBy, () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      stopWatching();
      for (const name of signals) process.off(name, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

async function install() {
  console.log('Installing what is missing (npm ci) …');
  // Errors only: npm's warnings are about the machine's Node, which the project does not use.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const windows = process.platform === 'win32';
  const code = await run('npm', args, { env: environmentForNpm(), shell: windows });
  if (code !== 0) {
    console.error('npm ci failed, see above. Nothing was started.');
    process.exit(code);
  }
  if (existsSync(projectNode)) return;
  console.error(
    "npm ci ran, but the project's Node is not there. The package `node` brings it with an install script: " +
      'is `ignore-scripts` set (npm config get ignore-scripts)? Then allow it here, or run: npm rebuild node ' +
      '--ignore-scripts=false',
  );
  process.exit(1);
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  console.error('Usage: node scripts/bootstrap.mjs SCRIPT [arguments]');
  process.exit(2);
}
if (missingPackages().length > 0) await install();
const path = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`;
process.exitCode = await run(projectNode, [script, ...args], {
  env: { ...process.env, PATH: path },
  // The IPC channel closes when this process ends for any reason, which tells the script to stop.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
