// `dist/`: the sources compiled for the package and the image, and the other files that they read at run time.
//
//   node scripts/build.ts

import { spawnSync } from 'node:child_process';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '..');
const folders = ['gateway', 'contracts'];

await rm(join(root, 'dist'), { recursive: true, force: true });
const compiler = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

// Code in `dist/` finds `../package.json` from its own place, as the sources do.
await cp(join(root, 'package.json'), join(root, 'dist/package.json'));
for (const folder of folders) await copyAssets(join(root, folder), join(root, 'dist', folder));

/** Copies everything that is not compiled. */
async function copyAssets(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() || /\.tsx?$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    await cp(path, join(to, path.slice(from.length)));
  }
}
