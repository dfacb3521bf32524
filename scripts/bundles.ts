// Bundles the pages, GraphiQL, insights and the shop, once for each version of their sources.
//
//   node scripts/bundles.ts [--check]
//
// `--check` bundles nothing: the exit code is 1 if a bundle is not current.

import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { findInsightsDirectory } from '../gateway/insights/insightsPage.ts';
import { bundleInsightsPage } from '../gateway/insights/page/bundle.ts';
import { findGraphiqlDirectory } from '../gateway/transport/graphiql/graphiqlFiles.ts';
import { bundleGraphiql } from '../gateway/transport/graphiql/page/bundle.ts';
import { bundledLicences } from './bundledLicences.ts';

const root = join(import.meta.dirname, '..');

interface Bundle {
  /** The directory from which the gateway of this repository serves it. */
  readonly directory: string;
  /** Folder of its sources. */
  readonly sources: string;
  /** Returns the bundled files, relative to `root`. */
  bundle(directory: string): Promise<readonly string[]>;
}

const graphiql: Bundle = {
  directory: findGraphiqlDirectory(),
  sources: 'gateway/transport/graphiql/page',
  bundle: bundleGraphiql,
};

const insightsPage: Bundle = {
  directory: findInsightsDirectory(),
  sources: 'gateway/insights/page',
  bundle: bundleInsightsPage,
};

/** Bundles GraphiQL unless the bundle is current. Returns the directory from which the gateway of this repository
 *  serves it. */
export function ensureGraphiql(): Promise<string> {
  return ensure(graphiql);
}

/** The same for the insights page. */
export function ensureInsightsPage(): Promise<string> {
  return ensure(insightsPage);
}

async function isCurrent({ directory, sources }: Bundle): Promise<boolean> {
  return (await readVersion(directory)) === (await versionOf(sources));
}

async function ensure({ directory, sources, bundle }: Bundle): Promise<string> {
  const version = await versionOf(sources);
  if ((await readVersion(directory)) === version) return directory;
  const cache = join(directory, '..');
  await mkdir(cache, { recursive: true });
  // Built in a temporary directory and then moved, so that an interrupted build leaves no incomplete bundle.
  const made = await mkdtemp(join(cache, 'bundle-'));
  try {
    await writeFile(join(made, 'LICENSES.txt'), await bundledLicences(root, await bundle(made)));
    await writeFile(join(made, 'version'), version);
    // Only its owner can read a temporary directory, but the image runs as another user.
    await chmod(made, 0o755);
    await rm(directory, { recursive: true, force: true });
    await rename(made, directory);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // Another process may have moved the same files in the meantime.
    if ((await readVersion(directory)) !== version) throw error;
  }
  return directory;
}

async function versionOf(folder: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(root, 'package-lock.json')));
  const files = (await readdir(join(root, folder), { withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  for (const { name } of files.sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash.update(name).update(await readFile(join(root, folder, name)));
  return hash.digest('hex');
}

async function readVersion(directory: string): Promise<string | undefined> {
  return readFile(join(directory, 'version'), 'utf8').catch(() => undefined);
}

if (import.meta.main) {
  // Not imported by the build of the package, for which the image has no shop page.
  const { hasPageBundle, readPageBundle } = await import('../storefront/pageBundle.ts');
  if (process.argv.includes('--check')) {
    const current = await Promise.all([isCurrent(graphiql), isCurrent(insightsPage), hasPageBundle()]);
    process.exitCode = current.every(Boolean) ? 0 : 1;
  } else {
    const [ofGraphiql, ofInsights] = await Promise.all([
      ensureGraphiql(),
      ensureInsightsPage(),
      readPageBundle(),
    ]);
    console.log(ofGraphiql, ofInsights);
  }
}
