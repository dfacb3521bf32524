import { type FSWatcher, watch as watchDirectory } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';

/** How long events may put off a read. */
const maxSettleMs = 1_000;

interface FileWatcherOptions {
  /** Absolute paths, or relative to the working directory. */
  readonly files: readonly string[];
  /** Reads the files: first in `start`, then after each change. Returns false when a file could not be read: the files are
   *  then read again at the next check, because the reason may not be in the file. Calls do not overlap. An unexpected error
   *  rejects `start`, later it is an unhandled rejection; the files are read again when they change. */
  read(): Promise<boolean>;
  readonly timers?: Timers | undefined;
  /** Delay between the last change event and reading, because editors write in several steps. */
  readonly settleMs?: number | undefined;
  /** Interval of checks of size and times, for file systems that send no events. */
  readonly pollIntervalMs?: number | undefined;
}

/** Reads files again when they change. It watches their directories, because editors and mounted configuration volumes
 *  replace a file, and a watch on the file would stay on the deleted one. */
export class FileWatcher {
  readonly #options: FileWatcherOptions;
  readonly #timers: Timers;
  #isStarted = false;
  #watchers: FSWatcher[] = [];
  #cancelSettle: CancelTimer | undefined;
  /** The first event since the last read, on the clock of the timers. */
  #changedAtMs: number | undefined;
  #cancelPoll: CancelTimer | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lastFingerprint: string | undefined;

  constructor(options: FileWatcherOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  /** Starts watching, then reads the files. */
  start(): Promise<void> {
    this.#isStarted = true;
    // Watching starts before the first read, so that no change is missed in between.
    this.#watchDirectories();
    this.#pollLater();
    return this.#enqueue(this.#read);
  }

  /** Resolves when no read is under way. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    for (const watcher of this.#watchers) watcher.close();
    this.#cancelTimers();
    // The error of a read is reported already.
    await Promise.allSettled([this.#reading]);
    this.#cancelTimers();
  }

  /** Runs a task after those before it, however these ended: an unexpected error must not end the watch. */
  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#reading = this.#reading.then(task, task);
    return this.#reading;
  }

  readonly #read = async (): Promise<void> => {
    // The fingerprint is taken first, so that a change while the files are read is detected afterwards.
    this.#lastFingerprint = await this.#fingerprint();
    if (!(await this.#options.read())) this.#lastFingerprint = undefined;
  };

  readonly #readSoon = (): void => {
    if (!this.#isStarted) return;
    const nowMs = this.#timers.now();
    this.#changedAtMs ??= nowMs;
    // The timer is left to fire: another file of the directory, such as a log, may change all the time.
    if (this.#cancelSettle !== undefined && nowMs - this.#changedAtMs >= maxSettleMs) return;
    this.#cancelSettle?.();
    this.#cancelSettle = this.#timers.after(this.#options.settleMs ?? 100, () => {
      this.#cancelSettle = undefined;
      this.#changedAtMs = undefined;
      void this.#enqueue(async () => {
        if ((await this.#fingerprint()) !== this.#lastFingerprint) await this.#read();
      });
    });
  };

  #pollLater(): void {
    this.#cancelPoll = this.#timers.after(this.#options.pollIntervalMs ?? 2_000, () => {
      void this.#enqueue(async () => {
        if ((await this.#fingerprint()) !== this.#lastFingerprint) this.#readSoon();
        if (this.#isStarted) this.#pollLater();
      });
    });
  }

  #watchDirectories(): void {
    for (const directory of new Set(this.#options.files.map((file) => dirname(file)))) {
      try {
        // Events are not filtered by file name, because a mounted volume replaces a symbolic link next to the file.
        const watcher = watchDirectory(directory, { persistent: false }, this.#readSoon);
        // The directory was removed, or the system has no watches left. Polling continues.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // The directory does not exist, or the system has no watches left. Polling is sufficient.
      }
    }
  }

  async #fingerprint(): Promise<string> {
    return (await Promise.all(this.#options.files.map(fingerprintOf))).join('\n');
  }

  #cancelTimers(): void {
    this.#cancelSettle?.();
    this.#cancelPoll?.();
  }
}

/** A text that changes whenever the file changes; `none` if the file does not exist. Archives and `rsync` set the
 *  modification time (`mtime`). The time of change (`ctime`) cannot be set, and changes with permissions, too. */
async function fingerprintOf(file: string): Promise<string> {
  try {
    const { mtimeNs, ctimeNs, size, ino } = await stat(file, { bigint: true });
    return `${mtimeNs} ${ctimeNs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}
