// Bundles GraphiQL's files, once for each version of their sources.
//
//   node scripts/graphiql.ts

import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleGraphiql } from '../gateway/transport/graphiql/bundle.ts';
import { findGraphiqlDirectory } from '../gateway/transport/graphiql/graphiqlFiles.ts';

const root = join(import.meta.dirname, '..');
const sources = [
  'package-lock.json',
  'gateway/transport/graphiql/app.ts',
  'gateway/transport/graphiql/bundle.ts',
];

/** Bundles GraphiQL unless the bundle is current. Returns the directory from which the gateway of this repository
 *  serves it. */
export async function ensureGraphiql(): Promise<string> {
  const directory = findGraphiqlDirectory();
  const version = await versionOfSources();
  if ((await readVersion(directory)) === version) return directory;
  const cache = join(directory, '..');
  await mkdir(cache, { recursive: true });
  // Built in a temporary directory and then moved, so that an interrupted build leaves no incomplete bundle.
  const made = await mkdtemp(join(cache, 'graphiql-'));
  try {
    await bundleGraphiql(made);
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

async function versionOfSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(await readFile(join(root, source)));
  return hash.digest('hex');
}

async function readVersion(directory: string): Promise<string | undefined> {
  return readFile(join(directory, 'version'), 'utf8').catch(() => undefined);
}

if (import.meta.main) console.log(await ensureGraphiql());
