import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { acceptContracts } from '../../../../contracts/store/acceptContracts.ts';
import { initStore } from '../../../../contracts/store/initStore.ts';
import { readContractStore } from '../../../../contracts/store/readContractStore.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

const contracts = ['products', 'reviews'].map((name) => ({
  name,
  url: `http://${name}.test/`,
  file: '',
  sdl: 'type Query { a: Int }',
}));

describe('initStore', () => {
  test('writes a valid store without waivers and environments', async () => {
    using disk = new TemporaryContractStore();
    const outcome = initStore({ directory: disk.directory, contracts, force: false });
    expect(outcome).toEqual({
      written: [
        'schemas/products.graphql',
        'schemas/reviews.graphql',
        'README.md',
        'waivers.yaml',
        'environments.yaml',
        '.gitattributes',
      ].map((path) => disk.path(`contracts/${path}`)),
    });
    const { schemas, ...rest } = await readContractStore(disk.directory);
    expect(rest).toEqual({
      directory: disk.directory,
      operations: [],
      waivers: [],
      environments: [],
      problems: [],
    });
    expect([...schemas.values()].map(({ name, url }) => [name, url])).toEqual([
      ['products', 'http://products.test/'],
      ['reviews', 'http://reviews.test/'],
    ]);
  });

  test('writes a store in which what two branches accept does not conflict', () => {
    using disk = new TemporaryContractStore();
    const { directory } = disk;
    initStore({ directory, contracts, force: false });
    disk.commit('v1');
    const acceptOn = (branch: string, name: string) => {
      disk.git('checkout', '--quiet', '-b', branch, 'v1');
      const accepted = [{ name, url: `http://${name}.test/`, file: '', sdl: 'type Query { a: Int b: Int }' }];
      acceptContracts({ directory, contracts: accepted, reason: 'why', today: '2027-01-31' });
      disk.commit(`${branch}-accepted`);
    };
    acceptOn('one', 'products');
    acceptOn('two', 'reviews');
    disk.git('merge', '--quiet', 'one');
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8').split('\n').toSorted()).toEqual([
      '',
      '',
      '# What was accepted into these contracts, and why',
      '- 2027-01-31 products: why',
      '- 2027-01-31 reviews: why',
    ]);
  });

  const before = {
    'contracts/schemas/reviews.graphql': 'type Query { old: Int }',
    'contracts/waivers.yaml': '# ours',
  };

  test('writes nothing when a file exists', async () => {
    using disk = new TemporaryContractStore(before);
    expect(initStore({ directory: disk.directory, contracts, force: false })).toEqual({
      existing: Object.keys(before).map((path) => disk.path(path)),
    });
    const { schemas } = await readContractStore(disk.directory);
    expect([...schemas.values()].map(({ sdl }) => sdl)).toEqual(['type Query { old: Int }']);
  });

  test('replaces only schemas with force', async () => {
    using disk = new TemporaryContractStore(before);
    const outcome = initStore({ directory: disk.directory, contracts, force: true });
    expect(outcome).not.toHaveProperty('existing');
    const { schemas } = await readContractStore(disk.directory);
    expect([...schemas.values()].map(({ sdl }) => sdl)).toEqual(
      contracts.map(({ url, sdl }) => `# @url ${url}\n${sdl}\n`),
    );
    expect(readFileSync(disk.path('contracts/waivers.yaml'), 'utf8')).toBe('# ours');
  });
});
