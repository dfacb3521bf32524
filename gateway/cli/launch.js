#!/usr/bin/env node
// Entry of the `tributary` command. Plain JavaScript that old versions of Node can run, because these cannot load `cli.ts`.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentProcesses, watchParentProcesses } from './parentProcesses.js';

// Next to this file: JavaScript in `dist/`, TypeScript in the repository. The package also contains this file at its
// repository path, because both have the same `bin` path, but it does not contain the sources.
const candidates = ['../cli.js', '../cli.ts', '../../dist/gateway/cli.js'];
const cli = candidates.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
if (cli === undefined) throw new Error('The package is incomplete: dist/gateway/cli.js does not exist.');

const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const [neededMajor, neededMinor] = numbersOf(engines.node);
const [major, minor] = numbersOf(process.versions.node);

stopWithNpm();
if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) await import(cli.href);
else runInInstalledNode();

function numbersOf(version) {
  return Array.from(version.matchAll(/\d+/g), ([digits]) => Number(digits));
}

/** Sends SIGTERM to this process when npm or npx, which started it, has ended. */
function stopWithNpm() {
  // A process with an IPC channel notices the end of its parent by the channel.
  if (process.env.npm_lifecycle_event === undefined || process.send !== undefined) return;
  // `serve` restarts itself in the same process, and its parents may end meanwhile.
  process.env.TRIBUTARY_STARTED_BY ??= parentProcesses();
  watchParentProcesses(process.env.TRIBUTARY_STARTED_BY, () => process.kill(process.pid, 'SIGTERM'));
}

/** Runs the command with the Node version in `node_modules`, or reports the required version. */
function runInInstalledNode() {
  const needed = `${neededMajor}.${neededMinor}`;
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(node)) {
    console.error(
      `Tributary needs Node ${needed} or newer, and this is ${process.version}. Install a newer Node. ` +
        'In a clone, `npm ci` installs one.',
    );
    process.exit(2);
  }
  console.error(
    `This is Node ${process.version}, Tributary needs ${needed} or newer: continuing with ${node}.`,
  );
  // The IPC channel closes when this process ends for any reason, which stops the child.
  // A process with an IPC channel cannot restart itself with the flag for the young generation (see
  // youngGeneration.ts), so that the flag is set here.
  const flags = process.argv[2] === 'serve' ? ['--max-semi-space-size=64'] : [];
  const child = spawn(node, [...flags, fileURLToPath(cli), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
