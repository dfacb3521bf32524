#!/usr/bin/env node
// Entry of the `tributary` command. Plain JavaScript that old versions of Node can run, because these cannot load `cli.ts`.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > 22 || (major === 22 && minor >= 18);

// Next to this file: JavaScript in `dist/`, TypeScript in the repository. The package also contains this file at its
// repository path, because both have the same `bin` path, but it does not contain the sources.
const candidates = ['../cli.js', '../cli.ts', '../../dist/gateway/cli.js'];
const cli = candidates.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
if (cli === undefined) throw new Error('The package is incomplete: dist/gateway/cli.js does not exist.');

if (isNewEnough) await import(cli.href);
else runInInstalledNode();

/** Runs the command with the Node version in `node_modules`, or reports the required version. */
function runInInstalledNode() {
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(node)) {
    console.error(`Tributary needs Node 22.18 or newer; this is ${process.version}.`);
    process.exit(2);
  }
  console.error(`This is Node ${process.version}, Tributary needs 22.18 or newer: continuing with ${node}.`);
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
