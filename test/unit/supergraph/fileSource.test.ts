import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFileSource } from '../../../gateway/supergraph/sources/fileSource.ts';
import { createManualTimers, type ManualTimers } from '../../harness/manualTimers.ts';
import { type RecordedSource, recordSource } from '../../harness/recordSource.ts';

let directory: string;
let file: string;
const started: RecordedSource[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tributary-source-'));
  file = join(directory, 'supergraph.graphql');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map(({ source }) => source.stop()));
  await rm(directory, { recursive: true });
});

async function start(options: { watch?: boolean; timers?: ManualTimers; file?: string } = {}) {
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

describe('a supergraph file', () => {
  test('is read at the start', async () => {
    await writeFile(file, 'one');
    expect((await start()).drain()).toEqual([{ sdl: 'one' }]);
  });

  test('is read again when it is written', async () => {
    await writeFile(file, 'one');
    const timers = createManualTimers();
    const source = await start({ timers });
    expect(await source.next()).toEqual({ sdl: 'one' });
    await writeFile(file, 'two');
    await timers.waitForTimer(5);
    timers.fire(5);
    expect(await source.next()).toEqual({ sdl: 'two' });
  });

  test('is read again each time an editor replaces it', async () => {
    await writeFile(file, 'one');
    const source = await start();
    expect(await source.next()).toEqual({ sdl: 'one' });
    for (const text of ['two', 'three', 'four']) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
      expect(await source.next()).toEqual({ sdl: text });
    }
  });

  test('is read again when a mounted volume swaps the link that it is reached by', async () => {
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

  test('says that it is missing, and gives its text as soon as it is there', async () => {
    const source = await start();
    expect(await source.next()).toEqual({ problem: `supergraph file ${file} does not exist` });
    await writeFile(`${file}.new`, 'one');
    await rename(`${file}.new`, file);
    expect(await source.next()).toEqual({ sdl: 'one' });
  });

  test('says that it is gone, and that all is well when the same text is back', async () => {
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
  ])('is a problem when it is %s', async (_what, make, reason) => {
    await make();
    expect((await start()).drain()).toEqual([{ problem: `supergraph file ${file} ${reason}` }]);
  });

  test('waits until the directory comes into being', async () => {
    const late = join(directory, 'later', 'supergraph.graphql');
    const timers = createManualTimers();
    const source = await start({ file: late, timers });
    expect(await source.next()).toEqual({ problem: `supergraph file ${late} does not exist` });
    await mkdir(join(directory, 'later'));
    await writeFile(late, 'one');
    timers.fire(2_000);
    await timers.waitForTimer(5);
    timers.fire(5);
    expect(await source.next()).toEqual({ sdl: 'one' });
  });

  test('is read once for several writes in quick succession', async () => {
    await writeFile(file, 'one');
    const timers = createManualTimers();
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

  test('is not looked at again without `watch`', async () => {
    await writeFile(file, 'one');
    const timers = createManualTimers();
    const source = await start({ watch: false, timers });
    expect(source.drain()).toEqual([{ sdl: 'one' }]);
    expect(timers.pendingMs()).toEqual([]);
  });
});
