import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { acceptContracts } from '../../../../contracts/store/acceptContracts.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

const contract = {
  name: 'products',
  url: 'https://products.test/graphql',
  file: 'schema.graphql',
  sdl: '\n# about it\n# @url http://old.test/\ntype Query { a: Int }\n\n',
};

const options = { contracts: [contract], reason: 'The app needs it.', today: '2026-11-25' };

describe('acceptContracts', () => {
  test('writes the schema with its URL, and the reason into the changelog', () => {
    using disk = new TemporaryContractStore();
    const written = acceptContracts({ ...options, directory: disk.directory });
    expect(written).toEqual([disk.path('contracts/schemas/products.graphql')]);
    expect(readFileSync(disk.path('contracts/schemas/products.graphql'), 'utf8')).toBe(
      '# @url https://products.test/graphql\n# about it\ntype Query { a: Int }\n',
    );
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8')).toBe(
      '# What was accepted into these contracts, and why\n\n- 2026-11-25 products: The app needs it.\n',
    );
  });

  test('adds one changelog line per contract, with the overridden findings', () => {
    using disk = new TemporaryContractStore({ 'contracts/CHANGELOG.md': 'Ours' });
    acceptContracts({
      directory: disk.directory,
      contracts: [contract, { ...contract, name: 'reviews', url: 'http://reviews.invalid/' }],
      reason: ' The app\n needs it. ',
      today: '2026-11-25',
      overriddenFindings: '2 breaking',
    });
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8')).toBe(
      [
        'Ours',
        '- 2026-11-25 products: The app needs it. (forced, despite 2 breaking)',
        '- 2026-11-25 reviews: The app needs it. (forced, despite 2 breaking)',
        '',
      ].join('\n'),
    );
    expect(readFileSync(disk.path('contracts/schemas/reviews.graphql'), 'utf8')).toBe(
      '# about it\ntype Query { a: Int }\n',
    );
  });

  test('writes nothing when one of the files cannot be written', () => {
    using disk = new TemporaryContractStore({ 'contracts/schemas/reviews.graphql/file': '' });
    const contracts = [contract, { ...contract, name: 'reviews' }];
    expect(() => acceptContracts({ ...options, contracts, directory: disk.directory })).toThrow(/EISDIR/);
    expect(readdirSync(disk.path('contracts/schemas'))).toEqual(['reviews.graphql']);
    expect(existsSync(disk.path('contracts/CHANGELOG.md'))).toBe(false);
  });

  test('writes operations beside those of others, also where file systems ignore the case of names', () => {
    using disk = new TemporaryContractStore({ 'contracts/operations/web/Page.graphql': 'query Page { a }' });
    const operations = ['Page', 'Shop', 'shop'].map((name) => ({
      consumer: 'web',
      name,
      text: `query ${name} { a }`,
      document: parse(`query ${name} { a }`),
      location: { file: '', line: 1, column: 1 },
      slo: {},
    }));
    acceptContracts({ directory: disk.directory, operations, reason: 'sent', today: '2026-11-25' });
    expect(readdirSync(disk.path('contracts/operations/web')).sort()).toEqual([
      'Page.2.graphql',
      'Page.graphql',
      'Shop.graphql',
      'shop.2.graphql',
    ]);
    expect(readFileSync(disk.path('contracts/operations/web/Page.graphql'), 'utf8')).toBe('query Page { a }');
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8')).toContain(
      '- 2026-11-25 web sends Page, Shop, shop: sent\n',
    );
  });

  test('does not write unchanged contracts', () => {
    using disk = new TemporaryContractStore();
    acceptContracts({ ...options, directory: disk.directory });
    expect(acceptContracts({ ...options, directory: disk.directory, today: '2027-01-01' })).toEqual([]);
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8')).not.toContain('2027');
  });
});
