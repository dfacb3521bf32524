import { join } from 'node:path';
import type { SubgraphContract } from '../contractStore.ts';
import { displayPath } from './displayPath.ts';
import { readIfExists, replaceFiles } from './replaceFiles.ts';
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

/** Writes contracts into the store and the reason into its `CHANGELOG.md`: all of it or nothing. Returns the written
 *  contracts, as the user would write their paths. Unchanged contracts are not written.
 *  @throws {NodeJS.ErrnoException} when a file cannot be written. */
export function acceptContracts(options: AcceptContractsOptions): string[] {
  const { directory, contracts, reason, today, overriddenFindings } = options;
  const texts = new Map<string, string>();
  const changelogLines: string[] = [];
  const despite = overriddenFindings === undefined ? '' : ` (forced, despite ${overriddenFindings})`;
  for (const contract of contracts) {
    const path = join(directory, 'schemas', `${contract.name}.graphql`);
    const text = printSchemaFile(contract);
    if (readIfExists(path) === text) continue;
    texts.set(path, text);
    changelogLines.push(`- ${today} ${contract.name}: ${reason.trim().replaceAll(/\s+/g, ' ')}${despite}\n`);
  }
  if (texts.size === 0) return [];
  const written = [...texts.keys()].map((path) => displayPath(path));
  const changelog = join(directory, 'CHANGELOG.md');
  replaceFiles(texts.set(changelog, `${startOfChangelog(changelog)}${changelogLines.join('')}`));
  return written;
}

const changelogHeading = '# What was accepted into these contracts, and why\n\n';

/** What the changelog contains, with an end of line. */
function startOfChangelog(path: string): string {
  const before = readIfExists(path);
  if (before === undefined) return changelogHeading;
  return before.endsWith('\n') ? before : `${before}\n`;
}
