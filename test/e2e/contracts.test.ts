import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  contracts,
  contractsProcess,
  federation,
  page,
  products,
  root,
  shipping,
  startContracts,
  store,
  withoutName,
  withoutUnused,
} from '../harness/contractsCommand.ts';
import { NodeProcess } from '../harness/nodeProcess.ts';
import { json, reset, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';

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
    const { code, stderr } = await contracts(disk.root, 'check');
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
