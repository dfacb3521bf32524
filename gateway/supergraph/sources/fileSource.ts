import { describeReadError } from '../../files/describeReadError.ts';
import { FileWatcher } from '../../files/fileWatcher.ts';
import { readTextFile } from '../../files/readTextFile.ts';
import type { Timers } from '../../time/timers.ts';
import type { SupergraphSource, SupergraphSourceListener } from './supergraphSource.ts';

interface FileSourceOptions {
  /** Absolute path, or relative to the working directory. */
  readonly file: string;
  readonly watch: boolean;
  readonly timers?: Timers;
  /** See `FileWatcher`. */
  readonly settleMs?: number;
  /** See `FileWatcher`. */
  readonly pollIntervalMs?: number;
}

/** A source that reads a supergraph SDL file, and reads it again when it changes. */
export function createFileSource(options: FileSourceOptions): SupergraphSource {
  const { file, watch, timers, settleMs, pollIntervalMs } = options;
  let listener: SupergraphSourceListener | undefined;
  let lastSdl: string | undefined;
  let lastProblem: string | undefined;

  const read = async (): Promise<boolean> => {
    let sdl: string;
    try {
      sdl = await readTextFile(file);
    } catch (error) {
      reportProblem(describeReadError(error));
      return false;
    }
    if (sdl.trim() === '') reportProblem('is empty');
    else submit(sdl);
    return true;
  };

  function submit(sdl: string): void {
    const isRecovered = lastProblem !== undefined;
    lastProblem = undefined;
    if (sdl === lastSdl && !isRecovered) return;
    lastSdl = sdl;
    listener?.onSdl(sdl);
  }

  function reportProblem(reason: string): void {
    const message = `supergraph file ${file} ${reason}`;
    if (message === lastProblem) return;
    lastProblem = message;
    listener?.onProblem(message);
  }

  const watcher = new FileWatcher({ files: [file], read, timers, settleMs, pollIntervalMs });
  return {
    start: async (to) => {
      listener = to;
      await (watch ? watcher.start() : read());
    },
    stop: async () => {
      listener = undefined;
      await watcher.stop();
    },
  };
}
