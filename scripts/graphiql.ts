// GraphiQL's files, bundled once for each version of what they are made from.
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

/** The directory from which the gateway of this repository serves GraphiQL, with the files in it. */
export async function ensureGraphiql(): Promise<string> {
  const directory = findGraphiqlDirectory();
  const version = await versionOfSources();
  if ((await readVersion(directory)) === version) return directory;
  const cache = join(directory, '..');
  await mkdir(cache, { recursive: true });
  // Made aside and then moved: a run that is broken off leaves nothing half done.
  const made = await mkdtemp(join(cache, 'graphiql-'));
  try {
    await bundleGraphiql(made);
    await writeFile(join(made, 'version'), version);
    // A temporary directory is its owner's alone; the image runs as another user.
    await chmod(made, 0o755);
    await rm(directory, { recursive: true, force: true });
    await rename(made, directory);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // Somebody else may have moved the same files in between.
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
