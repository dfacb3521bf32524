import { renameSync, symlinkSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readStoreFingerprint } from '../../../gateway/contracts/storeProbe.ts';
import { TemporaryContractStore } from '../../harness/temporaryContractStore.ts';

/** The marks before and after. */
async function marks(disk: TemporaryContractStore, change: () => void): Promise<readonly [string, string]> {
  const before = await readStoreFingerprint(disk.directory);
  expect(await readStoreFingerprint(disk.directory)).toBe(before);
  change();
  return [before, await readStoreFingerprint(disk.directory)];
}

test('the mark changes with a file, with a new one, and with one less', async () => {
  using disk = new TemporaryContractStore({ 'contracts/schemas/shelves.graphql': 'type Query { a: Int }' });
  const seen = new Set([
    ...(await marks(disk, () =>
      disk.write({ 'contracts/schemas/shelves.graphql': 'type Query { ab: Int }' }),
    )),
    ...(await marks(disk, () => disk.write({ 'contracts/waivers.yaml': '[]' }))),
    ...(await marks(disk, () => disk.remove('contracts/schemas'))),
  ]);
  expect(seen.size).toBe(4);
});

test('the mark changes with the file that a link leads to', async () => {
  using disk = new TemporaryContractStore({
    'contracts/waivers.yaml': '[]',
    'kept/shelves.graphql': 'type Query { a: Int }',
  });
  disk.write({ 'contracts/schemas/.keep': '' });
  symlinkSync(disk.path('kept/shelves.graphql'), disk.path('contracts/schemas/shelves.graphql'));
  const [before, after] = await marks(disk, () =>
    disk.write({ 'kept/shelves.graphql': 'type Query { ab: Int }' }),
  );
  expect(after).not.toBe(before);
});

test('the mark changes when a link is set to another version, as in a mounted volume', async () => {
  using disk = new TemporaryContractStore({
    'volume/first/shelves.graphql': 'type Query { a: Int }',
    'volume/other/shelves.graphql': 'type Query { b: Int }',
    'contracts/schemas/.keep': '',
  });
  symlinkSync('first', disk.path('volume/..data'));
  symlinkSync(disk.path('volume/..data/shelves.graphql'), disk.path('contracts/schemas/shelves.graphql'));
  const [before, after] = await marks(disk, () => {
    symlinkSync('other', disk.path('volume/..next'));
    renameSync(disk.path('volume/..next'), disk.path('volume/..data'));
  });
  expect(after).not.toBe(before);
});

test('links that lead nowhere, or round in circles, are no trouble', async () => {
  using disk = new TemporaryContractStore({ 'contracts/schemas/shelves.graphql': 'type Query { a: Int }' });
  symlinkSync(disk.directory, disk.path('contracts/schemas/up'));
  symlinkSync('nothing', disk.path('contracts/lost'));
  symlinkSync('itself', disk.path('contracts/itself'));
  const [before, after] = await marks(disk, () =>
    disk.write({ 'contracts/schemas/shelves.graphql': 'type Query { ab: Int }' }),
  );
  expect(before).not.toBe('none');
  expect(after).not.toBe(before);
});
