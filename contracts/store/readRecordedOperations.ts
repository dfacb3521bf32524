import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { describeReadError } from '../../gateway/files/describeReadError.ts';
import { readTextFile } from '../../gateway/files/readTextFile.ts';
import { canonicalizeOperation } from '../../gateway/operation/canonicalizeOperation.ts';
import type { ConsumerOperation, ContractStore } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { operationOf } from '../graph/operationOf.ts';
import { displayPath } from './displayPath.ts';
import { readOperations } from './readOperations.ts';

/** An operation that is not in the store yet. */
export interface RecordedOperation extends ConsumerOperation {
  readonly text: string;
}

interface RecordedOperations {
  readonly operations: readonly RecordedOperation[];
  readonly problems: readonly Finding[];
}

/** Reads operations that gateways have recorded in `<client>/<operation>.<hash>.graphql`, from files and directories, as
 *  operations of the consumer with the name of the client's directory. Operations that the store has are omitted, however
 *  they are written there. A second operation with one name gets the name with a hash: clients of several versions send
 *  both, and names are unique per consumer. */
export async function readRecordedOperations(
  paths: readonly string[],
  store: Pick<ContractStore, 'operations'>,
): Promise<RecordedOperations> {
  const operations: RecordedOperation[] = [];
  const problems: Finding[] = [];
  const known = new Map(store.operations.map((operation) => [keyOf(operation), operation]));
  for (const file of await listFiles(paths, problems)) {
    const read = await readRecordedFile(file);
    problems.push(...read.problems);
    if (read.operation === undefined) continue;
    const { hash } = canonicalOf(read.operation);
    const namesake = known.get(keyOf(read.operation));
    const operation = namesake === undefined ? read.operation : rename(read.operation, hash);
    const isKnown = known.has(keyOf(operation)) || (namesake && canonicalOf(namesake).hash === hash);
    if (isKnown) continue;
    known.set(keyOf(operation), operation);
    operations.push(operation);
  }
  return { operations, problems };
}

async function listFiles(paths: readonly string[], problems: Finding[]): Promise<Set<string>> {
  const files = new Set<string>();
  for (const path of paths) {
    try {
      if (!(await stat(path)).isDirectory()) {
        files.add(resolve(path));
        continue;
      }
      const entries = await readdir(path, { recursive: true });
      // Files that are being written are hidden, and so is what other programs store, such as `.git`.
      const recorded = entries
        .filter((entry) => entry.endsWith('.graphql') && !/(^|[\\/])\./.test(entry))
        .sort();
      for (const entry of recorded) files.add(resolve(path, entry));
      if (recorded.length === 0) problems.push(unusable(path, 'has no recorded operations (.graphql files)'));
    } catch (error) {
      problems.push(unusable(path, describeReadError(error)));
    }
  }
  return files;
}

async function readRecordedFile(
  path: string,
): Promise<{ readonly operation?: RecordedOperation; readonly problems: readonly Finding[] }> {
  try {
    const text = await readTextFile(path);
    const file = displayPath(path);
    const consumer = basename(dirname(path));
    if (consumer.startsWith('.'))
      return {
        problems: [unusable(path, 'is in a hidden directory, and a store ignores hidden directories')],
      };
    const { operations, problems } = readOperations({ consumer, file, text });
    const [operation, second] = operations;
    if (problems.length > 0) return { problems };
    if (operation === undefined || second !== undefined) {
      return { problems: [unusable(path, `has ${operations.length} operations; a recorded file has one`)] };
    }
    return { operation: { ...operation, text }, problems: [] };
  } catch (error) {
    return { problems: [unusable(path, describeReadError(error))] };
  }
}

function canonicalOf({ document, name }: ConsumerOperation) {
  return canonicalizeOperation(document, name);
}

function rename(
  { text, name, document, consumer, location: { file } }: RecordedOperation,
  hash: string,
): RecordedOperation {
  const { start, end } = operationOf(document).name?.loc ?? { start: 0, end: 0 };
  const renamed = `${text.slice(0, start)}${name}_${hash}${text.slice(end)}`;
  const [operation] = readOperations({ consumer, file, text: renamed }).operations;
  if (operation === undefined) throw new Error(`${file} cannot be read with another name.`);
  return { ...operation, text: renamed };
}

function keyOf({ consumer, name }: ConsumerOperation): string {
  return `${consumer}/${name}`;
}

function unusable(path: string, reason: string): Finding {
  const file = displayPath(path);
  return createFinding('argument-invalid', {
    message: `${file} ${reason}.`,
    advice:
      'Write --operations DIR or --operations FILE: what contracts.record of a gateway has written, or a part of it.',
    location: { file, line: 1, column: 1 },
  });
}
