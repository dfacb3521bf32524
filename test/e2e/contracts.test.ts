import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { RecordingDirectory } from '../../gateway/contracts/recording/recordingDirectory.ts';
import { canonicalizeOperation } from '../../gateway/operation/canonicalizeOperation.ts';
import { type CommandOutcome, runCommandInProcess } from '../harness/commandInProcess.ts';
import { NodeProcess } from '../harness/nodeProcess.ts';
import { json, reset, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';

const root = new URL('../../', import.meta.url).pathname;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  /** Without progress lines. */
  readonly stderr: string;
  readonly progress: readonly string[];
}

/** Runs `tributary contracts …` in a directory. */
async function contracts(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return readOutcome(await runCommandInProcess(['contracts', ...args], cwd));
}

/** Runs it in a process of its own, as in CI. */
async function contractsProcess(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return readOutcome(await startContracts(cwd, ...args).ended);
}

function startContracts(cwd: string, ...args: readonly string[]): NodeProcess {
  return new NodeProcess([`${root}gateway/cli.ts`, 'contracts', ...args], { cwd });
}

function readOutcome({ code, stdout, stderr }: CommandOutcome): Outcome {
  const lines = stderr.split('\n');
  return {
    code,
    stdout,
    stderr: lines.filter((line) => !line.startsWith('… ')).join('\n'),
    progress: lines.filter((line) => line.startsWith('… ')),
  };
}

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires"])\n';

const products = `${federation}
type Query {
  product(id: ID!): Product
}
type Product @key(fields: "id") {
  id: ID!
  name: String!
  unused: String
  weight: Int
  size: Int
}
`;

const shipping = `${federation}
type Product @key(fields: "id") {
  id: ID!
  weight: Int @external
  estimate: Int @requires(fields: "weight")
}
`;

const page = `# @slo latency: 200ms
query Page($id: ID!) {
  product(id: $id) {
    name
    estimate
  }
}
`;

const store = {
  'contracts/schemas/products.graphql': products,
  'contracts/schemas/shipping.graphql': shipping,
  'contracts/operations/shop/page.graphql': page,
};

const withoutName = products.replace('  name: String!\n', '');
const withoutUnused = products.replace('  unused: String\n', '');

/** Severity, rule and location of each finding. */
function findingsIn(jsonReport: string): string[] {
  const { findings } = JSON.parse(jsonReport) as {
    findings: {
      rule: string;
      severity: string;
      waivedBy?: string;
      location?: { file: string; line: number; column: number };
    }[];
  };
  return findings.map(({ rule, severity, waivedBy, location }) => {
    const where = location === undefined ? '' : ` ${location.file}:${location.line}:${location.column}`;
    return `${waivedBy === undefined ? severity : 'waived'} ${rule}${where}`;
  });
}

describe('contracts check', () => {
  test('passes when nothing has changed since the last commit', async () => {
    using disk = new TemporaryContractStore(store).commit('v1');
    const { code, stdout, stderr, progress } = await contractsProcess(disk.root, 'check');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('2 subgraphs, 1 consumer, 1 operation checked');
    expect(progress).toEqual([
      '… comparing with revision HEAD',
      '… composing the candidate: 2 subgraphs',
      '… planning operations for the candidate: 1 of 1',
      '… starting a gateway on the candidate',
      '… rating the changes',
    ]);
  });

  test('starts its own gateway where the environment names a proxy', async () => {
    using disk = new TemporaryContractStore(store).commit('v1');
    Object.assign(process.env, { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:9/' });
    try {
      const { code, stderr } = await contractsProcess(disk.root, 'check');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    } finally {
      delete process.env.NODE_USE_ENV_PROXY;
      delete process.env.HTTP_PROXY;
    }
  });

  test('keeps the exit code of its verdict when the reader of the report has exited', async () => {
    using disk = new TemporaryContractStore(store).commit('v1');
    disk.write({ 'contracts/schemas/products.graphql': withoutName });
    const { child, ended } = startContracts(disk.root, 'check');
    child.stdout?.destroy();
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^(… [^\n]*\n)+$/)]);
  });

  test('fails for a used field and names the operations; fails for an unused field with --strict only', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      'name.graphql': withoutName,
      'unused.graphql': withoutUnused,
    });
    const [used, unused, strict] = await Promise.all([
      contracts(disk.root, 'check', '--subgraph', 'products=name.graphql'),
      contracts(disk.root, 'check', '--subgraph', 'products=unused.graphql'),
      contracts(disk.root, 'check', '--subgraph', 'products=unused.graphql', '--strict'),
    ]);
    expect([used.code, unused.code, strict.code]).toEqual([1, 0, 1]);
    expect(used.stdout).toMatch(
      /^breaking {2}field-removed {2}products {2}Product\.name\n {2}at name\.graphql:6:6\n/,
    );
    expect(used.stdout).toContain('affects  shop/Page (contracts/operations/shop/page.graphql:2:1)');
    expect(unused.stdout).toMatch(/^dangerous {2}field-removed {2}products {2}Product\.unused\n/);
  });

  test('uses the gateway configuration and the step latency', async () => {
    const rules =
      'cache:\n  rules:\n    Product.name: { maxAge: 1m, staleIfError: 1h }\n    Product.code: { maxAge: 1m }\n';
    using disk = new TemporaryContractStore({
      ...store,
      'contracts/operations/shop/page.graphql': `# @slo staleness: 1m\n# @slo mayDefer: Product.nmae\n${page}`,
      'gateway.yaml': `supergraph: { file: '\${SUPERGRAPH_OF_NOBODY}' }\n${rules}`,
      'broken.yaml': rules.replace('1h', 'long'),
    });
    const run = async (...args: readonly string[]) => {
      const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json', ...args);
      return [code, findingsIn(stdout)];
    };
    const [at, unmatched, told] = [
      'contracts/operations/shop/page.graphql',
      'dangerous slo-unmatched contracts/operations/shop/page.graphql:2:1',
      'safe nothing-to-compare',
    ];
    expect(await run()).toEqual([0, [unmatched, told]]);
    const known = ['--gateway-config', 'gateway.yaml', '--step-latency', '150ms'];
    expect(await run(...known)).toEqual([
      1,
      [
        `breaking latency-slo ${at}:4:1`,
        `breaking staleness-slo ${at}:4:1`,
        'breaking gateway-config-outdated gateway.yaml:5:5',
        unmatched,
        told,
      ],
    ]);
    expect(await run('--gateway-config', 'broken.yaml')).toEqual([
      2,
      ['misuse gateway-config-invalid broken.yaml:3:33', unmatched, told],
    ]);
    disk.commit('v1').write({
      'contracts/environments.yaml':
        'live: { subgraphs: { products: v1, shipping: v1 }, gatewayConfig: ../gateway.yaml, stepLatency: 150ms }\n',
    });
    expect(await run('--environment', 'live')).toEqual([
      0,
      [
        unmatched,
        `dangerous latency-slo ${at}:4:1`,
        `dangerous staleness-slo ${at}:4:1`,
        'dangerous gateway-config-outdated gateway.yaml:5:5',
      ],
    ]);
  });

  test('reports an operation that already failed as dangerous for a candidate and as breaking for the store', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      'shipping.graphql': `# Nothing but this.\n${shipping}`,
      'contracts/operations/app/never.graphql': 'query Never {\n  never\n}\n',
    });
    const check = async (...args: readonly string[]) => {
      const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json', ...args);
      return [code, ...findingsIn(stdout)];
    };
    const broken = 'operation-broken contracts/operations/app/never.graphql:2:3';
    expect(await Promise.all([check('--subgraph', 'shipping=shipping.graphql'), check()])).toEqual([
      [0, `dangerous ${broken}`],
      [1, `breaking ${broken}`],
    ]);
  });

  test.each([
    ['is no subgraph', shipping.replace('"weight"', '"wieght"'), '6:17'],
    ['does not parse', shipping.replace('Int @external', '@external'), '5:11'],
  ])('passes when a change corrects a schema that %s', async (_, wrong, location) => {
    using disk = new TemporaryContractStore({ ...store, 'contracts/schemas/shipping.graphql': wrong });
    disk.commit('v1').write(store);
    const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json');
    expect([code, findingsIn(stdout)]).toEqual([
      0,
      expect.arrayContaining([
        `safe baseline-not-composed HEAD:contracts/schemas/shipping.graphql:${location}`,
      ]),
    ]);
  });

  test('writes several formats in one run', async () => {
    using disk = new TemporaryContractStore({ ...store, 'name.graphql': withoutName }).commit('v1');
    const { code, stdout, stderr } = await contracts(
      disk.root,
      'check',
      ...['--subgraph', 'products=name.graphql', '--format', 'github', '--format', 'json'],
      ...['--out', 'reports/check.json', '--format', 'junit', '--out', 'reports/check.xml'],
    );
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^::error file=name\.graphql,line=6,col=6,/);
    expect(findingsIn(readFileSync(disk.path('reports/check.json'), 'utf8'))).toEqual([
      'breaking field-removed name.graphql:6:6',
    ]);
    expect(readFileSync(disk.path('reports/check.xml'), 'utf8')).toContain('<testsuite name="products"');
  });

  test('writes paths from the root of the repository for platforms, wherever it runs', async () => {
    const moved = Object.fromEntries(Object.entries(store).map(([path, text]) => [`shop/${path}`, text]));
    using disk = new TemporaryContractStore({ ...moved, 'shop/name.graphql': withoutName }).commit('v1');
    const { stdout } = await contracts(
      disk.path('shop'),
      ...['check', '--subgraph', 'products=name.graphql', '--format', 'github', '--format', 'sarif'],
      ...[
        '--out',
        'a.sarif',
        '--format',
        'gitlab',
        '--out',
        'a.json',
        '--format',
        'markdown',
        '--out',
        'a.md',
      ],
      ...['--format', 'text', '--out', 'a.txt'],
    );
    const written = (file: string) => readFileSync(disk.path(`shop/${file}`), 'utf8');
    expect(stdout).toMatch(/^::error file=shop\/name\.graphql,/);
    expect(stdout).toContain('shop/Page (shop/contracts/operations/shop/page.graphql:2:1)');
    const [result] = JSON.parse(written('a.sarif')).runs[0].results;
    const uris = [...result.locations, ...result.relatedLocations].map(
      ({ physicalLocation }) => physicalLocation.artifactLocation.uri,
    );
    expect(uris).toEqual(['shop/name.graphql', 'shop/contracts/operations/shop/page.graphql']);
    expect(JSON.parse(written('a.json'))[0].location.path).toBe('shop/name.graphql');
    expect(written('a.md')).toContain('shop/name.graphql:6:6');
    expect(written('a.txt')).toContain('\n  at name.graphql:6:6\n');
    // What is compared with is shown at its revision.
    disk.remove('shop/contracts/schemas/shipping.graphql');
    const removed = await contracts(disk.path('shop'), 'check', '--format', 'github');
    expect(removed.stdout).toMatch(/^::error file=shop\/contracts\/schemas\/shipping\.graphql,/);
  });

  test('compares with a revision, a directory or an environment', async () => {
    using disk = new TemporaryContractStore(store).commit('v1');
    disk.write({ 'contracts/schemas/products.graphql': withoutUnused }).commit('v2');
    disk.write({
      'contracts/environments.yaml':
        'live:\n  subgraphs: { products: [v1, v2], shipping: v1 }\n  gateways: v1\n',
    });
    const check = async (...args: readonly string[]) => {
      const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json', ...args);
      return [code, ...findingsIn(stdout)];
    };
    const removed = 'dangerous field-removed contracts/schemas/products.graphql:6:6';
    expect(
      await Promise.all([
        check(),
        check('--against', 'v1'),
        check('--against', 'contracts'),
        check('--environment', 'live'),
      ]),
    ).toEqual([[0], [0, removed], [0], [0, removed]]);
  });

  test('passes with a waiver until it expires', async () => {
    using disk = new TemporaryContractStore(store).commit('v1');
    const waivers = (expires: string) =>
      `- rule: field-removed\n  coordinate: Product.name\n  reason: It is time.\n  owner: shop\n  subgraph: products\n  expires: ${expires}\n`;
    disk.write({ 'name.graphql': withoutName, 'contracts/waivers.yaml': waivers('2999-12-31') });
    const check = async () => {
      const args = ['check', '--subgraph', 'products=name.graphql', '--format', 'json'];
      const { code, stdout } = await contracts(disk.root, ...args);
      return [code, ...findingsIn(stdout)];
    };
    expect(await check()).toEqual([0, 'waived field-removed name.graphql:6:6']);
    disk.write({ 'contracts/waivers.yaml': waivers('2020-01-31') });
    expect(await check()).toEqual([
      1,
      'breaking waiver-expired contracts/waivers.yaml:1:3',
      'breaking field-removed name.graphql:6:6',
    ]);
    disk.write({ 'contracts/waivers.yaml': waivers('2999-12-31') });
    const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json');
    expect([code, findingsIn(stdout)]).toEqual([1, ['breaking waiver-unused contracts/waivers.yaml:1:3']]);
  });

  test('passes with the waiver of a merged removal until it expires, for the operations of that time', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      'contracts/schemas/products.graphql': withoutName,
      'contracts/waivers.yaml':
        '- { rule: field-removed, coordinate: Product.name, reason: Agreed., owner: shop, expires: 2999-12-31 }\n',
    });
    const check = async (...args: readonly string[]) => {
      const { code, stdout } = await contracts(disk.root, 'check', '--format', 'json', ...args);
      return [code, ...findingsIn(stdout)];
    };
    expect(await check()).toEqual([0, 'waived field-removed contracts/schemas/products.graphql:6:6']);
    const broken = 'operation-broken contracts/operations/shop/page.graphql:4:5';
    disk.commit('v2').write({
      'contracts/schemas/products.graphql': withoutName.replace('  unused: String\n', ''),
    });
    expect(await check()).toEqual([
      0,
      'dangerous field-removed contracts/schemas/products.graphql:6:6',
      `waived ${broken}`,
    ]);
    const added = 'contracts/operations/app/name.graphql';
    disk.write({ [added]: 'query Name {\n  product(id: 1) { name }\n}\n' });
    expect(await check()).toEqual([
      1,
      `breaking operation-broken ${added}:2:20`,
      'dangerous field-removed contracts/schemas/products.graphql:6:6',
      `waived ${broken}`,
    ]);
  });

  test('reports every mistake with its location in one run', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      'contracts/schemas/broken.graphql': 'type Query {\n  a:\n}\n',
      'contracts/operations/shop/broken.graphql': 'query Broken {\n',
      'contracts/operations/shop/again.graphql': 'query Page {\n  __typename\n}\n',
      'contracts/operations/shop/latin.graphql': Uint8Array.of(0x23, 0xe4),
      'contracts/operations/stray.graphql': '{ __typename }',
      'contracts/waivers.yaml': '- rule: field-removed\n  coordinate: Product.name\n',
      'contracts/environments.yaml': 'live: [',
    });
    const { code, stdout, stderr } = await contracts(
      disk.root,
      'check',
      ...['--subgraph', 'a=gone.graphql', '--subgraph', 'nameless', '--against', 'v9', '--format', 'json'],
    );
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    expect(findingsIn(stdout).sort()).toEqual([
      'misuse argument-invalid',
      'misuse candidate-unreadable gone.graphql:1:1',
      'misuse environments-unreadable contracts/environments.yaml:1:8',
      'misuse operation-duplicate contracts/operations/shop/page.graphql:2:1',
      'misuse operation-unparseable contracts/operations/shop/broken.graphql:2:1',
      'misuse revision-unknown',
      'misuse schema-unparseable contracts/schemas/broken.graphql:3:1',
      'misuse store-file-unknown contracts/operations/stray.graphql:1:1',
      'misuse store-file-unreadable contracts/operations/shop/latin.graphql:1:1',
      'misuse waiver-incomplete contracts/waivers.yaml:1:3',
    ]);
  });

  test('does not say that an operation failed before when the revision to compare with is not known', async () => {
    using disk = new TemporaryContractStore({
      ...store,
      'products.graphql': products.replace('name:', 'title:'),
    });
    disk.commit('v1');
    const candidate = ['--subgraph', 'products=products.graphql', '--against', 'origin/main'];
    const { code, stdout } = await contracts(disk.root, 'check', ...candidate, '--format', 'json');
    expect(code).toBe(2);
    expect(findingsIn(stdout)).toEqual([
      'misuse revision-unknown',
      'breaking operation-broken contracts/operations/shop/page.graphql:4:5',
    ]);
    expect(stdout).not.toContain('existed before');
  });

  test('names the subgraph that a misspelled candidate is similar to', async () => {
    using disk = new TemporaryContractStore({
      ...store,
      'products.graphql': products,
      'sizes.graphql': `${federation}type Product @key(fields: "id") { id: ID! weightClass: String }\n`,
    }).commit('v1');
    const misspelled = await contracts(disk.root, 'check', '--subgraph', 'product=products.graphql');
    expect([misspelled.code, misspelled.stdout]).toEqual([
      2,
      expect.stringMatching(
        /^misuse {2}argument-invalid {2}product\n {2}There is no contract of a subgraph "product", and it does not compose as a new one\.\n {2}to do {4}Did you mean products\?\n\nbreaking {2}composition-error/,
      ),
    ]);
    // What composes is a new subgraph.
    const added = await contracts(disk.root, 'check', '--subgraph', 'product=sizes.graphql');
    expect([added.code, added.stdout]).toEqual([
      0,
      expect.stringMatching(
        /^safe {2}subgraph-added[\s\S]*to do {4}If it is not new, did you mean products\? Roll the subgraph out/,
      ),
    ]);
  });

  test('is undecided after two attempts to fetch a subgraph', async () => {
    using disk = new TemporaryContractStore(store);
    await using running = await startScriptedSubgraph();
    running.enqueueScripts(reset, reset);
    const check = () => contracts(disk.root, 'check', '--subgraph', `products=${running.url}`);
    const { code, stdout } = await check();
    expect([code, running.requests.length]).toEqual([3, 2]);
    expect(stdout).toContain(`${running.url} did not give its schema: `);
    running.enqueueScripts(reset, json({ data: { _service: { sdl: withoutUnused } } }));
    expect(await check()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^dangerous {2}field-removed {2}products {2}Product\.unused\n/),
    });
  });

  test('fetches candidates through the proxy of the environment, but not from this machine or the hosts of NO_PROXY', async () => {
    using disk = new TemporaryContractStore(store);
    await using proxy = await startScriptedSubgraph();
    await using running = await startScriptedSubgraph();
    const answer = json({ data: { _service: { sdl: withoutUnused } } });
    proxy.setDefaultScript(answer);
    running.setDefaultScript(answer);
    const check = (url: string) => contracts(disk.root, 'check', '--subgraph', `products=${url}`);
    Object.assign(process.env, { http_proxy: proxy.url, no_proxy: '0.0.0.0' });
    for (const url of [
      'http://products.invalid/graphql',
      running.url,
      running.url.replace('127.0.0.1', '0.0.0.0'),
    ])
      expect((await check(url)).code).toBe(0);
    expect(proxy.requests.map(({ path }) => path)).toEqual(['http://products.invalid/graphql']);
    expect(running.requests).toHaveLength(2);
  });

  test('needs the configuration of the candidate only, and does not try again without it', async () => {
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(json({ data: { _service: { sdl: withoutUnused } } }));
    using disk = new TemporaryContractStore({
      ...store,
      'tributary.yaml': `supergraph:
  subgraphs:
    - { name: products, url: '${running.url}', headers: { x-key: key } }
    - { name: shipping, url: '${running.url}', headers: { x-key: '$\{KEY_OF_SHIPPING}' } }
`,
    });
    const check = (name: string) =>
      contracts(disk.root, 'check', '--directory', 'contracts', '--subgraph', `${name}=${running.url}`);
    expect((await check('products')).code).toBe(0);
    expect(running.requests.map(({ headers }) => headers.get('x-key'))).toEqual(['key']);
    const { code, stderr } = await check('shipping');
    expect([code, stderr]).toEqual([2, expect.stringContaining('KEY_OF_SHIPPING, which is not set')]);
    expect(running.requests).toHaveLength(1);
  });

  test.each([
    [['--format', 'xml'], '--format xml is not known; expected: one of text, json, '],
    [['--out', 'a', '--out', 'b'], '--out b: text is already written to a.'],
    [['--out', 'contracts'], 'contracts cannot be written: '],
    [['--environment', 'a', '--environment', 'b'], "error: option '--environment <name>' is given twice"],
    [['--formt', 'json'], "error: unknown option '--formt'"],
  ])('refuses %j with exit code 2', async (args, message) => {
    using disk = new TemporaryContractStore(store);
    const { code, stderr } = await contracts(disk.root, 'check', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  test('refuses a file that cannot be written before it checks, and leaves no empty file', async () => {
    using disk = new TemporaryContractStore({ ...store, file: '' });
    const check = (...files: readonly string[]) =>
      contracts(disk.root, 'check', ...files.flatMap((file) => ['--format', 'json', '--out', file]));
    expect(await check('reports/a.json', 'file/b.json')).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^file\/b\.json cannot be written: /),
      progress: [],
    });
    expect(readdirSync(disk.path('reports'))).toEqual([]);
  });

  test('is undecided after an unexpected error', async () => {
    using disk = new TemporaryContractStore();
    symlinkSync('contracts', disk.path('contracts'));
    const { code, stderr } = await contractsProcess(disk.root, 'check');
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^Nothing could be decided: ELOOP: [^\n]*\n$/)]);
  });

  test('a program that cannot be loaded is undecided, and does not say that something breaks', async () => {
    using disk = new TemporaryContractStore({});
    const hook = `import { registerHooks } from 'node:module';
      registerHooks({ resolve: (specifier, context, next) => {
        if (specifier.endsWith('/check.ts')) throw new Error('a package is missing');
        return next(specifier, context);
      } });`;
    const args = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, `${root}gateway/cli.ts`];
    const { code, stderr } = await new NodeProcess([...args, 'contracts', 'check'], { cwd: disk.root }).ended;
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/^Nothing could be decided, .*: a package is missing\./m),
    ]);
  });

  test('needs a store', async () => {
    using disk = new TemporaryContractStore();
    const { code, stdout } = await contracts(disk.root, 'check', '--directory', 'elsewhere');
    expect([code, stdout]).toEqual([
      2,
      expect.stringContaining('elsewhere has no schemas/<subgraph>.graphql.'),
    ]);
  });

  test('finds the store by contracts.directory', async () => {
    const configured = (text: string) =>
      `supergraph: { file: s.graphql }\ncontracts: { directory: ${text} }\n`;
    using disk = new TemporaryContractStore({ 'tributary.yaml': configured('agreements') });
    const { stdout } = await contracts(disk.root, 'check');
    expect(stdout).toContain('agreements has no schemas/<subgraph>.graphql.');
    disk.write({ 'tributary.yaml': configured(`'$\{NOT_SET}'`) });
    const { code, stderr } = await contracts(disk.root, 'check');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/NOT_SET, which is not set[\s\S]*correct tributary\.yaml, or give --directory/),
    ]);
    disk.write({
      'tributary.yaml': `supergraph: { url: '$\{NOT_SET}' }\ncontracts: { directory: agreements }\n`,
    });
    const withoutSecrets = await contracts(disk.root, 'check');
    expect(withoutSecrets.stdout).toContain('agreements has no schemas/<subgraph>.graphql.');
    const named = await contracts(disk.root, 'check', '--directory', 'elsewhere');
    expect(named.stdout).toContain('elsewhere has no schemas/<subgraph>.graphql.');
  });

  test('passes for the contracts of the demo', async () => {
    const { code, stdout } = await contracts(root, 'check', '--format', 'json');
    const { summary, findings } = JSON.parse(stdout);
    const failing = findings.filter(({ severity }: { severity: string }) => !/safe|dangerous/.test(severity));
    expect([code, failing]).toEqual([0, []]);
    expect(summary.checked).toMatchObject({
      directory: 'contracts/demo',
      subgraphs: 5,
      consumers: 1,
      operations: 5,
    });
  });
});

describe('the contract commands for a clone in docs/contracts.md', () => {
  const page = readFileSync(`${root}docs/contracts.md`, 'utf8');
  const section = page.split('In a clone of this repository')[1] ?? '';
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(section) ?? [];
  const commands = Array.from(
    block.matchAll(/^npx tributary contracts ([^#\n]*[^#\s])/gm),
    ([, text = '']) => text,
  );

  test('succeed as printed in a clone of this repository', async () => {
    using disk = new TemporaryContractStore();
    disk.git('clone', '--quiet', '--no-hardlinks', root, 'clone');
    const outcomes: unknown[] = [];
    for (const command of commands) {
      const args = Array.from(
        command.matchAll(/'([^']*)'|(\S+)/g),
        ([, quoted, word]) => quoted ?? word ?? '',
      );
      const { code, stderr } = await contracts(disk.path('clone'), ...args);
      outcomes.push([args[0], code, stderr]);
    }
    expect(outcomes).toEqual([
      ['check', 0, ''],
      ['check', 0, ''],
      ['can-deploy', 0, ''],
      ['accept', 0, ''],
    ]);
    expect(disk.git('-C', 'clone', 'status', '--porcelain')).toBe('');
  });
});

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

describe('contracts can-deploy', () => {
  const running = (gateways: string) => ({
    'contracts/environments.yaml': `live:\n  subgraphs: { products: v1, shipping: v1 }\n  gateways: ${gateways}\n`,
  });
  const canDeploy = async ({ root: cwd }: TemporaryContractStore, subgraph: string, environment = 'live') => {
    const args = ['--subgraph', subgraph, '--environment', environment];
    const { code, stdout } = await contracts(cwd, 'can-deploy', ...args);
    return [code, stdout] as const;
  };

  test('answers yes, no with the reason, or unknown', async () => {
    using disk = new TemporaryContractStore({ ...store, 'name.graphql': withoutName })
      .commit('v1')
      .write(running('v1'));
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
    expect(await canDeploy(disk, 'products=name.graphql')).toEqual([
      1,
      expect.stringMatching(/^No: products cannot be deployed to live now\.\n\nbreaking {2}field-removed/),
    ]);
    expect(await canDeploy(disk, 'shipping', 'staging')).toEqual([
      2,
      expect.stringMatching(
        /^Whether shipping can be deployed to staging now is not known: [\s\S]*it has live/,
      ),
    ]);
  });

  test('answers in the formats of a check', async () => {
    using disk = new TemporaryContractStore({ ...store, 'name.graphql': withoutName })
      .commit('v1')
      .write(running('v1'));
    const answerIn = async (subgraph: string, ...formats: readonly string[]) =>
      contracts(
        disk.root,
        ...['can-deploy', '--subgraph', subgraph, '--environment', 'live'],
        ...formats.flatMap((format) => ['--format', format]),
      );
    const target = { environment: 'live', steps: [] };
    const yes = await answerIn('shipping', 'json');
    expect([yes.code, JSON.parse(yes.stdout)]).toEqual([
      0,
      {
        version: 1,
        summary: expect.objectContaining({
          verdict: 'passed',
          exitCode: 0,
          deployability: { ...target, subgraph: 'shipping' },
        }),
        findings: [],
      },
    ]);
    const no = await answerIn('products=name.graphql', 'json');
    expect([no.code, JSON.parse(no.stdout)]).toMatchObject([
      1,
      {
        summary: {
          verdict: 'failed',
          exitCode: 1,
          deployability: {
            environment: 'live',
            subgraph: 'products',
            steps: [expect.stringMatching(/^Expand/), expect.any(String), expect.any(String)],
          },
        },
        findings: [{ rule: 'field-removed', severity: 'breaking' }],
      },
    ]);
    const written = await answerIn('products=name.graphql', 'github', 'text');
    expect(written.stdout).toMatch(
      /^::error file=name\.graphql[\s\S]*::No: products cannot be deployed to live now\. 1 breaking; [^\n]*\nNo: products cannot/,
    );
  });

  test('names the subgraph that a misspelled name is similar to', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write(running('v1'));
    expect(await canDeploy(disk, 'shiping')).toEqual([
      2,
      expect.stringMatching(
        /contracts has no contract of a subgraph "shiping"; it has products, shipping\.\n {2}to do {4}Did you mean shipping\?/,
      ),
    ]);
  });

  test('answers yes although an operation waits for another subgraph', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      ...running('v1'),
      'contracts/schemas/products.graphql': products.replace('unused: String', 'unused: String vip: Boolean'),
      'contracts/operations/app/vip.graphql': 'query Vip($id: ID!) {\n  product(id: $id) { vip }\n}\n',
    });
    disk.commit('v2');
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
  });

  test('requires the gateways first until they hold the new supergraph', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write(running('v1'));
    // Gateways of v1 would not send what the new version requires.
    const wider = shipping
      .replace('"weight"', '"weight size"')
      .replace('estimate:', 'size: Int @external\n  estimate:');
    disk.write({ 'contracts/schemas/shipping.graphql': wider });
    expect(await canDeploy(disk, 'shipping')).toEqual([1, expect.stringContaining('gateway first')]);
    disk.commit('v2').write(running('v2'));
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
  });

  test('answers yes to the last step of a move, and meanwhile to subgraphs that the move is not about', async () => {
    using disk = new TemporaryContractStore({
      ...store,
      'contracts/schemas/stores.graphql': `${federation}type Query { stores: Int }`,
      'contracts/operations/app/size.graphql': 'query Size($id: ID!) { product(id: $id) { size } }',
    }).commit('v1');
    disk.write({
      'contracts/schemas/products.graphql': products.replace('  size: Int\n', ''),
      'contracts/schemas/shipping.graphql': shipping.replace('estimate:', 'size: Int\n  estimate:'),
      'contracts/schemas/stores.graphql': `${federation}type Query { stores: Int open: Int }`,
    });
    disk.commit('v2');
    // Both subgraphs serve the field, so that what runs does not compose.
    const during = (gateways: string) => ({
      'contracts/environments.yaml': `live:\n  subgraphs: { products: v1, shipping: v2, stores: v1 }\n  gateways: ${gateways}\n`,
    });
    disk.write(during('v1'));
    expect(await canDeploy(disk, 'products')).toEqual([1, expect.stringContaining('gateway first')]);
    expect(await canDeploy(disk, 'stores')).toEqual([0, 'Yes: stores can be deployed to live now.\n']);
    disk.write(during('v2'));
    expect(await canDeploy(disk, 'products')).toEqual([0, 'Yes: products can be deployed to live now.\n']);
  });
});
