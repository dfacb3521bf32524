import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CanonicalOperation } from '../../operation/canonicalizeOperation.ts';
import { maxVersions, printRecordedFile, readRecordedHeader, toCommentText } from './recordedFile.ts';
import { toSafeFileName } from './toSafeFileName.ts';

export interface RecordingLimits {
  /** Maximum number of files of all clients together. */
  readonly maxOperations: number;
  /** Maximum number of client directories. */
  readonly maxClients: number;
  /** Maximum size of all files together, in bytes. */
  readonly maxSize: number;
}

interface ClientObservation {
  readonly operation: CanonicalOperation;
  readonly client: string;
  readonly version: string | undefined;
}

/** What happened to an observed operation. The name of a limit: the operation was not written because of it. */
export type RecordOutcome = 'written' | 'known' | keyof RecordingLimits;

interface KnownFile {
  readonly size: number;
  /** Versions that this process has observed. */
  readonly versions: ReadonlySet<string>;
}

/** The files `<directory>/<client>/<operation>.<hash>.graphql`, within limits that include the files of earlier runs.
 *  Several processes may share the directory: files are written atomically, and each process counts the files that it
 *  found at its start and those that it wrote. */
export class RecordingDirectory {
  readonly #directory: string;
  readonly #limits: RecordingLimits;
  readonly #today: () => string;
  /** Known files by client directory, then by file name. Undefined until the directory has been read. */
  #known: Map<string, Map<string, KnownFile>> | undefined;

  constructor(directory: string, limits: RecordingLimits, today: () => string) {
    this.#directory = directory;
    this.#limits = limits;
    this.#today = today;
  }

  /** Writes an operation, unless its file has everything. Must not be called concurrently.
   *  @throws {NodeJS.ErrnoException} when the file cannot be written. The old file then remains. */
  async add({ operation, client, version }: ClientObservation): Promise<RecordOutcome> {
    this.#known ??= await readExistingFiles(this.#directory);
    const known = this.#known;
    const clientDirectory = toSafeFileName(client);
    const file = `${toSafeFileName(operation.label)}.${operation.hash}.graphql`;
    const before = known.get(clientDirectory)?.get(file);
    const clientVersion = version === undefined ? undefined : toCommentText(version);
    if (before !== undefined && (clientVersion === undefined || before.versions.has(clientVersion)))
      return 'known';

    const path = join(this.#directory, clientDirectory, file);
    const header = readRecordedHeader(await readIfExists(path));
    const earlierVersions = (header.versions ?? []).filter((known) => known !== clientVersion);
    const versions = [...earlierVersions, ...(clientVersion === undefined ? [] : [clientVersion])].slice(
      -maxVersions,
    );
    const text = printRecordedFile(
      { client: toCommentText(client), versions, firstSeen: header.firstSeen ?? this.#today() },
      operation.text,
    );
    const size = Buffer.byteLength(text);
    const limit = this.#exceededLimitOf(clientDirectory, before, size, known);
    if (limit !== undefined) return limit;
    await writeAtomically(join(this.#directory, clientDirectory), file, text);
    const files = known.get(clientDirectory) ?? new Map();
    files.set(file, { size, versions: new Set(versions) });
    known.set(clientDirectory, files);
    return 'written';
  }

  #exceededLimitOf(
    clientDirectory: string,
    before: KnownFile | undefined,
    size: number,
    known: ReadonlyMap<string, ReadonlyMap<string, KnownFile>>,
  ): keyof RecordingLimits | undefined {
    const { maxClients, maxOperations, maxSize } = this.#limits;
    if (!known.has(clientDirectory) && known.size >= maxClients) return 'maxClients';
    const files = [...known.values()].flatMap((ofClient) => [...ofClient.values()]);
    if (before === undefined && files.length >= maxOperations) return 'maxOperations';
    const total = files.reduce((sum, file) => sum + file.size, size - (before?.size ?? 0));
    return total > maxSize ? 'maxSize' : undefined;
  }
}

async function readExistingFiles(directory: string): Promise<Map<string, Map<string, KnownFile>>> {
  const known = new Map<string, Map<string, KnownFile>>();
  for (const client of await readDirectory(directory)) {
    if (!client.isDirectory()) continue;
    const files = new Map<string, KnownFile>();
    for (const file of await readDirectory(join(directory, client.name))) {
      if (!file.isFile() || !file.name.endsWith('.graphql')) continue;
      const { size } = await stat(join(directory, client.name, file.name));
      files.set(file.name, { size, versions: new Set() });
    }
    known.set(client.name, files);
  }
  return known;
}

async function readDirectory(directory: string) {
  return await readdir(directory, { withFileTypes: true }).catch(ifMissing([]));
}

async function readIfExists(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(ifMissing(''));
}

function ifMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
    throw error;
  };
}

/** Readers see either the old file or the new one. */
async function writeAtomically(directory: string, file: string, text: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.${file}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, join(directory, file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
