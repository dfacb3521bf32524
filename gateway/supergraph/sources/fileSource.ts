import { type FSWatcher, watch as watchDirectory } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import { messageOf } from '../messageOf.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface FileSourceOptions {
  /** Absolute path, or relative to the working directory. */
  readonly file: string;
  readonly watch: boolean;
  readonly timers?: Timers;
  /** Delay between the last change event and reading the file, because editors write in several steps. */
  readonly settleMs?: number;
  /** Interval of checks of the file's size and modification time, for file systems that send no events. */
  readonly pollIntervalMs?: number;
}

/** A source that reads a supergraph SDL file. It watches the directory, because editors and mounted configuration volumes
 *  replace the file, and a watch on the file would stay on the deleted one. */
export function createFileSource(options: FileSourceOptions): SupergraphSource {
  const { file, watch, timers = systemTimers, settleMs = 100, pollIntervalMs = 2_000 } = options;
  let listener: SupergraphSourceListener | undefined;
  let watcher: FSWatcher | undefined;
  let cancelSettle: CancelTimer | undefined;
  let cancelPoll: CancelTimer | undefined;
  let reading: Promise<void> = Promise.resolve();
  let lastSdl: string | undefined;
  let lastProblem: string | undefined;
  let lastFingerprint: string | undefined;

  const read = async (): Promise<void> => {
    try {
      // The fingerprint is taken first, so that a change while the file is read is detected afterwards.
      lastFingerprint = await fingerprintOf(file);
      const sdl = await readFile(file, 'utf8');
      if (sdl.trim() === '') {
        reportProblem('is empty');
        return;
      }
      const isRecovered = lastProblem !== undefined;
      lastProblem = undefined;
      if (sdl === lastSdl && !isRecovered) return;
      lastSdl = sdl;
      listener?.onSdl(sdl);
    } catch (error) {
      reportProblem(reasonOf(error));
    }
  };

  const reportProblem = (reason: string): void => {
    const message = `supergraph file ${file} ${reason}`;
    if (message === lastProblem) return;
    lastProblem = message;
    listener?.onProblem(message);
  };

  const readSoon = (): void => {
    cancelSettle?.();
    if (listener === undefined) return;
    cancelSettle = timers.after(settleMs, () => {
      reading = reading.then(read);
    });
  };

  const pollLater = (): void => {
    cancelPoll = timers.after(pollIntervalMs, () => {
      reading = reading.then(async () => {
        if ((await fingerprintOf(file)) !== lastFingerprint) readSoon();
        if (listener !== undefined) pollLater();
      });
    });
  };

  const startWatching = (): void => {
    try {
      // Events are not filtered by file name, because a mounted volume replaces a symbolic link next to the file.
      watcher = watchDirectory(dirname(file), { persistent: false }, readSoon);
      // The directory was removed, or the system has no watches left. Polling continues.
      watcher.on('error', () => watcher?.close());
    } catch {
      // The directory does not exist, or the system has no watches left. Polling is sufficient.
    }
  };

  return {
    start: async (to) => {
      listener = to;
      // Watching starts before the first read, so that no change is missed in between.
      if (watch) {
        startWatching();
        pollLater();
      }
      reading = reading.then(read);
      await reading;
    },
    stop: async () => {
      listener = undefined;
      watcher?.close();
      cancelSettle?.();
      cancelPoll?.();
      await reading;
      cancelSettle?.();
      cancelPoll?.();
    },
  };
}

/** A text that changes whenever the file changes; `none` if the file does not exist. */
async function fingerprintOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}

function reasonOf(error: unknown): string {
  switch (typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
      return 'is not readable for this process';
    case 'EISDIR':
      return 'is a directory';
    default:
      return `could not be read: ${messageOf(error)}`;
  }
}
