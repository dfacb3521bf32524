import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SubgraphContract } from '../contractStore.ts';
import { makeDirectory } from './makeDirectory.ts';
import { schemaFileText } from './schemaFile.ts';
import { userPath } from './userPath.ts';

export interface AcceptOptions {
  readonly directory: string;
  readonly contracts: Iterable<SubgraphContract>;
  /** Why, for those who wonder later; one line. */
  readonly reason: string;
  /** In UTC, `2027-01-31`. */
  readonly today: string;
  /** What a check had against it and was overruled: `2 breaking`. */
  readonly overruled?: string | undefined;
}

/** Takes contracts into the store and notes why in its `CHANGELOG.md`. Gives the files that it wrote, as the user
 *  would write them; contracts that stand there already are left alone. Errors: those of the file system. */
export async function acceptContracts(options: AcceptOptions): Promise<string[]> {
  const { directory, contracts, reason, today, overruled } = options;
  const written: string[] = [];
  for (const contract of contracts) {
    const path = join(directory, 'schemas', `${contract.name}.graphql`);
    const text = schemaFileText(contract);
    if ((await readIfThere(path)) === text) continue;
    makeDirectory(dirname(path));
    await writeFile(path, text);
    const despite = overruled === undefined ? '' : ` (forced, despite ${overruled})`;
    await note(directory, `- ${today} ${contract.name}: ${reason.trim().replaceAll(/\s+/g, ' ')}${despite}`);
    written.push(userPath(path));
  }
  return written;
}

const heading = '# What was accepted into these contracts, and why\n\n';

async function note(directory: string, line: string): Promise<void> {
  const path = join(directory, 'CHANGELOG.md');
  const before = await readIfThere(path);
  const lineEnd = before === undefined || before.endsWith('\n') ? '' : '\n';
  await appendFile(path, `${before === undefined ? heading : lineEnd}${line}\n`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
