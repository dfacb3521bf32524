import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileWatcher } from '../../../gateway/files/fileWatcher.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

let directory: string;
let file: string;
let reads: number;
let timers: FakeTimers;
let watcher: FileWatcher;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tributary-watcher-'));
  file = join(directory, 'watched');
  reads = 0;
  timers = new FakeTimers();
  const read = async () => {
    reads += 1;
  };
  watcher = new FileWatcher({ files: [file], read, timers, settleMs: 600 });
  await writeFile(file, 'one');
  await watcher.start();
});

afterEach(async () => {
  await watcher.stop();
  await rm(directory, { recursive: true });
});

/** Writes a file. Resolves when the watcher of its directory has had an event. */
async function write(name: string, text: string): Promise<void> {
  // Events are delivered to the watchers of a directory in the order in which they were created.
  const events = watch(directory);
  const changed = once(events, 'change');
  await writeFile(join(directory, name), text);
  await changed;
  events.close();
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
});
