// Builds `dist/` for the package and the image: the bundled sources, their types, and the other files that they read.
//
//   node scripts/build.ts [--out DIRECTORY] [--no-check]
//
// `--no-check`: the types are checked elsewhere. The result is the same.

import { spawnSync } from 'node:child_process';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { bundleSources } from './bundleSources.ts';
import { ensureGraphiql, ensureInsightsPage } from './bundles.ts';
import { describeOptions } from './optionDescriptions.ts';

const root = join(import.meta.dirname, '..');
const folders = ['gateway', 'contracts'];
/** The contract store of the demo is data of this repository, not part of the contract checker. */
const excluded = join(root, 'contracts/demo');

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'dist' }, 'no-check': { type: 'boolean', default: false } },
});
const out = resolve(root, values.out);

// The directory is emptied first, so that it must not be one with other contents.
if (!out.startsWith(join(root, 'node_modules/.cache', sep)) && out !== join(root, 'dist')) {
  console.error(`--out: must be dist or a directory in node_modules/.cache, not ${out}`);
  process.exit(2);
}
await rm(out, { recursive: true, force: true });
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(
  process.execPath,
  [compiler, '-p', 'tsconfig.build.json', '--outDir', out, ...(values['no-check'] ? ['--noCheck'] : [])],
  { cwd: root, stdio: 'inherit' },
);
if (status !== 0) process.exit(status ?? 1);
await bundleSources(root, out);

const optionTypes = join(out, 'gateway/config/schema.d.ts');
await writeFile(optionTypes, describeOptions(await readFile(optionTypes, 'utf8')));
for (const folder of folders) await copyAssets(join(root, folder), join(out, folder));
await cp(await ensureGraphiql(), join(out, 'gateway/transport/graphiql/page/bundle'), { recursive: true });
await cp(await ensureInsightsPage(), join(out, 'gateway/insights/page/bundle'), { recursive: true });
// A copied `dist/` runs as ES modules, and knows its version and which Node it needs.
const { version, engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
await writeFile(join(out, 'package.json'), `${JSON.stringify({ version, type: 'module', engines })}\n`);

/** Copies all files that the compiler does not compile. */
async function copyAssets(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() || /\.tsx?$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    if (path.startsWith(`${excluded}${sep}`)) continue;
    await cp(path, join(to, path.slice(from.length)));
  }
}
