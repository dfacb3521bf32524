import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { RecordingDirectory } from '../../gateway/contracts/recording/recordingDirectory.ts';
import { canonicalizeOperation } from '../../gateway/operation/canonicalizeOperation.ts';
import {
  contracts,
  page,
  products,
  shipping,
  store,
  withoutName,
  withoutUnused,
} from '../harness/contractsCommand.ts';
import { json, reset, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';

describe('contracts init', () => {
  test('creates a store from files and running subgraphs, and overwrites nothing', async () => {
    using disk = new TemporaryContractStore({ 'products.graphql': products });
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(json({ data: { _service: { sdl: shipping } } }));
    const init = (...more: readonly string[]) =>
      contracts(
        disk.root,
        'init',
        ...['--subgraph', 'products=products.graphql', '--subgraph', `shipping=${running.url}`, ...more],
      );
    const made = await init();
    expect(made).toEqual({
      code: 0,
      stdout: [
        'Written: contracts/schemas/products.graphql',
        'Written: contracts/schemas/shipping.graphql',
        'Written: contracts/README.md',
        'Written: contracts/waivers.yaml',
        'Written: contracts/environments.yaml',
        'Written: contracts/.gitattributes',
        'Put the operations of clients into contracts/operations/<consumer>/, and commit the store.',
        '',
      ].join('\n'),
      stderr: '',
      progress: [],
    });
    expect(readFileSync(disk.path('contracts/schemas/shipping.graphql'), 'utf8')).toBe(
      `# @url ${running.url}\n${shipping}`,
    );
    expect((await contracts(disk.root, 'check')).code).toBe(0);
    const again = await init();
    expect([again.code, again.stderr]).toEqual([
      2,
      expect.stringMatching(
        /^Nothing was written, because these files exist; --force .*\n {2}contracts\/schemas\/products/,
      ),
    ]);
    expect((await init('--force')).stdout).toContain('Written: contracts/schemas/products.graphql');
  });

  test('uses the subgraphs of the configuration', async () => {
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(json({ data: { _service: { sdl: products } } }));
    using disk = new TemporaryContractStore({
      'tributary.yaml': `supergraph: { subgraphs: [{ name: products, url: '${running.url}' }] }`,
      'file.yaml': 'supergraph: { file: supergraph.graphql }',
    });
    const file = await contracts(disk.root, 'init', '--config', 'file.yaml');
    expect([file.code, file.stderr]).toEqual([2, expect.stringContaining('names no running subgraphs')]);
    expect((await contracts(disk.root, 'init')).code).toBe(0);
    expect(readFileSync(disk.path('contracts/schemas/products.graphql'), 'utf8')).toContain('type Product');
  });

  test('writes nothing when the schemas do not compose, also with those that the store already has', async () => {
    const conflicting = 'type Query { product: Int }\n';
    using disk = new TemporaryContractStore({
      'products.graphql': products,
      'shipping.graphql': shipping,
      'other.graphql': conflicting,
    });
    const init = (...subgraphs: readonly string[]) =>
      contracts(disk.root, 'init', ...subgraphs.flatMap((subgraph) => ['--subgraph', subgraph]), '--force');
    const refused = {
      code: 1,
      stdout: '',
      progress: [],
      stderr: expect.stringMatching(
        /^Nothing was written, because no gateway could serve these schemas together\.[\s\S]*FIELD_TYPE_MISMATCH: .*Query\.product/,
      ),
    };
    expect(await init('products=products.graphql', 'other=other.graphql')).toEqual(refused);
    expect((await contracts(disk.root, 'check')).stdout).toContain('store-missing');
    expect((await init('products=products.graphql', 'shipping=shipping.graphql')).code).toBe(0);
    expect(await init('other=other.graphql')).toEqual(refused);
  });

  test('asks for the subgraphs when there is no configuration', async () => {
    using disk = new TemporaryContractStore();
    const { code, stderr } = await contracts(disk.root, 'init');
    expect([code, stderr]).toEqual([
      2,
      'There is no tributary.yaml here that names the subgraphs. Give them with --subgraph NAME=FILE or NAME=URL.\n',
    ]);
  });

  test('writes nothing when a subgraph does not answer or a file is invalid', async () => {
    using disk = new TemporaryContractStore({ 'products.graphql': products, 'broken.graphql': 'type' });
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(reset);
    const init = (other: string) =>
      contracts(disk.root, 'init', '--subgraph', 'products=products.graphql', '--subgraph', other);
    const [down, broken] = await Promise.all([init(`down=${running.url}`), init('broken=broken.graphql')]);
    expect([down.code, down.stderr]).toEqual([
      3,
      expect.stringContaining(`Nothing was written:\n  ${running.url} did not give its schema: `),
    ]);
    expect([broken.code, broken.stderr]).toEqual([
      2,
      expect.stringContaining('Nothing was written:\n  broken.graphql:1:5 Syntax Error: '),
    ]);
    expect((await contracts(disk.root, 'check')).stdout).toContain('store-missing');
  });
});

describe('contracts accept', () => {
  const candidates = { 'name.graphql': withoutName, 'unused.graphql': withoutUnused };
  const accept = ({ root: cwd }: TemporaryContractStore, file: string, ...more: readonly string[]) =>
    contracts(cwd, 'accept', '--subgraph', `products=${file}`, '--reason', `by ${file}`, ...more);
  const contractIn = (disk: TemporaryContractStore) =>
    readFileSync(disk.path('contracts/schemas/products.graphql'), 'utf8');

  test('refuses a breaking candidate', async () => {
    using disk = new TemporaryContractStore({ ...store, ...candidates });
    const refused = await accept(disk, 'name.graphql');
    expect([refused.code, contractIn(disk)]).toEqual([1, products]);
    expect(refused.stdout).toContain('affects  shop/Page');
    expect(refused.stderr).toContain('Nothing was accepted.');
  });

  test('accepts a candidate with a changelog line, and a breaking one with --force', async () => {
    using disk = new TemporaryContractStore({ ...store, ...candidates });
    const accepted = await accept(disk, 'unused.graphql');
    expect([accepted.code, accepted.stderr, contractIn(disk)]).toEqual([0, '', withoutUnused]);
    expect(accepted.stdout).toContain('Accepted: contracts/schemas/products.graphql\n');
    const forced = await accept(disk, 'name.graphql', '--force');
    expect([forced.code, contractIn(disk)]).toEqual([0, withoutName]);
    const changelog = readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8');
    expect(changelog.replaceAll(/\d{4}-\d\d-\d\d/g, 'DAY')).toBe(
      [
        '# What was accepted into these contracts, and why',
        '',
        '- DAY products: by unused.graphql',
        '- DAY products: by name.graphql (forced, despite 1 breaking)',
        '',
      ].join('\n'),
    );
  });

  test('makes no new store with --force, because the directory may be mistyped', async () => {
    using disk = new TemporaryContractStore({ ...store, ...candidates });
    const directory = disk.path('contract');
    const { code, stderr } = await accept(disk, 'unused.graphql', '--force', '--directory', directory);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^Nothing was accepted:\n {2}contract has no schemas\/.* contracts init/),
    ]);
    expect(existsSync(directory)).toBe(false);
  });

  test.each([
    [['--reason', 'why'], 'Expected either --subgraph NAME=FILE, for a schema, or --operations PATH'],
    [
      ['--subgraph', 'products=a.graphql', '--operations', 'recorded', '--reason', 'why'],
      'Expected either --subgraph NAME=FILE, for a schema, or --operations PATH',
    ],
    [
      ['--operations', 'recorded', '--reason', 'why', '--force'],
      'Nothing was accepted:\n  recorded:1:1 recorded does not exist.',
    ],
    [['--subgraph', 'products=a.graphql'], "error: required option '--reason <text>' not specified"],
    [['--subgraph', 'products=a.graphql', '--reason', ' '], '--reason is empty'],
    [
      ['--subgraph', 'products=gone.graphql', '--reason', 'why', '--force'],
      'Nothing was accepted:\n  gone.graphql:1:1 gone.graphql does not exist.',
    ],
  ])('refuses %j with exit code 2', async (args, message) => {
    using disk = new TemporaryContractStore(store);
    const { code, stderr } = await contracts(disk.root, 'accept', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('contracts check and accept ignore the line endings with which Git checks files out', async () => {
  const withCarriageReturns = (text: string): string => text.replaceAll('\n', '\r\n');
  const crlf = withCarriageReturns(`# @url http://products.test/\n${products}`);
  using disk = new TemporaryContractStore({
    ...store,
    'contracts/schemas/products.graphql': `# @url http://products.test/\n${products}`,
    'products.graphql': crlf,
  }).commit('v1');
  const check = async (...args: readonly string[]) => (await contracts(disk.root, 'check', ...args)).stdout;
  const accept = ['accept', '--subgraph', 'products=products.graphql', '--reason', 'none'];
  expect(await check('--subgraph', 'products=products.graphql')).toContain('no subgraph differs');
  disk.write({
    'contracts/schemas/products.graphql': crlf,
    'contracts/schemas/shipping.graphql': withCarriageReturns(shipping),
    'contracts/operations/shop/page.graphql': withCarriageReturns(page),
  });
  expect(await check()).toContain('no subgraph differs');
  expect((await contracts(disk.root, ...accept)).stdout).toContain('Nothing to accept');
});

describe('contracts accept --operations', () => {
  async function record(
    disk: TemporaryContractStore,
    sent: readonly (readonly [client: string, version: string, operation: string])[],
  ): Promise<void> {
    const limits = { maxOperations: 100, maxClients: 10, maxSize: 100_000 };
    const recording = new RecordingDirectory(disk.path('recorded'), limits, () => '2027-01-31');
    for (const [client, version, operation] of sent) {
      await recording.add({ operation: canonicalizeOperation(parse(operation), undefined), client, version });
    }
  }
  const accept = ({ root: cwd }: TemporaryContractStore, ...args: readonly string[]) =>
    contracts(cwd, 'accept', '--operations', 'recorded', '--reason', 'sent by clients', ...args);
  const listOperations = (disk: TemporaryContractStore) =>
    readdirSync(disk.path('contracts/operations'), { recursive: true })
      .map(String)
      .filter((path) => path.endsWith('.graphql'))
      .map((path) => path.replaceAll(/[0-9a-f]{12}/g, 'HASH'))
      .sort();

  test('writes what clients send into the store, where a check finds what breaks it', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({ 'unused.graphql': withoutUnused });
    await record(disk, [
      ['shop', '1.0', page],
      ['app', '2.1', '{ product(id: "7") { unused } }'],
      ['app', '2.1', 'query Names { product(id: "7") { name } }'],
      ['app', '2.2', 'query Names { product(id: "7") { name unused } }'],
    ]);
    const { code, stdout } = await accept(disk);
    expect([code, stdout.match(/Accepted:.*/g)?.length]).toEqual([0, 3]);
    expect(listOperations(disk)).toEqual([
      'app/Anonymous_HASH.graphql',
      'app/Names.graphql',
      'app/Names_HASH.graphql',
      'shop/page.graphql',
    ]);
    expect(readFileSync(disk.path('contracts/operations/app/Names.graphql'), 'utf8')).toMatch(
      /^# client: app\n# version: 2\.\d\n# first seen: 2027-01-31\nquery Names \{\n/,
    );
    expect(readFileSync(disk.path('contracts/CHANGELOG.md'), 'utf8')).toMatch(
      /^- \d{4}-\d\d-\d\d app sends Anonymous_\w{12}, Names, Names_\w{12}: sent by clients$/m,
    );
    const broken = await contracts(disk.root, 'check', '--subgraph', 'products=unused.graphql');
    expect([broken.code, broken.stdout.match(/ app\/\w+/g)?.length]).toEqual([1, 2]);
    const again = await accept(disk);
    expect([again.code, again.stdout]).toEqual([0, 'Nothing to accept: the store already has all of it.\n']);
  });

  test('refuses operations that the contracts do not serve', async () => {
    using disk = new TemporaryContractStore(store);
    await record(disk, [['app', '1.0', 'query Colour { product(id: "7") { colour } }']]);
    const { code, stdout, stderr } = await accept(disk);
    expect([code, listOperations(disk)]).toEqual([1, ['shop/page.graphql']]);
    expect(stdout).toContain('breaking  operation-broken  app/Colour\n  at recorded/app/Colour.');
    expect(stderr).toContain('Nothing was accepted.');
    expect((await accept(disk, '--force')).code).toBe(0);
  });

  test('refuses files that are not recorded operations, all at once', async () => {
    using disk = new TemporaryContractStore(store).write({
      'recorded/app/a.graphql': 'query A { __typename } query B { __typename }',
      'recorded/app/b.graphql': 'query A {',
      'recorded/app/.c.graphql': 'query',
      'recorded/.cache/d.graphql': 'query D { __typename }',
    });
    const { code, stderr } = await accept(disk, '--operations', 'recorded/.cache/d.graphql');
    expect(code).toBe(2);
    expect(stderr.match(/^ {2}\S+/gm)).toEqual([
      '  recorded/app/a.graphql:1:1',
      '  recorded/app/b.graphql:1:10',
      '  recorded/.cache/d.graphql:1:1',
    ]);
  });
});
