import { once } from 'node:events';
import { watch } from 'node:fs';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileWatcher } from '../../../gateway/files/fileWatcher.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

let directory: string;
let file: string;
let reads: number;
let isReadable: boolean;
let onRead: () => void;
let timers: FakeTimers;
let watcher: FileWatcher;

beforeEach(async () => {
  directory = createTemporaryDirectory();
  file = join(directory, 'watched');
  reads = 0;
  isReadable = true;
  onRead = () => {};
  timers = new FakeTimers();
  const read = async () => {
    reads += 1;
    onRead();
    return isReadable;
  };
  watcher = new FileWatcher({ files: [file], read, timers, settleMs: 600 });
  await writeFile(file, 'one');
  await utimes(file, 1, 1);
  await watcher.start();
});

afterEach(async () => {
  await watcher.stop();
});

/** Changes the directory. Resolves when its watcher has had an event. */
async function change(run: () => Promise<void>): Promise<void> {
  // Events are delivered to the watchers of a directory in the order in which they were created.
  const events = watch(directory);
  const changed = once(events, 'change');
  await run();
  await changed;
  events.close();
}

function write(name: string, text: string): Promise<void> {
  return change(() => writeFile(join(directory, name), text));
}

describe('a watched file', () => {
  test('is read although other files of its directory change all the time', async () => {
    await write('watched', 'two');
    timers.advance(500);
    await write('log', 'line 1');
    timers.advance(500);
    await write('log', 'line 2');
    timers.advance(100);
    await watcher.stop();
    expect(reads).toBe(2);
  });

  test('is not read again when only other files of its directory change', async () => {
    await write('log', 'line 1');
    timers.advance(600);
    await watcher.stop();
    expect(reads).toBe(1);
  });

  test('is read again when its content changes, but neither its size nor its modification time', async () => {
    await change(async () => {
      await writeFile(file, 'two');
      await utimes(file, 1, 1);
    });
    timers.advance(600);
    await watcher.stop();
    expect(reads).toBe(2);
  });

  test('is read again at the next check when it could not be read, although it has not changed', async () => {
    isReadable = false;
    const failed = new Promise<void>((resolve) => {
      onRead = resolve;
    });
    await write('watched', 'two');
    timers.advance(600);
    await failed;
    isReadable = true;
    await write('log', 'line 1');
    timers.advance(600);
    await watcher.stop();
    expect(reads).toBe(3);
  });

  test('is read again when it changes after an unexpected error, which the process reports once', async () => {
    using rejections = new UnhandledRejections();
    const error = new Error('unexpected');
    onRead = () => {
      throw error;
    };
    await write('watched', 'two');
    timers.advance(600);
    await rejections.first;
    // Two checks of the unchanged file. The first timer is that of the start.
    for (const _ of ['first', 'second']) {
      await timers.waitForTimer(2_000);
      timers.fire(2_000);
    }
    await timers.waitForTimer(2_000);
    const { promise: readAgain, resolve } = Promise.withResolvers<void>();
    onRead = resolve;
    await write('watched', 'three');
    timers.advance(600);
    await readAgain;
    await watcher.stop();
    expect(rejections.errors).toEqual([error]);
    expect(reads).toBe(3);
  });

  test('is no longer watched after a stop that follows an unexpected error', async () => {
    using rejections = new UnhandledRejections();
    onRead = () => {
      throw new Error('unexpected');
    };
    await write('watched', 'two');
    timers.advance(600);
    await rejections.first;
    await watcher.stop();
    expect(timers.pendingCount).toBe(0);
  });
});

/** Records the rejections without a handler, which otherwise fail the test. */
class UnhandledRejections {
  readonly errors: unknown[] = [];
  readonly #first = Promise.withResolvers<void>();
  /** Resolves at the first one. */
  readonly first = this.#first.promise;
  readonly #replaced = process.listeners('unhandledRejection');

  constructor() {
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', (error) => {
      this.errors.push(error);
      this.#first.resolve();
    });
  }

  [Symbol.dispose](): void {
    process.removeAllListeners('unhandledRejection');
    for (const listener of this.#replaced) process.on('unhandledRejection', listener);
  }
}
