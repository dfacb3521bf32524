#!/usr/bin/env node
// The command's entry. Plain JavaScript of a form that old versions of Node read too: an older Node than the
// gateway needs cannot even load `cli.ts`.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > 22 || (major === 22 && minor >= 18);

// Beside this file: JavaScript in `dist/`, TypeScript in the repository. The package has this file of the
// repository too, since one name must do for both, but not the sources.
const places = ['../cli.js', '../cli.ts', '../../dist/gateway/cli.js'];
const cli = places.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url));
if (cli === undefined) throw new Error('The package is not complete: there is no cli.js in dist/gateway/.');

if (isNewEnough) await import(cli.href);
else handOver();

/** Goes on in the Node that the repository brings; without one, says what is needed. */
function handOver() {
  const node = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(node)) {
    console.error(`Tributary needs Node 22.18 or newer; this is ${process.version}.`);
    process.exit(2);
  }
  console.error(`This is Node ${process.version}, Tributary needs 22.18 or newer: going on with ${node}.`);
  // The channel tells the child when this process is gone, however it went.
  // A process with such a channel cannot restart itself with the flag for the young generation (see
  // youngGeneration.ts), so that it is given here.
  const flags = process.argv[2] === 'serve' ? ['--max-semi-space-size=64'] : [];
  const child = spawn(node, [...flags, fileURLToPath(cli), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
