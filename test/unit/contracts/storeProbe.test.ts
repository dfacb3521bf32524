import { renameSync, symlinkSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { readStoreFingerprint } from '../../../gateway/contracts/storeProbe.ts';
import { TemporaryContractStore } from '../../harness/temporaryContractStore.ts';

/** The fingerprints before and after a change. */
async function fingerprintsAround(
  disk: TemporaryContractStore,
  change: () => void,
): Promise<readonly [string, string]> {
  const before = await readStoreFingerprint(disk.directory);
  expect(await readStoreFingerprint(disk.directory)).toBe(before);
  change();
  return [before, await readStoreFingerprint(disk.directory)];
}

test('the store fingerprint changes when a file is changed, added or removed', async () => {
  using disk = new TemporaryContractStore({ 'contracts/schemas/shelves.graphql': 'type Query { a: Int }' });
  const seen = new Set([
    ...(await fingerprintsAround(disk, () =>
      disk.write({ 'contracts/schemas/shelves.graphql': 'type Query { ab: Int }' }),
    )),
    ...(await fingerprintsAround(disk, () => disk.write({ 'contracts/waivers.yaml': '[]' }))),
    ...(await fingerprintsAround(disk, () => disk.remove('contracts/schemas'))),
  ]);
  expect(seen.size).toBe(4);
});

test('the store fingerprint changes with the target of a symbolic link', async () => {
  using disk = new TemporaryContractStore({
    'contracts/waivers.yaml': '[]',
    'kept/shelves.graphql': 'type Query { a: Int }',
  });
  disk.write({ 'contracts/schemas/.keep': '' });
  symlinkSync(disk.path('kept/shelves.graphql'), disk.path('contracts/schemas/shelves.graphql'));
  const [before, after] = await fingerprintsAround(disk, () =>
    disk.write({ 'kept/shelves.graphql': 'type Query { ab: Int }' }),
  );
  expect(after).not.toBe(before);
});

test('the store fingerprint changes when a symbolic link points to another version, as in a mounted volume', async () => {
  using disk = new TemporaryContractStore({
    'volume/first/shelves.graphql': 'type Query { a: Int }',
    'volume/other/shelves.graphql': 'type Query { b: Int }',
    'contracts/schemas/.keep': '',
  });
  symlinkSync('first', disk.path('volume/..data'));
  symlinkSync(disk.path('volume/..data/shelves.graphql'), disk.path('contracts/schemas/shelves.graphql'));
  const [before, after] = await fingerprintsAround(disk, () => {
    symlinkSync('other', disk.path('volume/..next'));
    renameSync(disk.path('volume/..next'), disk.path('volume/..data'));
  });
  expect(after).not.toBe(before);
});

test('the store fingerprint accepts broken and circular symbolic links', async () => {
  using disk = new TemporaryContractStore({ 'contracts/schemas/shelves.graphql': 'type Query { a: Int }' });
  symlinkSync(disk.directory, disk.path('contracts/schemas/up'));
  symlinkSync('nothing', disk.path('contracts/lost'));
  symlinkSync('itself', disk.path('contracts/itself'));
  const [before, after] = await fingerprintsAround(disk, () =>
    disk.write({ 'contracts/schemas/shelves.graphql': 'type Query { ab: Int }' }),
  );
  expect(before).not.toBe('none');
  expect(after).not.toBe(before);
});
