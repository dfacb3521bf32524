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
});
