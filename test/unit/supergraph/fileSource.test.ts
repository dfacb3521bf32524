import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFileSource } from '../../../gateway/supergraph/sources/fileSource.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { type RecordedSource, recordSource } from '../../harness/recordSource.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

let directory: string;
let file: string;
const started: RecordedSource[] = [];

beforeEach(() => {
  directory = createTemporaryDirectory();
  file = join(directory, 'supergraph.graphql');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map(({ source }) => source.stop()));
});

async function start(options: { watch?: boolean; timers?: FakeTimers; file?: string } = {}) {
  const { watch = true, timers } = options;
  const source = createFileSource({
    file: options.file ?? file,
    watch,
    settleMs: 5,
    ...(timers === undefined ? {} : { timers, pollIntervalMs: 2_000 }),
  });
  const recorded = recordSource(source);
  started.push(recorded);
  await source.start(recorded);
  return recorded;
}

describe('the file source', () => {
  test('reads the file at the start', async () => {
    await writeFile(file, 'one');
    expect((await start()).drain()).toEqual([{ sdl: 'one' }]);
  });

  test('reads the file again after a write', async () => {
    await writeFile(file, 'one');
    const timers = new FakeTimers();
    const source = await start({ timers });
    expect(await source.next()).toEqual({ sdl: 'one' });
    await writeFile(file, 'two');
    await timers.waitForTimer(5);
    timers.fire(5);
    expect(await source.next()).toEqual({ sdl: 'two' });
  });

  test('reads the file again each time an editor replaces it', async () => {
    await writeFile(file, 'one');
    const source = await start();
    expect(await source.next()).toEqual({ sdl: 'one' });
    for (const text of ['two', 'three', 'four']) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
      expect(await source.next()).toEqual({ sdl: text });
    }
  });

  test('reads the file again when a mounted volume replaces the symbolic link to it', async () => {
    for (const version of ['v1', 'v2']) {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, 'supergraph.graphql'), version);
    }
    await symlink('v1', join(directory, 'data'));
    await symlink('data/supergraph.graphql', file);
    const source = await start();
    expect(await source.next()).toEqual({ sdl: 'v1' });
    await symlink('v2', join(directory, 'data-new'));
    await rename(join(directory, 'data-new'), join(directory, 'data'));
    expect(await source.next()).toEqual({ sdl: 'v2' });
  });

  test('reports a missing file, and returns its SDL as soon as the file exists', async () => {
    const source = await start();
    expect(await source.next()).toEqual({ problem: `supergraph file ${file} does not exist` });
    await writeFile(`${file}.new`, 'one');
    await rename(`${file}.new`, file);
    expect(await source.next()).toEqual({ sdl: 'one' });
  });

  test('reports a deleted file, and its SDL again when the same file is back', async () => {
    await writeFile(file, 'one');
    const source = await start();
    expect(await source.next()).toEqual({ sdl: 'one' });
    await rename(file, `${file}.away`);
    expect(await source.next()).toEqual({ problem: `supergraph file ${file} does not exist` });
    await rename(`${file}.away`, file);
    expect(await source.next()).toEqual({ sdl: 'one' });
  });

  test.each([
    ['empty', async () => writeFile(file, ' \n'), 'is empty'],
    ['a directory', async () => mkdir(file), 'is a directory'],
    ['in Latin-1', async () => writeFile(file, Buffer.from('"Café" type A', 'latin1')), 'is not UTF-8 text'],
  ])('reports a file that is %s', async (_what, make, reason) => {
    await make();
    expect((await start()).drain()).toEqual([{ problem: `supergraph file ${file} ${reason}` }]);
  });

  test('waits until the directory exists', async () => {
    const missingFile = join(directory, 'later', 'supergraph.graphql');
    const timers = new FakeTimers();
    const source = await start({ file: missingFile, timers });
    expect(await source.next()).toEqual({ problem: `supergraph file ${missingFile} does not exist` });
    await mkdir(join(directory, 'later'));
    await writeFile(missingFile, 'one');
    timers.fire(2_000);
    await timers.waitForTimer(5);
    timers.fire(5);
    expect(await source.next()).toEqual({ sdl: 'one' });
  });

  test('reads the file once for several writes in quick succession', async () => {
    await writeFile(file, 'one');
    const timers = new FakeTimers();
    const source = await start({ timers });
    await writeFile(file, 'two');
    await timers.waitForTimer(5);
    await writeFile(file, 'three');
    await timers.waitForTimer(5);
    timers.fire(5);
    expect(await source.next()).toEqual({ sdl: 'one' });
    expect(await source.next()).toEqual({ sdl: 'three' });
    await source.source.stop();
    expect(source.drain()).toEqual([]);
    expect(timers.pendingMs()).toEqual([]);
  });

  test('does not read the file again without `watch`', async () => {
    await writeFile(file, 'one');
    const timers = new FakeTimers();
    const source = await start({ watch: false, timers });
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    expect(timers.pendingMs()).toEqual([]);
  });
});
