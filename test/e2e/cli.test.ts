// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables
import { closeSync, existsSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { folder, run, write } from '../harness/commandFolder.ts';
import { runCommandInProcess } from '../harness/commandInProcess.ts';
import { launcher, RunningCommand } from '../harness/runningCommand.ts';
import { json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { serveSdl } from '../harness/serveSdl.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

/** For what a command does. A process of its own needs up to a second of CPU time to start. */
function runInProcess(args: readonly string[]) {
  return runCommandInProcess(args, folder);
}

/** A device that is full, like a file on a full disk. */
const testWithFullDevice = existsSync('/dev/full') ? test : test.skip;

describe('tributary', () => {
  test.each([
    [['serv'], "error: unknown command 'serv'\n(Did you mean serve?)\nSee `tributary --help`.\n"],
    [
      ['serve', '--prot', '1'],
      "error: unknown option '--prot'\n(Did you mean --port?)\nSee `tributary serve --help`.\n",
    ],
    [
      ['--workers', '2'],
      "error: unknown option '--workers'\nOptions follow a command: `tributary COMMAND [options]`.\nSee `tributary --help`.\n",
    ],
    [['plan'], "error: missing required argument 'operation'\nSee `tributary plan --help`.\n"],
  ])('exits with code 2 for the arguments %p', async (args, stderr) => {
    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr });
  });

  test('lists the commands with exit code 2 without a command, and with exit code 0 for --help', async () => {
    const [none, help] = await Promise.all([run([]), run(['--help'])]);
    expect([none.code, help.code]).toEqual([2, 0]);
    expect(none.stderr).toBe(help.stdout);
    expect(help.stdout).toContain('serve [options]');
  });

  test('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('prints nothing about an output that its reader has closed', async () => {
    await using command = new RunningCommand(folder, ['config', 'schema']);
    command.child.stdout?.destroy();
    expect(await command.ended).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  testWithFullDevice('says in one line that its output could not be written', async () => {
    const full = openSync('/dev/full', 'w');
    await using command = new RunningCommand(folder, ['config', 'schema'], {}, undefined, [
      'ignore',
      full,
      'pipe',
    ]);
    closeSync(full);
    const stderr = 'The output could not be written: ENOSPC: no space left on device, write\n';
    expect(await command.ended).toEqual({ code: 1, stdout: '', stderr });
  });

  test('runs the same commands through the launcher', async () => {
    const [launched, direct] = await Promise.all([
      run(['config', 'schema'], {}, launcher),
      run(['config', 'schema']),
    ]);
    expect(launched).toEqual(direct);
    expect(JSON.parse(direct.stdout).properties.listen.properties.port.default).toBe(4000);
  });
});

describe('a configuration file that is missing', () => {
  const create = 'or create one with `tributary init`.';

  test.each([
    [['serve'], run, `--config or --supergraph, ${create}`],
    [['dev'], run, `--config or --supergraph, ${create}`],
    [['config', 'print'], runInProcess, `--config or --supergraph, ${create}`],
    [['compose'], runInProcess, `--config, ${create}`],
  ])('is reported by %j with its folder and the options that name one', async (args, runCommand, advice) => {
    expect(await runCommand(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `There is no tributary.yaml in ${realpathSync(folder)}. Name a file with ${advice}\n`,
    });
  });

  test('is reported by its name if --config names it', async () => {
    expect(await runInProcess(['config', 'print', '--config', 'nofile.yaml'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'nofile.yaml does not exist.\n',
    });
  });

  test('is not confused with a file without a supergraph', async () => {
    const config = write('empty.yaml', 'listen: { port: 0 }\n');
    expect((await runInProcess(['config', 'print', '--config', config])).stderr).toBe(
      `The configuration is invalid:\n  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${config})\n`,
    );
  });
});

describe('tributary config print', () => {
  test('prints the effective configuration', async () => {
    const config = write('print.yaml', "supergraph: { file: shop.graphql }\nlisten: { port: '${PORT}' }\n");
    const { code, stdout, stderr } = await run(['config', 'print', '--config', config], { PORT: '5001' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, 28)).toEqual([
      'listen:',
      '  host: 127.0.0.1',
      '  port: 5001',
      '  path: /graphql',
      '  publicUrl: ""',
      '  tls:',
      '    cert: ""',
      '    key: ""',
      '    ca: ""',
      '  compression:',
      '    enabled: true',
      '    minSize: 1KB',
      '    subscriptions: false',
      '    crossOrigin: false',
      '  trustedProxies: []',
      '  timeouts:',
      '    headers: 1m',
      '    request: 5m',
      '    keepAlive: 75s',
      '  shutdownDelay: 2s',
      '  drainTimeout: 30s',
      'admin:',
      '  host: 127.0.0.1',
      '  port: 4001',
      'supergraph:',
      `  file: ${join(folder, 'shop.graphql')}`,
      '  watch: true',
      'subgraphs:',
    ]);
  });

  test('lists every problem of an invalid configuration', async () => {
    const config = write(
      'wrong.yaml',
      'listen: { prot: 1 }\nsubgraphs: { a: { timeouts: { attempt: 5 s } } }\n',
    );
    expect(await runInProcess(['config', 'print', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'The configuration is invalid:',
        `  listen.prot is not known; did you mean \`port\`? (${config}:1:11)`,
        `  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${config})`,
        `  subgraphs.a.timeouts.attempt is "5 s"; expected: a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h (${config}:2:31)`,
        '',
      ].join('\n'),
    });
  });
});

describe('tributary config check', () => {
  test('accepts a configuration whose servers are all down, and prints what a start would warn about', async () => {
    const config = write(
      'checked.yaml',
      [
        `supergraph: { file: ${demoSupergraphFile} }`,
        'redis: { url: redis://127.0.0.1:1 }',
        'cache: { events: { stream: invalidations }, rules: { Product.price: { maxAge: 5s } } }',
        'subscriptions: { topics: { Subscription.stockChanged: { stream: stock } } }',
        'security: { jwt: { issuers: [{ jwks: http://127.0.0.1:1/keys }] }, identity: { claim: sub } }',
        'subgraphs:',
        '  all: { headers: { rules: [{ set: x-user, claim: sub }] } }',
        '  orders: { subscription: { protocol: http_callback } }',
        'telemetry: { otlp: { endpoint: http://127.0.0.1:1 }, metrics: { otlp: true } }',
      ].join('\n'),
    );
    const { stderr, ...outcome } = await runInProcess(['config', 'check', '--config', config]);
    expect(outcome).toEqual({ code: 0, stdout: 'The configuration is valid.\n' });
    expect(stderr).toMatch(
      /^Warning: Tokens that an issuer made for other applications .*\n.*all configured subgraphs .*\{"absent":\["orders"\].*\n$/,
    );
  });

  test('prints every problem of the named files with its line, also as JSON', async () => {
    write(
      'failing.mjs',
      "export default () => { setInterval(() => {}, 1000); throw new Error('no licence'); };",
    );
    const config = write(
      'unusable.yaml',
      [
        'supergraph: { file: absent.graphql }',
        'listen: { tls: { cert: absent.pem, key: absent.pem } }',
        'extensions: [{ module: ./failing.mjs }]',
      ].join('\n'),
    );
    const args = ['config', 'check', '--config', config];
    const [{ code, stderr }, report] = await Promise.all([run(args), run([...args, '--json'])]);
    expect([code, report.code, report.stderr]).toEqual([2, 2, '']);
    const { problems, warnings } = JSON.parse(report.stdout);
    const found = problems.map(({ path, location }: Record<string, string>) => [path, location]);
    expect([found, warnings]).toEqual([
      [
        ['supergraph.file', `${config}:1:15`],
        ['listen.tls.cert', `${config}:2:18`],
        ['listen.tls.key', `${config}:2:36`],
        ['extensions[0].module', `${config}:3:16`],
      ],
      [],
    ]);
    expect(stderr.match(/unusable\.yaml:\d+:\d+\)$/gm)).toHaveLength(problems.length);
  });

  test.each([
    ['a timer', 'setTimeout(() => { throw new Error("no licence"); })'],
    ['a promise', 'Promise.reject(new Error("no licence"))'],
  ])('prints an error of %s of an extension, which no code catches, with its place', async (_, code) => {
    const module = write('uncaught.mjs', `export default () => { ${code}; return { name: 'uncaught' }; };`);
    const config = write(
      'uncaught.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\nextensions: [{ module: ${module} }]`,
    );
    const { code: exitCode, stdout } = await run(['config', 'check', '--config', config, '--json']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).problems).toEqual([
      {
        path: 'extensions',
        message: expect.stringMatching(
          /^have an error that no code catches: no licence \(.*uncaught\.mjs:1:\d+\)$/,
        ),
        expected: 'an `await`, a `catch` or an `error` listener for it',
        location: `${config}:2:1`,
      },
    ]);
  });

  test('names the options that do not fit the supergraph, with their lines', async () => {
    const config = write(
      'misfit.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\ncache: { rules: { Product.stok: { maxAge: 5s } } }\nenrichment:\n  fields:\n    Product.price: {}\n    Product.recommendd: { budget: 1s }\n`,
    );
    expect(await runInProcess(['config', 'check', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr: `The configuration is invalid:\n  enrichment.fields["Product.recommendd"] does not fit the supergraph: Product has no field recommendd; did you mean \`recommended\`? (${config}:6:5)\n  cache.rules["Product.stok"] does not fit the supergraph: Product has no field stok; did you mean \`stock\`? (${config}:2:19)\n`,
    });
  });

  test.each([
    ['broken.graphql', 'hello {', 'Syntax Error: Unexpected Name "hello". (line 1, column 1)'],
    ['schema.graphql', 'type Query { a: Int }', 'the schema has no enum join__Graph'],
  ])('names the file %s that is no supergraph', async (name, text, problem) => {
    const file = write(name, text);
    const { code, stderr } = await runInProcess(['config', 'check', '--supergraph', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`  supergraph.file is ${file}, which cannot be used: ${problem}`);
  });

  test('warns of trusted documents that the supergraph refuses', async () => {
    const many = Array.from({ length: 200 }, (_, index) => [`d${index}`, `{ me { id } a${index}: nothing }`]);
    write('documents.json', JSON.stringify(Object.fromEntries(many)));
    const config = write(
      'documents.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\nsecurity: { trustedDocuments: { mode: require, manifest: documents.json } }`,
    );
    const { stderr, ...outcome } = await runInProcess(['config', 'check', '--config', config]);
    expect(outcome).toEqual({ code: 0, stdout: 'The configuration is valid.\n' });
    expect(stderr).toMatch(
      /^Warning: Trusted documents are invalid, .*"invalid":200,"documents":200,.*Cannot query field \\"nothing\\"/,
    );
  });

  test('exits with code 3 when a subgraph is down, and with code 2 when options are wrong as well', async () => {
    const supergraph = "supergraph: { subgraphs: [{ name: gone, url: 'http://127.0.0.1:1' }] }";
    const down = write('gone.yaml', supergraph);
    const alsoWrong = write('gone-and-wrong.yaml', `${supergraph}\nextensions: [{ module: ./absent.mjs }]`);
    const [undecided, invalid, report] = await Promise.all([
      runInProcess(['config', 'check', '--config', down]),
      runInProcess(['config', 'check', '--config', alsoWrong]),
      runInProcess(['config', 'check', '--config', down, '--json']),
    ]);
    expect([undecided.code, invalid.code, report.code]).toEqual([3, 2, 3]);
    expect(JSON.parse(report.stdout).problems).toEqual([
      expect.objectContaining({ path: 'supergraph', message: expect.stringContaining('[gone]') }),
    ]);
    for (const { stderr } of [undecided, invalid]) expect(stderr).toContain('SUBGRAPH_UNREACHABLE: [gone]');
    expect(invalid.stderr).toContain('extensions[0].module is ');
  });
});

describe('tributary compose', () => {
  test('composes a chain of thousands of types, which the composer follows recursively', async () => {
    const types = Array.from({ length: 4_000 }, (_, index) => `type T${index} { next: T${index + 1} }`);
    await using chain = await serveSdl(`type Query { first: T0 } ${types.join('\n')} type T4000 { id: ID }`);
    const config = write('chain.yaml', `supergraph: { subgraphs: [{ name: chain, url: '${chain.url}' }] }`);
    const { code, stdout } = await runInProcess(['compose', '--config', config]);
    expect([code, stdout.includes('type T4000')]).toEqual([0, true]);
  });

  test('composes running subgraphs into a file that the gateway can load', async () => {
    const subgraphs = await startDemoSubgraphs({ ports: 0 });
    try {
      const entries = subgraphs.all.map(({ name, url }) => `    - { name: ${name}, url: '${url}' }\n`);
      const config = write('compose.yaml', `supergraph:\n  subgraphs:\n${entries.join('')}`);
      const out = join(folder, 'composed.graphql');
      const [toFile, toOutput] = await Promise.all([
        runInProcess(['compose', '--config', config, '--out', out]),
        runInProcess(['compose', '--config', config]),
      ]);
      expect([toFile.code, toFile.stdout, toOutput.code]).toEqual([0, '', 0]);
      expect(readFileSync(out, 'utf8')).toBe(toOutput.stdout);
      expect(toOutput.stdout).toContain('enum join__Graph');
    } finally {
      await subgraphs.close();
    }
  });

  test('reports composition errors, like plan', async () => {
    await using left = await startScriptedSubgraph();
    await using right = await startScriptedSubgraph();
    const sdl = (type: string) => json({ data: { _service: { sdl: `type Query { a: ${type} }` } } });
    left.setDefaultScript(sdl('Int'));
    right.setDefaultScript(sdl('String'));
    const config = write(
      'clash.yaml',
      `supergraph: { subgraphs: [{ name: left, url: '${left.url}' }, { name: right, url: '${right.url}' }] }`,
    );
    const operation = write('clash.graphql', '{ a }');
    const [composed, planned] = await Promise.all([
      runInProcess(['compose', '--config', config]),
      runInProcess(['plan', '--config', config, operation]),
    ]);
    expect(composed.code).toBe(1);
    expect(composed.stderr).toContain('FIELD_TYPE_MISMATCH');
    expect(planned).toEqual(composed);
  });

  test('exits with code 3 when a subgraph is down', async () => {
    const gone = await startScriptedSubgraph();
    await gone.close();
    const config = write('down.yaml', `supergraph: { subgraphs: [{ name: gone, url: '${gone.url}' }] }`);
    const operation = write('down.graphql', '{ a }');
    const [{ code, stderr }, planned] = await Promise.all([
      runInProcess(['compose', '--config', config]),
      runInProcess(['plan', '--config', config, operation]),
    ]);
    expect([code, planned]).toEqual([3, { code, stderr, stdout: '' }]);
    expect(stderr).toMatch(
      /^Nothing was composed, because the schema of a subgraph is missing\. Start the subgraph, or /,
    );
    expect(stderr).toContain(`[gone] The schema could not be fetched from ${gone.url}: connect ECONNREFUSED`);
  });

  test('requires supergraph.subgraphs in the configuration', async () => {
    const config = write('file.yaml', 'supergraph: { file: shop.graphql }');
    expect(await runInProcess(['compose', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'There is nothing to compose: the configuration has supergraph.file; expected: supergraph.subgraphs.\n',
    });
  });
});

describe('tributary plan', () => {
  const plan = (operation: string, ...args: string[]) =>
    runInProcess(['plan', '--supergraph', demoSupergraphFile, operation, ...args]);

  test('prints the plan, deferred parts and the critical path', async () => {
    const operation = write(
      'deferred.graphql',
      '{ product(id: "p1") { name ... @defer(label: "opinions") { reviews { body } } } }',
    );
    // With the default timeouts, a busy machine may plan it without @defer.
    const config = write(
      'plan.yaml',
      `supergraph: { file: '${demoSupergraphFile}' }\nplanning: { timeout: 1m, splitTimeout: 1m }\n`,
    );
    // In a process of its own, which has to end by itself.
    expect(await run(['plan', '--config', config, operation])).toEqual({
      code: 0,
      stderr: '',
      stdout: `QueryPlan {
  Defer {
    Primary {
      {
        product(id: "p1") {
          name
        }
      }:
      Fetch(service: "products", id: 0) {
        {
          product(id: "p1") {
            __typename
            name
            id
          }
        }
      }
    }, [
      Deferred(depends: [0], path: "product", label: "1") {
        {
          reviews {
            body
          }
        }:
        Flatten(path: "product") {
          Fetch(service: "reviews") {
            {
              ... on Product {
                __typename
                id
              }
            } =>
            {
              ... on Product {
                reviews {
                  body
                }
              }
            }
          },
        }
      },
    ]
  },
}

Deferred:
  1 "opinions" at product: 2 sequential fetches: products → reviews (product)
Critical path of the first payload: 1 fetch: products
`,
    });
  });

  test('says that a supergraph file is empty', async () => {
    const operation = write('unplanned.graphql', '{ __typename }');
    const file = write('nothing.graphql', '\n');
    const stderr = `${file} is empty; expected: a supergraph.\n`;
    expect(await runInProcess(['plan', '--supergraph', file, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr,
    });
  });

  test('prints the plan as JSON', async () => {
    const operation = write('json.graphql', 'query A { __typename } query B { warehouses { code } }');
    const [a, b] = await Promise.all([
      plan(operation, '--json', '--operation', 'A'),
      plan(operation, '--json', '--operation', 'B'),
    ]);
    expect(JSON.parse(a.stdout)).toEqual({ kind: 'QueryPlan' });
    expect(JSON.parse(b.stdout).node).toMatchObject({ kind: 'Fetch', serviceName: 'inventory' });
  });

  test('fetches the supergraph of a URL with its headers, and exits with code 3 when it is refused', async () => {
    await using registry = await startScriptedSubgraph();
    const sdl = readFileSync(demoSupergraphFile, 'utf8');
    registry.setDefaultScript(({ respond, request }) =>
      request.headers.get('x-key') === 'one' ? respond({ body: sdl }) : respond({ status: 403, body: '' }),
    );
    const operation = write('remote.graphql', '{ warehouses { code } }');
    const planWith = async (key: string) => {
      const config = write(
        'remote.yaml',
        `supergraph: { url: '${registry.url}', headers: { x-key: ${key} } }`,
      );
      const { code, stdout, stderr } = await runInProcess(['plan', '--config', config, operation]);
      return [code, stdout.split('\n').at(-2), stderr];
    };
    expect(await planWith('one')).toEqual([0, 'Critical path: 1 fetch: inventory', '']);
    expect(await planWith('two')).toEqual([
      3,
      undefined,
      `The supergraph could not be fetched from ${registry.url}: the server refuses access (status 403); check supergraph.headers.\n`,
    ]);
  });

  test('needs no environment variables of subgraphs unless it fetches their schemas', async () => {
    await using server = await serveSdl('type Query { a: Int }');
    const subgraphs = `subgraphs: { one: { signing: { secret: "\${NOBODY_SETS_THIS}" } } }`;
    const composed = `supergraph: { subgraphs: [{ name: one, url: '${server.url}' }] }\n${subgraphs}`;
    const file = `supergraph: { file: '${demoSupergraphFile}' }\n${subgraphs}`;
    const planWith = async (config: string, text: string) => {
      const paths = [write('unset.yaml', config), write('unset.graphql', text)] as const;
      return runInProcess(['plan', '--config', ...paths]);
    };
    expect(await planWith(file, '{ warehouses { code } }')).toMatchObject({ code: 0, stderr: '' });
    expect(await planWith(composed, '{ a }')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('subgraphs.one.signing.secret needs the environment variable'),
    });
  });

  test('accepts active override labels', async () => {
    const federation =
      'extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@override"])';
    const composed = await composeSupergraph([
      {
        name: 'old',
        url: 'http://old.test',
        sdl: `${federation} type Query { item: Item } type Item @key(fields: "id") { id: ID! a: Int b: Int }`,
      },
      {
        name: 'new',
        url: 'http://new.test',
        sdl: `${federation} type Item @key(fields: "id") { id: ID! a: Int @override(from: "old", label: "percent(5)") b: Int @override(from: "old", label: "beta") }`,
      },
    ]);
    const supergraph = write('override.graphql', 'sdl' in composed ? composed.sdl : '');
    const operation = write('item.graphql', '{ item { a b } }');
    const subgraphsWith = async (...labels: string[]) => {
      const overrides = labels.flatMap((label) => ['--override', label]);
      const { stdout } = await runInProcess(['plan', '--supergraph', supergraph, ...overrides, operation]);
      return stdout.split('\n').at(-2);
    };
    expect([await subgraphsWith(), await subgraphsWith('beta', 'percent(5)')]).toEqual([
      'Critical path: 1 fetch: old',
      'Critical path: 2 sequential fetches: old → new (item)',
    ]);
    expect(
      await runInProcess(['plan', '--supergraph', supergraph, '--override', 'gamma', operation]),
    ).toEqual({
      code: 2,
      stdout: '',
      stderr: 'No @override has the label "gamma": the supergraph has beta, percent(5).\n',
    });
  });

  test('refuses an invalid operation with every location', async () => {
    const operation = write('invalid.graphql', '{\n  warehouses { code }\n  nothing\n  product { id }\n}\n');
    expect(await plan(operation)).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'The operation is not valid:',
        `  ${operation}:3:3 Cannot query field "nothing" on type "Query".`,
        `  ${operation}:4:3 Field "product" argument "id" of type "ID!" is required, but it was not provided.`,
        '',
      ].join('\n'),
    });
  });

  test.each([
    ['a syntax error', '{ warehouses {', ['OPERATION:1:15 Syntax Error: Expected Name, found <EOF>.']],
    [
      'several operations',
      'query A { me { id } } query B { me { id } }',
      ['A, B. Choose one with --operation.'],
    ],
    ['a schema', 'type Query { a: Int }', ['OPERATION is a schema; expected: a file with an operation.']],
    [
      'a schema beyond the limits',
      `# composed\n\n"The root."\ntype Query { ${'a: Int '.repeat(5_000)}}`,
      ['OPERATION is a schema; expected: a file with an operation.'],
    ],
    ['no operation', 'fragment F on Query { me { id } }', ['Fragment "F" is never used.']],
    [
      'more than the limits allow',
      `{${'\ntype: me { id }'.repeat(3_000)} }`,
      ['OPERATION: The operation has at least', 'at most 10000 are allowed (limits.tokens).'],
    ],
  ])('refuses a file with %s', async (_title, text, parts) => {
    const operation = write('refused.graphql', text);
    const { code, stdout, stderr } = await plan(operation);
    expect([code, stdout]).toEqual([2, '']);
    for (const part of parts) expect(stderr).toContain(part.replace('OPERATION', operation));
  });

  test('refuses an operation whose root type the supergraph lacks', async () => {
    const composed = await composeSupergraph([
      { name: 'a', url: 'http://a.test', sdl: 'type Query { a: Int }' },
    ]);
    const supergraph = write('queries.graphql', 'sdl' in composed ? composed.sdl : '');
    const operation = write('mutation.graphql', 'mutation { rename }');
    expect(await runInProcess(['plan', '--supergraph', supergraph, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr: `${operation}: the supergraph has no mutation type.\n`,
    });
  });

  test('refuses an operation instead of the name of a file', async () => {
    expect(await plan('{ me { id } }')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'The operation is read from a file: write it into one, such as operation.graphql, and name the file.\n',
    });
  });

  test('refuses missing files and invalid supergraphs', async () => {
    const operation = write('fine.graphql', '{ __typename }');
    const broken = write('broken.graphql', 'type Query {');
    const [noOperation, noSupergraph, wrongSupergraph] = await Promise.all([
      plan(join(folder, 'nowhere.graphql')),
      runInProcess(['plan', '--supergraph', 'nowhere.graphql', operation]),
      runInProcess(['plan', '--supergraph', broken, operation]),
    ]);
    expect([noOperation, noSupergraph, wrongSupergraph].map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(noOperation.stderr).toBe(`${join(folder, 'nowhere.graphql')} does not exist.\n`);
    expect(noSupergraph.stderr).toBe(`${join(folder, 'nowhere.graphql')} does not exist.\n`);
    expect(wrongSupergraph.stderr).toContain(`The supergraph of ${broken} cannot be used: Syntax Error`);
  });

  test('names the file that is another schema than a supergraph, and how to get one', async () => {
    const operation = write('any.graphql', '{ __typename }');
    const file = write('subgraph.graphql', 'type Query { a: Int }');
    expect(await runInProcess(['plan', '--supergraph', file, operation])).toEqual({
      code: 2,
      stdout: '',
      stderr: `The supergraph of ${file} cannot be used: the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with \`tributary compose\`.\n`,
    });
  });
});
