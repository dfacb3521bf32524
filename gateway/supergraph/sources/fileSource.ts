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
  /** Quiet time after a change before the file is read: an editor writes in several steps. */
  readonly settleMs?: number;
  /** Time between two looks at size and time of change, for file systems that send no events. */
  readonly pollIntervalMs?: number;
}

/** A supergraph SDL file. The directory is watched and not the file: editors and mounted configuration
 *  replace it, and a watch on the file itself would stay with the one that is gone. */
export function createFileSource(options: FileSourceOptions): SupergraphSource {
  const { file, watch, timers = systemTimers, settleMs = 100, pollIntervalMs = 2_000 } = options;
  let listener: SupergraphSourceListener | undefined;
  let watcher: FSWatcher | undefined;
  let cancelSettle: CancelTimer | undefined;
  let cancelPoll: CancelTimer | undefined;
  let reading: Promise<void> = Promise.resolve();
  let lastSdl: string | undefined;
  let lastProblem: string | undefined;
  let lastMark: string | undefined;

  const read = async (): Promise<void> => {
    try {
      // The mark first: what is written while the file is read shows as a change afterwards.
      lastMark = await fingerprintOf(file);
      const sdl = await readFile(file, 'utf8');
      if (sdl.trim() === '') throw new Error('it is empty');
      const isOver = lastProblem !== undefined;
      lastProblem = undefined;
      if (sdl === lastSdl && !isOver) return;
      lastSdl = sdl;
      listener?.onSdl(sdl);
    } catch (error) {
      const message = `supergraph file ${file}: ${reasonOf(error)}`;
      if (message === lastProblem) return;
      lastProblem = message;
      listener?.onProblem(message);
    }
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
        if ((await fingerprintOf(file)) !== lastMark) readSoon();
        if (listener !== undefined) pollLater();
      });
    });
  };

  const startWatching = (): void => {
    try {
      // No filter by name: a mounted volume swaps a link beside the file.
      watcher = watchDirectory(dirname(file), { persistent: false }, readSoon);
      // A directory that is removed, or no watches left: polling goes on.
      watcher.on('error', () => watcher?.close());
    } catch {
      // The directory is not there, or the system has no watches left: polling is enough.
    }
  };

  return {
    start: async (to) => {
      listener = to;
      // Before the first read, so that no change falls between the two.
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

/** Changes whenever the file does; `none` where there is no file. */
async function fingerprintOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}

function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  switch ('code' in error ? error.code : undefined) {
    case 'ENOENT':
      return 'it does not exist';
    case 'EACCES':
      return 'it may not be read';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return messageOf(error);
  }
}
