import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SubgraphContract } from '../contractStore.ts';
import { createDirectory } from './createDirectory.ts';
import { displayPath } from './displayPath.ts';
import { printSchemaFile } from './schemaFile.ts';

interface AcceptContractsOptions {
  readonly directory: string;
  readonly contracts: Iterable<SubgraphContract>;
  /** Why the contracts are accepted, in one line for the changelog. */
  readonly reason: string;
  /** The current day in UTC, such as `2027-01-31`. */
  readonly today: string;
  /** Findings that `--force` overrides, such as `2 breaking`. */
  readonly overriddenFindings?: string | undefined;
}

/** Writes contracts into the store and the reason into its `CHANGELOG.md`. Returns the written files, as the user
 *  would write them. Unchanged contracts are not written.
 *  @throws {NodeJS.ErrnoException} when a file cannot be written. */
export async function acceptContracts(options: AcceptContractsOptions): Promise<string[]> {
  const { directory, contracts, reason, today, overriddenFindings } = options;
  const written: string[] = [];
  for (const contract of contracts) {
    const path = join(directory, 'schemas', `${contract.name}.graphql`);
    const text = printSchemaFile(contract);
    if ((await readIfExists(path)) === text) continue;
    createDirectory(dirname(path));
    await writeFile(path, text);
    const despite = overriddenFindings === undefined ? '' : ` (forced, despite ${overriddenFindings})`;
    await appendToChangelog(
      directory,
      `- ${today} ${contract.name}: ${reason.trim().replaceAll(/\s+/g, ' ')}${despite}`,
    );
    written.push(displayPath(path));
  }
  return written;
}

const changelogHeading = '# What was accepted into these contracts, and why\n\n';

async function appendToChangelog(directory: string, line: string): Promise<void> {
  const path = join(directory, 'CHANGELOG.md');
  const before = await readIfExists(path);
  const lineEnd = before === undefined || before.endsWith('\n') ? '' : '\n';
  await appendFile(path, `${before === undefined ? changelogHeading : lineEnd}${line}\n`);
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
