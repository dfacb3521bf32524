import { mkdirSync, symlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { print } from 'graphql';
import type { ContractStore } from '../../../../contracts/contractStore.ts';
import { parseStoreFiles, readContractStore } from '../../../../contracts/store/readContractStore.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

const schema = { 'contracts/schemas/products.graphql': 'type Query { a: Int }' };

/** Rule, location and message of each problem, without the path of the test's directory. */
function problemsOf(store: ContractStore, { root }: TemporaryContractStore): string[] {
  return store.problems.map(({ rule, severity, location, message, advice }) => {
    expect(severity).toBe('misuse');
    expect(advice).toMatch(/\w/);
    const where = location === undefined ? '' : `${location.file}:${location.line}:${location.column} `;
    return `${where}${rule}: ${message}`.replaceAll(`${root}/`, '');
  });
}

async function problemsWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string[]> {
  using disk = new TemporaryContractStore({ ...schema, ...files });
  return problemsOf(await readContractStore(disk.directory), disk);
}

describe('readContractStore', () => {
  test('lets other tasks run between the files', async () => {
    const texts = Array.from(
      { length: 300 },
      (_, index) => [`operations/shop/${index}.graphql`, `query Operation${index} { a }`] as const,
    );
    let turns = 0;
    const countTurn = (): void => {
      turns += 1;
      next = setImmediate(countTurn);
    };
    let next = setImmediate(countTurn);
    const { operations } = await parseStoreFiles({
      texts: new Map(texts),
      unreadable: new Map(),
      displayPathOf: (path) => path,
    });
    clearImmediate(next);
    expect(operations).toHaveLength(300);
    expect(turns).toBeGreaterThanOrEqual(299);
  });

  test('reads schemas, operations, waivers and environments', async () => {
    using disk = new TemporaryContractStore({
      'contracts/schemas/products.graphql': '# @url http://products.test/graphql\ntype Query { a: Int }\n',
      'contracts/schemas/reviews.graphql': 'type Query { b: Int }\n',
      'contracts/operations/shop/page.graphql':
        'query One { ...F }\nfragment F on Query { a ...G }\nfragment G on Query { b }\nquery Two { b }\n',
      'contracts/operations/app/deep/er.graphql': 'query One { a }',
      'contracts/waivers.yaml':
        '# why\n- rule: field-removed\n  coordinate: Query.a\n  reason: Nobody asks.\n  owner: shop\n  expires: 2027-02-28\n- { rule: type-removed, coordinate: A.b, subgraph: reviews, reason: r, owner: o, expires: "2028-02-29" }\n',
      'contracts/environments.yaml':
        'production:\n  subgraphs: { products: [v1, v2], reviews: v1 }\n  gateways: [v1]\nstaging: { gatewayConfig: ../gateway.yaml, stepLatency: 40ms }\n',
      'contracts/README.md': 'notes',
      'contracts/CHANGELOG.md': 'notes',
      'contracts/operations/README.md': 'notes',
      'contracts/operations/shop/.gitkeep': '',
    });
    const store = await readContractStore(disk.directory);
    expect(store.problems).toEqual([]);
    expect(store.directory).toBe(disk.directory);
    expect([...store.schemas.values()]).toEqual([
      {
        name: 'products',
        url: 'http://products.test/graphql',
        file: `${disk.directory}/schemas/products.graphql`,
        sdl: '# @url http://products.test/graphql\ntype Query { a: Int }\n',
      },
      {
        name: 'reviews',
        url: 'http://reviews.invalid/',
        file: `${disk.directory}/schemas/reviews.graphql`,
        sdl: 'type Query { b: Int }\n',
      },
    ]);
    expect(
      store.operations.map(({ document, ...rest }) => ({
        ...rest,
        text: print(document).replace(/\s+/g, ' '),
      })),
    ).toEqual([
      {
        consumer: 'app',
        name: 'One',
        location: { file: `${disk.directory}/operations/app/deep/er.graphql`, line: 1, column: 1 },
        slo: {},
        text: 'query One { a }',
      },
      {
        consumer: 'shop',
        name: 'One',
        location: { file: `${disk.directory}/operations/shop/page.graphql`, line: 1, column: 1 },
        slo: {},
        text: 'query One { ...F } fragment F on Query { a ...G } fragment G on Query { b }',
      },
      {
        consumer: 'shop',
        name: 'Two',
        location: { file: `${disk.directory}/operations/shop/page.graphql`, line: 4, column: 1 },
        slo: {},
        text: 'query Two { b }',
      },
    ]);
    expect(store.waivers).toEqual([
      {
        rule: 'field-removed',
        coordinate: 'Query.a',
        reason: 'Nobody asks.',
        owner: 'shop',
        expires: '2027-02-28',
        location: { file: `${disk.directory}/waivers.yaml`, line: 2, column: 3 },
      },
      {
        rule: 'type-removed',
        coordinate: 'A.b',
        subgraph: 'reviews',
        reason: 'r',
        owner: 'o',
        expires: '2028-02-29',
        location: { file: `${disk.directory}/waivers.yaml`, line: 7, column: 3 },
      },
    ]);
    expect(store.environments).toEqual([
      {
        name: 'production',
        subgraphs: new Map([
          ['products', ['v1', 'v2']],
          ['reviews', ['v1']],
        ]),
        gateways: ['v1'],
        location: { file: `${disk.directory}/environments.yaml`, line: 1, column: 1 },
      },
      {
        name: 'staging',
        subgraphs: new Map(),
        gateways: [],
        gatewayConfig: {
          file: '../gateway.yaml',
          location: { file: `${disk.directory}/environments.yaml`, line: 4, column: 12 },
        },
        stepLatencyMs: 40,
        location: { file: `${disk.directory}/environments.yaml`, line: 4, column: 1 },
      },
    ]);
  });

  test('names files relative to the working directory', async () => {
    const store = await readContractStore('test/unit/contracts/store/nowhere');
    expect(store.directory).toBe('test/unit/contracts/store/nowhere');
    expect(store.problems.map(({ message }) => message)).toEqual([
      'test/unit/contracts/store/nowhere has no schemas/<subgraph>.graphql.',
    ]);
  });

  test('reads the @slo lines above an operation, also between other comments', async () => {
    using disk = new TemporaryContractStore({
      ...schema,
      'contracts/operations/shop/page.graphql': `
# @slo latency: 200ms
# The page waits for it.
#@slo staleness: 1m
# @slo mayDefer: Product.recommended, Product.reviews
query One { a }

query Two { a }

# @slo mayDefer:
query Three { a }
`,
    });
    const { operations, problems } = await readContractStore(disk.directory);
    expect(problems).toEqual([]);
    const file = disk.path('contracts/operations/shop/page.graphql');
    expect(operations.map(({ name, slo }) => [name, slo])).toEqual([
      [
        'One',
        {
          latency: 200,
          staleness: 60_000,
          mayDefer: ['Product.recommended', 'Product.reviews'],
          mayDeferLocation: { file, line: 5, column: 1 },
        },
      ],
      ['Two', {}],
      ['Three', { mayDefer: [], mayDeferLocation: { file, line: 10, column: 1 } }],
    ]);
  });

  test('reports every mistake with its location', async () => {
    expect(
      await problemsWith({
        'contracts/schemas/broken.graphql': 'type Query {\n  a: \n}',
        'contracts/schemas/empty.graphql': '',
        'contracts/schemas/mixed.graphql': 'type Query { a: Int }\nquery A { a }',
        'contracts/schemas/address.graphql': '# here\n# @url products\ntype Query { a: Int }',
        'contracts/schemas/deep/er.graphql': 'type Query { a: Int }',
        'contracts/schemas/other.gql': 'type Query { a: Int }',
        'contracts/schemas/latin.graphql': Uint8Array.of(0x23, 0xe4),
        'contracts/operations/stray.graphql': '{ a }',
        'contracts/operations/shop/broken.graphql': 'query A {\n  a(\n}',
        'contracts/operations/shop/page.graphql':
          'query A { a }\n{ a }\ntype T { a: Int }\nquery B { ...F ...Gone }\nfragment F on Query { a }\nfragment F on Query { b }',
        'contracts/operations/shop/second.graphql': 'query X { a } query A { a }',
        'contracts/operations/shop/slo.graphql':
          '# @slo latncy: 1s\n# @slo latency: soon\n# @slo latency: 1s\n# @slo latency: 2s\n# @slo mayDefer: Product\n# @slo nothing\nquery C { a\n # @slo latency: 1s\n}',
        'contracts/waivers.yaml':
          '- rule: key-removed\n- { rule: key-remvoed, coordinate: A.b, reason: " ", owner: 1, expires: 2027-02-30, subgrph: x }\n- text\n- &w { rule: key-removed, coordinate: A.b, reason: r, owner: o, expires: 2027-01-01 }\n- *w\n',
        'contracts/environments.yaml':
          'a: 1\nb: { subgraphs: [], gateway: x }\nc: { subgraphs: { products: 1.10, reviews: }, gateways: [] }\nd: { gatewayConfig: [], stepLatency: 0ms }\n',
      }),
    ).toEqual([
      'contracts/schemas/latin.graphql:1:1 store-file-unreadable: contracts/schemas/latin.graphql is not UTF-8 text.',
      'contracts/operations/shop/broken.graphql:3:1 operation-unparseable: Syntax Error: Expected Name, found "}".',
      'contracts/operations/shop/page.graphql:3:1 operation-unparseable: A file of operations contains a type or directive definition.',
      'contracts/operations/shop/page.graphql:6:1 fragment-duplicate: There is a second fragment F in this file.',
      'contracts/operations/shop/page.graphql:2:1 operation-unnamed: A query has no name.',
      'contracts/operations/shop/page.graphql:4:16 fragment-missing: Operation B uses fragment Gone, which is not in this file.',
      'contracts/operations/shop/slo.graphql:1:1 slo-invalid: This @slo line cannot be used: "latncy" is not known; did you mean `latency`?',
      'contracts/operations/shop/slo.graphql:2:1 slo-invalid: This @slo line cannot be used: "soon" is not a duration.',
      'contracts/operations/shop/slo.graphql:4:1 slo-invalid: This @slo line cannot be used: latency is given twice.',
      'contracts/operations/shop/slo.graphql:5:1 slo-invalid: This @slo line cannot be used: "Product" is not the coordinate of a field.',
      'contracts/operations/shop/slo.graphql:6:1 slo-invalid: This @slo line cannot be used: it is not of the form `key: value`.',
      'contracts/operations/shop/slo.graphql:8:2 slo-invalid: This @slo line cannot be used: it is not above an operation.',
      'contracts/operations/stray.graphql:1:1 store-file-unknown: contracts/operations/stray.graphql is ignored: it is neither schemas/<subgraph>.graphql nor operations/<consumer>/….graphql.',
      'contracts/schemas/address.graphql:2:1 schema-url-invalid: "products" is not a URL.',
      'contracts/schemas/broken.graphql:3:1 schema-unparseable: Syntax Error: Expected Name, found "}".',
      'contracts/schemas/deep/er.graphql:1:1 store-file-unknown: contracts/schemas/deep/er.graphql is ignored: it is neither schemas/<subgraph>.graphql nor operations/<consumer>/….graphql.',
      'contracts/schemas/empty.graphql:1:1 schema-unparseable: Syntax Error: Unexpected <EOF>.',
      'contracts/schemas/mixed.graphql:2:1 schema-unparseable: A schema file contains an operation or fragment.',
      'contracts/schemas/other.gql:1:1 store-file-unknown: contracts/schemas/other.gql is ignored: it is neither schemas/<subgraph>.graphql nor operations/<consumer>/….graphql.',
      'contracts/operations/shop/second.graphql:1:15 operation-duplicate: shop has a second operation A; the first is at contracts/operations/shop/page.graphql:1.',
      'contracts/waivers.yaml:1:3 waiver-incomplete: This waiver lacks coordinate, reason, owner, expires.',
      'contracts/waivers.yaml:2:11 waiver-invalid: "key-remvoed" is not a rule; did you mean `key-removed`?',
      'contracts/waivers.yaml:2:41 waiver-invalid: `reason` is not text.',
      'contracts/waivers.yaml:2:54 waiver-invalid: `owner` is not text.',
      'contracts/waivers.yaml:2:85 waiver-invalid: `subgrph` is not known; did you mean `subgraph`?',
      'contracts/waivers.yaml:2:3 waiver-incomplete: This waiver lacks reason, owner.',
      'contracts/waivers.yaml:2:3 waiver-invalid: `expires` is "2027-02-30", which is not a day.',
      'contracts/waivers.yaml:3:3 waiver-invalid: This is not a waiver.',
      'contracts/waivers.yaml:4:6 waiver-invalid: Line 4 waives the same.',
      'contracts/environments.yaml:1:1 environment-invalid: Environment a has no map of what runs there.',
      'contracts/environments.yaml:2:6 environment-invalid: `subgraphs` is not a map of subgraphs and their versions.',
      'contracts/environments.yaml:2:21 environment-invalid: `gateway` is not known; did you mean `gateways`?',
      'contracts/environments.yaml:3:19 environment-invalid: products: a version is missing or is not text; put numbers into quotes.',
      'contracts/environments.yaml:3:35 environment-invalid: reviews: a version is missing or is not text; put numbers into quotes.',
      'contracts/environments.yaml:3:47 environment-invalid: gateways: a version is missing or is not text; put numbers into quotes.',
      'contracts/environments.yaml:4:6 environment-invalid: `gatewayConfig` is not a path of a file.',
      'contracts/environments.yaml:4:25 environment-invalid: `stepLatency` is not a duration longer than 0, such as `40ms`.',
    ]);
  });

  test.each([
    ['waivers', '- a: [', 'contracts/waivers.yaml:1:7 waivers-unreadable: This is not valid YAML: '],
    [
      'waivers',
      '- { a: 1, a: 2 }',
      'contracts/waivers.yaml:1:11 waivers-unreadable: This is not valid YAML: ',
    ],
    ['waivers', 'rule: r', 'contracts/waivers.yaml:1:1 waiver-invalid: The file is not a list of waivers.'],
    [
      'environments',
      'a: {',
      'contracts/environments.yaml:1:5 environments-unreadable: This is not valid YAML: ',
    ],
    [
      'environments',
      '- a',
      'contracts/environments.yaml:1:1 environment-invalid: The file is not a map of environments.',
    ],
  ])('reports the location of a syntax error in %s.yaml', async (name, text, start) => {
    const problems = await problemsWith({ [`contracts/${name}.yaml`]: text });
    expect(problems.map((problem) => problem.slice(0, start.length))).toEqual([start]);
  });

  test('accepts files that contain only comments', async () => {
    expect(
      await problemsWith({ 'contracts/waivers.yaml': '# none\n', 'contracts/environments.yaml': '' }),
    ).toEqual([]);
  });

  test('reports a store without schemas as missing', async () => {
    using disk = new TemporaryContractStore({ 'contracts/operations/shop/a.graphql': 'query A { a }' });
    expect(problemsOf(await readContractStore(disk.directory), disk)).toEqual([
      'store-missing: contracts has no schemas/<subgraph>.graphql.',
    ]);
  });

  test('reports texts that are nested too deep', async () => {
    const deep = 20_000;
    expect(
      await problemsWith({
        'contracts/schemas/deep.graphql': `type Query { a: ${'['.repeat(deep)}Int${']'.repeat(deep)} }`,
        'contracts/schemas/deeper.graphql': `type Query { a: ${'['.repeat(1000)}Int${']'.repeat(1000)} }`,
        'contracts/schemas/wide.graphql': `type Query { a: [Int] ${'b(c: [Int]): [Int] '.repeat(1001)} }`,
        'contracts/operations/shop/deep.graphql': `query Deep ${'{ a '.repeat(deep)}${'}'.repeat(deep)}`,
      }),
    ).toEqual([
      'contracts/operations/shop/deep.graphql:1:4012 operation-unparseable: The text is nested more than 1000 levels deep.',
      'contracts/schemas/deep.graphql:1:1016 schema-unparseable: The text is nested more than 1000 levels deep.',
      'contracts/schemas/deeper.graphql:1:1016 schema-unparseable: The text is nested more than 1000 levels deep.',
    ]);
  });

  test('accepts a directory in any notation', async () => {
    using disk = new TemporaryContractStore(schema);
    const below = (path: string) => relative(process.cwd(), disk.path(path));
    for (const directory of [`${disk.directory}/`, below('contracts'), `${below('.')}/./contracts`]) {
      const { schemas, problems } = await readContractStore(directory);
      expect([[...schemas.keys()], problems]).toEqual([['products'], []]);
    }
  });

  test('reports a broken symbolic link as unreadable', async () => {
    using disk = new TemporaryContractStore(schema);
    mkdirSync(disk.path('contracts/operations'));
    symlinkSync('nowhere', disk.path('contracts/operations/gone.graphql'));
    expect(problemsOf(await readContractStore(disk.directory), disk)).toEqual([
      'contracts/operations/gone.graphql:1:1 store-file-unreadable: contracts/operations/gone.graphql does not exist.',
    ]);
  });
});

describe('readContractStore at a revision', () => {
  test('reads the store as of the revision', async () => {
    using disk = new TemporaryContractStore({
      ...schema,
      'contracts/operations/shop/a.graphql': 'query A { ä: a }',
      'contracts/waivers.yaml': 'broken: [',
      'contracts/README.md': 'notes',
    });
    disk.commit('v1').write({ 'contracts/schemas/products.graphql': 'type Query { b: Int }' }).commit('v2');
    disk.remove('contracts');
    const store = await readContractStore(disk.directory, { ref: 'v1' });
    expect([...store.schemas.values()]).toEqual([
      {
        name: 'products',
        url: 'http://products.invalid/',
        file: `v1:${disk.directory}/schemas/products.graphql`,
        sdl: 'type Query { a: Int }',
      },
    ]);
    expect(problemsOf(store, disk).map((problem) => problem.slice(0, 60))).toEqual([
      'v1:contracts/operations/shop/a.graphql:1:11 operation-unparseable'.slice(0, 60),
      'v1:contracts/waivers.yaml:1:10 waivers-unreadable: This is not valid YAML'.slice(0, 60),
    ]);
    const { schemas } = await readContractStore(disk.directory, { ref: 'HEAD' });
    expect(schemas.get('products')?.sdl).toBe('type Query { b: Int }');
  });

  test('reads many files with any content', async () => {
    const files = Array.from({ length: 50 }, (_, index) => [
      `contracts/operations/shop/o ${index}.graphql`,
      `query Q${index} { a } # ${'ü\n# '.repeat(index)}`,
    ]);
    using disk = new TemporaryContractStore({ ...schema, ...Object.fromEntries(files) }).commit('v1');
    const [now, then] = await Promise.all([
      readContractStore(disk.directory),
      readContractStore(disk.directory, { ref: 'v1' }),
    ]);
    expect(then.operations.map(({ name }) => name)).toEqual(now.operations.map(({ name }) => name));
    expect(then.operations).toHaveLength(50);
    expect(then.problems).toEqual([]);
  });

  test('follows symbolic links within the revision and reports those that leave it', async () => {
    using disk = new TemporaryContractStore({ ...schema, 'team/reviews.graphql': 'type Query { b: Int }' });
    const link = (target: string, name: string) =>
      symlinkSync(target, disk.path(`contracts/schemas/${name}`));
    link('../../team/reviews.graphql', 'reviews.graphql');
    link('reviews.graphql', 'stars.graphql');
    link('/nowhere', 'outside.graphql');
    link('loop.graphql', 'loop.graphql');
    disk.commit('v1').write({ 'team/reviews.graphql': 'type Query { c: Int }' });
    for (const gone of [false, true]) {
      if (gone) disk.remove('contracts');
      const store = await readContractStore(disk.directory, { ref: 'v1' });
      expect([...store.schemas.values()].map(({ name, sdl }) => `${name}: ${sdl}`)).toEqual([
        'products: type Query { a: Int }',
        'reviews: type Query { b: Int }',
        'stars: type Query { b: Int }',
      ]);
      expect(problemsOf(store, disk)).toEqual(
        [
          'v1:contracts/schemas/outside.graphql:1:1 store-file-unreadable: v1:contracts/schemas/outside.graphql is a symbolic link to /nowhere, which is outside of the repository.',
          'v1:contracts/schemas/loop.graphql:1:1 store-file-unreadable: v1:contracts/schemas/loop.graphql is a symbolic link that leads to no file of the revision.',
        ].toSorted(),
      );
    }
  });

  test('reports submodules as unreadable', async () => {
    using disk = new TemporaryContractStore(schema).commit('v1');
    const commit = disk.git('rev-parse', 'HEAD');
    disk.git('update-index', '--add', '--cacheinfo', `160000,${commit},contracts/operations/app`);
    disk.git('commit', '--quiet', '--message', 'with a submodule');
    const store = await readContractStore(disk.directory, { ref: 'HEAD' });
    expect([...store.schemas.keys()]).toEqual(['products']);
    expect(problemsOf(store, disk)).toEqual([
      'HEAD:contracts/operations/app:1:1 store-file-unreadable: HEAD:contracts/operations/app is a submodule, and submodules are not read.',
    ]);
  });

  test('reports a missing revision, a missing store and a missing repository', async () => {
    using disk = new TemporaryContractStore({ 'other.txt': '' }).commit('v1');
    using bare = new TemporaryContractStore(schema);
    disk.write({ ...schema, 'contracts/schemas/latin.graphql': Uint8Array.of(0x23, 0xe4) }).commit('v2');
    const read = async (store: TemporaryContractStore, ref: string) =>
      problemsOf(await readContractStore(store.directory, { ref }), store).map((line) =>
        line.replaceAll(store.root, ''),
      );
    expect(await read(disk, 'v9')).toEqual([
      `revision-unknown: contracts cannot be read at revision v9: Git knows no revision "v9" here.`,
    ]);
    expect(await read(disk, '--all')).toEqual([
      `revision-unknown: contracts cannot be read at revision --all: Git knows no revision "--all" here.`,
    ]);
    expect(await read(disk, 'v1')).toEqual([
      'store-missing: contracts has no schemas/<subgraph>.graphql at revision v1.',
    ]);
    expect(await read(disk, 'v2')).toEqual([
      'v2:contracts/schemas/latin.graphql:1:1 store-file-unreadable: v2:contracts/schemas/latin.graphql is not UTF-8 text.',
    ]);
    expect(await read(bare, 'HEAD')).toEqual([
      'revision-unknown: contracts cannot be read at revision HEAD: fatal: not a git repository (or any of the parent directories): .git.',
    ]);
  });
});
