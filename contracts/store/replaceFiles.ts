import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createDirectory } from './createDirectory.ts';

/** Writes texts by path, all of them or none. When a file cannot be written, the earlier ones keep their old content. A
 *  stop signal either ends the process before the first rename or has no effect. Only SIGKILL and a crash between two
 *  renames leave a part, with a temporary file that the store reports.
 *  @throws {NodeJS.ErrnoException} when a file cannot be written. */
export function replaceFiles(texts: ReadonlyMap<string, string>): void {
  const files = Array.from(texts.keys(), (path) => prepareFile(path));
  try {
    for (const { temporary, path } of files) writeDurably(temporary, texts.get(path) ?? '');
    withoutStopSignals(() => renameAll(files));
  } finally {
    for (const { temporary } of files) rmSync(temporary, { force: true });
  }
}

/** The text of a file that can be written; `undefined` when it does not exist.
 *  @throws {NodeJS.ErrnoException} with the path, which errors of reads do not have. */
export function readIfExists(path: string): string | undefined {
  return unlessMissing(() => {
    const file = openSync(path, 'r+');
    try {
      return readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  });
}

interface FileReplacement {
  readonly path: string;
  /** The file itself, where `path` is a symbolic link. */
  readonly target: string;
  /** Beside the target, with a name that `isLeftover` recognises. */
  readonly temporary: string;
  /** Undefined when there is no file yet. */
  readonly oldContent: string | undefined;
}

function prepareFile(path: string): FileReplacement {
  createDirectory(dirname(path));
  const oldContent = readIfExists(path);
  const target = unlessMissing(() => realpathSync(path)) ?? path;
  return {
    path,
    target,
    temporary: join(dirname(target), `.${basename(target)}.${process.pid}.tmp`),
    oldContent,
  };
}

function renameAll(files: readonly FileReplacement[]): void {
  const renamed: FileReplacement[] = [];
  try {
    for (const file of files) {
      renameSync(file.temporary, file.target);
      renamed.push(file);
    }
  } catch (error) {
    for (const { target, oldContent } of renamed) {
      if (oldContent === undefined) rmSync(target);
      else writeFileSync(target, oldContent);
    }
    throw error;
  }
}

/** Without the write to the disk, a file may be empty after a crash of the machine, although it was renamed. */
function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Runs a synchronous action that stop signals do not interrupt: a listener replaces their default action. */
function withoutStopSignals(action: () => void): void {
  const ignore = () => {};
  for (const signal of stopSignals) process.on(signal, ignore);
  try {
    action();
  } finally {
    for (const signal of stopSignals) process.off(signal, ignore);
  }
}

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function unlessMissing<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
