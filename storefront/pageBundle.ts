import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const pageDirectory = join(import.meta.dirname, 'page');
const root = join(import.meta.dirname, '..');
const cache = join(root, 'node_modules/.cache/storefront');

/** Whether the page is bundled as its sources are now. Bundling it needs packages that a demo is installed without. */
export async function hasPageBundle(): Promise<boolean> {
  return (await readFile(await findPageBundle()).catch(() => undefined)) !== undefined;
}

/** The script of the page. Bundles it once for each version of its sources. */
export async function readPageBundle(): Promise<Uint8Array> {
  const file = await findPageBundle();
  const stored = await readFile(file).catch(() => undefined);
  if (stored !== undefined) return stored;
  const script = await bundle(join(pageDirectory, 'main.tsx'));
  // Without a place to store it, as in a container, the next start bundles again.
  await store(file, script).catch(() => {});
  return script;
}

async function store(file: string, script: Uint8Array): Promise<void> {
  await mkdir(cache, { recursive: true });
  // Renamed when complete, so that an interrupted build leaves no incomplete bundle.
  const made = `${file}.${process.pid}`;
  await writeFile(made, script);
  await rename(made, file);
}

async function findPageBundle(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(root, 'package-lock.json')));
  const entries = await readdir(pageDirectory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file.slice(pageDirectory.length)).update(await readFile(file));
  return join(cache, `${hash.digest('hex')}.js`);
}

async function bundle(entryPoint: string): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    minify: true,
    legalComments: 'none',
    conditions: ['production'],
    define: { 'process.env.NODE_ENV': '"production"', 'globalThis.__DEV__': 'false' },
    logLevel: 'silent',
  });
  const [script] = outputFiles;
  if (script === undefined) throw new Error(`esbuild made no output for ${entryPoint}`);
  return script.contents;
}
