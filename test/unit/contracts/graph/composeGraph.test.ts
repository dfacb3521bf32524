import { describe, expect, test } from '@jest/globals';
import {
  composeContracts,
  composeGraph,
  loadGraph,
  newHints,
} from '../../../../contracts/graph/composeGraph.ts';
import { supergraphTools } from '../../../../gateway/contracts/supergraphTools.ts';
import { SupergraphRefusedError } from '../../../../gateway/supergraph/supergraphRefusedError.ts';
import { ComposedGraphs, contractsOf } from './testContracts.ts';

const products = 'type Query { top: Product }\ntype Product @key(fields: "id") { id: ID! name: String }';

const owner = (fields: string) => `type P @key(fields: "id") { id: ID! ${fields} }`;

describe('composeGraph', () => {
  test('returns the supergraph with a working planner', async () => {
    await using graphs = new ComposedGraphs();
    const { sdl, supergraph, contracts } = await graphs.compose({ products });
    expect(sdl).toContain('join__Graph');
    expect([...contracts.keys()]).toEqual(['products']);
    const plan = await supergraph.planner.plan({ document: '{ top { name } }', shouldSplitDefer: false });
    expect(plan.node).toMatchObject({ kind: 'Fetch', serviceName: 'products' });
  });

  test('returns one finding with a location per composition error', async () => {
    const composed = await composeGraph(
      contractsOf({
        products,
        stock: 'type Query { stock: Product }\ntype Product @key(fields: "id") {\n  id: ID!\n  name: Int\n}',
      }),
      supergraphTools,
    );
    expect(composed).toEqual({
      findings: [
        {
          rule: 'composition-error',
          severity: 'breaking',
          message: expect.stringMatching(/^FIELD_TYPE_MISMATCH: .*contracts\/schemas\/stock.graphql:5:3\)$/),
          coordinate: 'Product.name',
          subgraph: 'products',
          location: { file: 'contracts/schemas/products.graphql', line: 3, column: 43 },
          advice: expect.any(String),
        },
        expect.objectContaining({
          message: expect.stringMatching(
            /^INVALID_FIELD_SHARING: .*see also contracts.*stock.graphql:5:3\)$/,
          ),
          coordinate: 'Product.name',
          location: { file: 'contracts/schemas/products.graphql', line: 3, column: 43 },
        }),
      ],
    });
  });

  test('returns a finding for an SDL that does not parse', async () => {
    const composed = await composeGraph(contractsOf({ products: 'type Query {\n  top\n}' }), supergraphTools);
    expect(composed).toMatchObject({
      findings: [
        {
          rule: 'composition-error',
          message: expect.stringMatching(/^INVALID_GRAPHQL: .*Expected ":"/),
          location: { file: 'contracts/schemas/products.graphql', line: 4, column: 1 },
        },
      ],
    });
  });

  test('locates errors without locations by the names in their messages', async () => {
    const stock = 'type Query { stock: Int }\ntype Product {\n  id: ID!\n}\n\n';
    const locationsOf = async (sdl: string, link?: string) => {
      const contracts = new Map(contractsOf({ products, stock: sdl }));
      const [own] = [contracts.get('stock')];
      if (own !== undefined && link !== undefined) {
        contracts.set('stock', { ...own, sdl: own.sdl.replace(/federation\/v[0-9.]+/, link) });
      }
      const composed = await composeGraph(contracts, supergraphTools);
      return 'findings' in composed
        ? composed.findings.map(({ message, subgraph, location }) => [message, subgraph, location])
        : [];
    };
    const at = (line: number, column: number) => ({ file: 'contracts/schemas/stock.graphql', line, column });
    // The second of two definitions is the duplicate. The definition in the other subgraph does not count.
    expect(await locationsOf(`${stock}type Product {\n  id: ID!\n}\n`)).toEqual([
      [expect.stringMatching(/^INVALID_GRAPHQL: \[stock\].*one type named/), 'stock', at(7, 6)],
    ]);
    expect(await locationsOf(stock.replace('id: ID!', 'id: ID!\n  id: ID!'))).toEqual([
      [expect.stringMatching(/\[stock\] Field id already exists/), 'stock', at(5, 3)],
    ]);
    expect(await locationsOf(stock, 'federation/vX')).toEqual([
      [expect.stringMatching(/\[stock\] Expected a version string/), 'stock', at(1, 26)],
    ]);
  });

  test.each([
    ['TYPE_KIND_MISMATCH', 'T', 'type T { x: Int }', 'union T = U\ntype U { x: Int }'],
    ['FIELD_TYPE_MISMATCH', 'I.v', 'input I { v: Int }', 'input I { v: String }'],
    ['INPUT_FIELD_DEFAULT_MISMATCH', 'I.v', 'input I { v: Int = 1 }', 'input I { v: Int = 2 }'],
    ['ENUM_VALUE_MISMATCH', 'E.Y', 'enum E { X Y }', 'enum E { X }'],
    [
      'FIELD_ARGUMENT_TYPE_MISMATCH',
      '@foo(a:)',
      'directive @foo(a: Int) on FIELD',
      'directive @foo(a: ID) on FIELD',
    ],
    [
      'FIELD_TYPE_MISMATCH',
      'P.w',
      'type P @key(fields: "id") { id: ID! w: Int @shareable }',
      'type P @key(fields: "id") { id: ID! w: ID @shareable }',
    ],
    [
      'FIELD_ARGUMENT_TYPE_MISMATCH',
      'P.w(u:)',
      owner('w(u: Int): Int @shareable'),
      owner('w(u: ID): Int @shareable'),
    ],
    [
      'FIELD_ARGUMENT_DEFAULT_MISMATCH',
      'P.w(u:)',
      owner('w(u: Int = 1): Int @shareable'),
      owner('w(u: Int = 2): Int @shareable'),
    ],
    [
      'EXTERNAL_TYPE_MISMATCH',
      'P.w',
      owner('w: Int'),
      owner('w: ID @external s: Int @requires(fields: "w")'),
    ],
    [
      'EXTERNAL_ARGUMENT_MISSING',
      'P.w(u:)',
      owner('w(u: Int): Int'),
      owner('w: Int @external s: Int @requires(fields: "w")'),
    ],
    [
      'EXTERNAL_ARGUMENT_TYPE_MISMATCH',
      'P.w(u:)',
      owner('w(u: Int): Int'),
      owner('w(u: ID): Int @external s: Int @requires(fields: "w")'),
    ],
    [
      'EXTERNAL_ARGUMENT_DEFAULT_MISMATCH',
      'P.w(u:)',
      owner('w(u: Int = 1): Int'),
      owner('w(u: Int = 2): Int @external s: Int @requires(fields: "w")'),
    ],
    ['EXTERNAL_UNUSED', 'P.w', owner('w: Int'), owner('w: Int @external s: Int')],
    ['KEY_INVALID_FIELDS', 'P', owner(''), 'type P @key(fields: "id nope") { id: ID! }'],
  ])(
    'takes the coordinate of %s from the message when the composer gives none: %s',
    async (code, coordinate, first, second) => {
      const query = 'type Query { a(e: E, i: I): E @shareable p: P @shareable t: T @shareable }\n';
      const types = {
        E: 'enum E { X }',
        I: 'input I { v: Int }',
        P: owner(''),
        T: 'type T @shareable { x: Int }',
      };
      const complete = (sdl: string) =>
        [
          query,
          sdl,
          ...Object.entries(types).flatMap(([name, text]) =>
            sdl.match(`(type|enum|input|union) ${name}\\b`) ? [] : [text],
          ),
        ].join('\n');
      const composed = await composeContracts(
        contractsOf({ first: complete(first), second: complete(second) }),
        supergraphTools,
      );
      const findings = 'findings' in composed ? composed.findings : [];
      const errors = findings.map((finding) => [finding.message.split(':')[0], finding.coordinate]);
      expect(errors).toContainEqual([code, coordinate]);
    },
  );

  test('returns supergraph-refused at the directive that the gateway refuses', async () => {
    const composed = await composeGraph(
      contractsOf({
        products:
          'extend schema @link(url: "https://specs.apollo.dev/federation/v2.12") @link(url: "https://specs.apollo.dev/connect/v0.3", import: ["@connect"])\ntype Query {\n  top: [Int] @connect(http: { GET: "http://rest.test/a" }, selection: "id")\n}',
      }),
      supergraphTools,
    );
    expect(composed).toMatchObject({
      findings: [
        {
          rule: 'supergraph-refused',
          severity: 'breaking',
          message: expect.stringMatching(/does not load .*@connect is not executed.*Query\.top/),
          subgraph: 'products',
          coordinate: 'Query.top',
          location: { file: 'contracts/schemas/products.graphql', line: 3, column: 14 },
        },
      ],
    });
  });

  test('says how to raise the planner memory when it is too small, and loads with what it is raised to', async () => {
    const contracts = contractsOf({ products });
    const composed = await composeContracts(contracts, supergraphTools);
    const enough = 96 * 1024 ** 2;
    const load = async (sdl: string, planningMemory = 0) => {
      if (planningMemory >= enough) return supergraphTools.load(sdl, planningMemory);
      throw new SupergraphRefusedError(
        'loading the supergraph needs more memory than 64 MB (planning.memory)',
      );
    };
    expect(await loadGraph(contracts, composed, { load })).toMatchObject({
      findings: [
        {
          rule: 'supergraph-refused',
          message: expect.stringMatching(/needs more memory than 64 MB \(planning\.memory\)$/),
          advice: expect.stringMatching(/^Raise planning\.memory .* --gateway-config FILE/),
        },
      ],
    });
    const loaded = await loadGraph(contracts, composed, { load }, enough);
    expect(loaded).toHaveProperty('graph');
    if ('graph' in loaded) await loaded.graph.supergraph.planner.close();
  });

  test('returns supergraph-refused when there are no subgraphs', async () => {
    expect(await composeGraph(new Map(), supergraphTools)).toMatchObject({
      findings: [{ rule: 'supergraph-refused' }],
    });
  });
});

describe('newHints', () => {
  const shared = (type: string) => `type Query { a: V @shareable }\ntype V @shareable { known: Int ${type} }`;
  const other = 'type Query { b: V @shareable }\ntype V @shareable { known: Int! other: Int! }';

  test('reports hints that the baseline lacks, at any location', async () => {
    await using graphs = new ComposedGraphs();
    const old = await graphs.compose({ shared: shared('other: Int!'), other });
    const next = await graphs.compose({ shared: `# moves lines\n${shared('other: Int')}`, other });
    expect(newHints(old, next)).toEqual([
      expect.objectContaining({
        rule: 'composition-hint',
        severity: 'dangerous',
        message: expect.stringMatching(/^INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE: /),
        coordinate: 'V.other',
        subgraph: expect.any(String),
        location: expect.objectContaining({ file: expect.stringMatching(/^contracts\/schemas\//) }),
      }),
    ]);
    expect(newHints(undefined, next).length).toBe(next.hints.length);
    expect(newHints(next, next)).toEqual([]);
  });

  test('reports what an @override leaves behind as safe, and to be removed later', async () => {
    await using graphs = new ComposedGraphs();
    const moved =
      'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@override"])';
    const next = await graphs.compose({
      before: 'type Query { a: Int }',
      after: `${moved} type Query { a: Int @override(from: "before") b: Int }`,
    });
    expect(newHints(undefined, next)).toEqual([
      expect.objectContaining({
        severity: 'safe',
        coordinate: 'Query.a',
        advice: 'Clean it up in a later change, when every gateway has this supergraph.',
      }),
    ]);
  });
});
