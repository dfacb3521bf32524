import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SubgraphContract } from '../contractStore.ts';
import { displayPath } from './displayPath.ts';
import type { RecordedOperation } from './readRecordedOperations.ts';
import { readIfExists, replaceFiles } from './replaceFiles.ts';
import { printSchemaFile } from './schemaFile.ts';

interface AcceptContractsOptions {
  readonly directory: string;
  readonly contracts?: Iterable<SubgraphContract> | undefined;
  /** Operations that the store does not have. */
  readonly operations?: readonly RecordedOperation[] | undefined;
  /** Why the contracts are accepted, in one line for the changelog. */
  readonly reason: string;
  /** The current day in UTC, such as `2027-01-31`. */
  readonly today: string;
  /** Findings that `--force` overrides, such as `2 breaking`. */
  readonly overriddenFindings?: string | undefined;
}

/** Writes contracts and operations into the store, and the reason into its `CHANGELOG.md`: all of it or nothing. Returns
 *  the written files without the changelog, as the user would write them. Unchanged contracts are not written.
 *  @throws {NodeJS.ErrnoException} when a file cannot be written. */
export function acceptContracts(options: AcceptContractsOptions): string[] {
  const { directory, contracts = [], operations = [], reason, today, overriddenFindings } = options;
  const texts = new Map<string, string>();
  const changelogLines: string[] = [];
  const despite = overriddenFindings === undefined ? '' : ` (forced, despite ${overriddenFindings})`;
  const addChange = (what: string): void => {
    changelogLines.push(`- ${today} ${what}: ${reason.trim().replaceAll(/\s+/g, ' ')}${despite}\n`);
  };
  for (const contract of contracts) {
    const path = join(directory, 'schemas', `${contract.name}.graphql`);
    const text = printSchemaFile(contract);
    if (readIfExists(path)?.replaceAll('\r\n', '\n') === text) continue;
    texts.set(path, text);
    addChange(contract.name);
  }
  for (const [consumer, own] of Map.groupBy(operations, (operation) => operation.consumer)) {
    for (const { name, text } of own) {
      texts.set(freePath(join(directory, 'operations', consumer, name), texts), text);
    }
    addChange(`${consumer} sends ${own.map(({ name }) => name).join(', ')}`);
  }
  if (texts.size === 0) return [];
  const written = [...texts.keys()].map((path) => displayPath(path));
  const changelog = join(directory, 'CHANGELOG.md');
  replaceFiles(texts.set(changelog, `${startOfChangelog(changelog)}${changelogLines.join('')}`));
  return written;
}

/** A file that has neither the operations of others nor, on some file systems, a name that differs in its case only. */
function freePath(start: string, used: ReadonlyMap<string, string>): string {
  const lowerCase = new Set([...used.keys()].map((path) => path.toLowerCase()));
  for (let suffix = 1; ; suffix++) {
    const path = `${start}${suffix === 1 ? '' : `.${suffix}`}.graphql`;
    if (!lowerCase.has(path.toLowerCase()) && !existsSync(path)) return path;
  }
}

const changelogHeading = '# What was accepted into these contracts, and why\n\n';

/** What the changelog contains, with an end of line. */
function startOfChangelog(path: string): string {
  const before = readIfExists(path);
  if (before === undefined) return changelogHeading;
  return before.endsWith('\n') ? before : `${before}\n`;
}
