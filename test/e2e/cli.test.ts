// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables
import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { runCommandInProcess } from '../harness/commandInProcess.ts';
import { NodeProcess } from '../harness/nodeProcess.ts';
import { exchange, type RawResponse } from '../harness/rawHttp.ts';
import { json, runAfter, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { serveSdl } from '../harness/serveSdl.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

const root = new URL('../../', import.meta.url);
const cli = new URL('gateway/cli.ts', root).pathname;
const launcher = new URL('gateway/cli/launch.js', root).pathname;

const folder = createTemporaryDirectory();

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

class RunningCommand extends NodeProcess {
  constructor(args: readonly string[], env: Record<string, string> = {}, entry = cli, stdio?: StdioOptions) {
    super([entry, ...args], { cwd: folder, env, ...(stdio && { stdio }) });
  }

  async url(): Promise<string> {
    const [match] = await this.printed('stdout', /listens on (\S+)[\s\S]*Admin listener on \S+\n/);
    return match?.[1] ?? '';
  }
}

function run(args: readonly string[], env?: Record<string, string>, entry?: string) {
  return new RunningCommand(args, env, entry).ended;
}

/** For commands that load the planner or the composer, which takes a process of its own seconds of CPU time. */
function runInProcess(args: readonly string[]) {
  return runCommandInProcess(args, folder);
}

/** Prints the id and the Node flags of each process of the command to standard error, without its threads. */
const reportProcesses = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    "import { isMainThread } from 'node:worker_threads';" +
      'if (isMainThread) console.error(`process ${process.pid} ${process.execArgv} ${process.env.MALLOC_ARENA_MAX} ${process.env.NODE_ENV}`)',
  )}`,
};

/** Makes the planner's thread print the size of its young generation in MiB. */
const reportPlanner = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    "import { isMainThread, resourceLimits } from 'node:worker_threads'; import { getHeapStatistics } from 'node:v8';" +
      'const { maxOldGenerationSizeMb: old } = resourceLimits;' +
      'if (!isMainThread && old > 0) console.error(`young generation ${getHeapStatistics().heap_size_limit / 2 ** 20 - old}`)',
  )}`,
};

/** Makes the reading of the body of a request with the header `x-fault` cause an error that no code catches. */
const faults = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    "import { IncomingMessage } from 'node:http';" +
      'const { on } = IncomingMessage.prototype;' +
      'const fail = () => { throw new Error("fault"); };' +
      'const later = { exception: () => setImmediate(fail), rejection: () => setImmediate(async () => fail())' +
      ' };' +
      'IncomingMessage.prototype.on = function (name, listener) {' +
      '  const fault = name === "data" ? this.headers["x-fault"] : undefined;' +
      '  if (fault === undefined) return on.call(this, name, listener);' +
      '  later[fault](); return this; };' +
      'process.on("SIGUSR2", fail);',
  )}`,
};

/** Why the schema of a subgraph is no supergraph. */
const notComposed =
  'the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with `tributary compose`.';

/** A device that is full, like a file on a full disk. */
const testWithFullDevice = existsSync('/dev/full') ? test : test.skip;

describe('tributary', () => {
  test.each([
    [['serv'], "error: unknown command 'serv'\n(Did you mean serve?)\nSee `tributary --help`.\n"],
    [
      ['serve', '--prot', '1'],
      "error: unknown option '--prot'\n(Did you mean --port?)\nSee `tributary serve --help`.\n",
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
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('prints nothing about an output that its reader has closed', async () => {
    await using command = new RunningCommand(['config', 'schema']);
    command.child.stdout?.destroy();
    expect(await command.ended).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  testWithFullDevice('says in one line that its output could not be written', async () => {
    const full = openSync('/dev/full', 'w');
    await using command = new RunningCommand(['config', 'schema'], {}, cli, ['ignore', full, 'pipe']);
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
    [['serve'], `--config or --supergraph, ${create}`],
    [['dev'], `--config or --supergraph, ${create}`],
    [['config', 'print'], `--config or --supergraph, ${create}`],
    [['compose'], `--config, ${create}`],
  ])('is reported by %j with its folder and the options that name one', async (args, advice) => {
    expect(await run(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `There is no tributary.yaml in ${realpathSync(folder)}. Name a file with ${advice}\n`,
    });
  });

  test('is reported by its name if --config names it', async () => {
    expect(await run(['serve', '--config', 'nofile.yaml'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'nofile.yaml does not exist.\n',
    });
  });

  test('is not confused with a file without a supergraph', async () => {
    const config = write('empty.yaml', 'listen: { port: 0 }\n');
    expect((await run(['serve', '--config', config])).stderr).toBe(
      `The configuration is invalid:\n  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${config})\n`,
    );
  });
});

describe('tributary dev', () => {
  test('starts again with a changed configuration, continues with the last valid one, waits for another one when its port is in use, and ends at SIGINT', async () => {
    const writeConfig = (listen: string) =>
      write(
        'dev.yaml',
        `supergraph: { file: '${demoSupergraphFile}' }\nlisten: { ${listen} }\nadmin: { port: 0 }\ncontracts: { guard: 'off' }\n`,
      );
    await using command = new RunningCommand(['dev', '--config', writeConfig('port: 0, path: /first')]);
    const typeName = async (url: string) => {
      const response = await fetch(`${url}?query={__schema{queryType{name}}}`, {
        headers: { 'apollo-require-preflight': 'true' },
      });
      return (await response.json()).data.__schema.queryType.name;
    };
    const first = await command.url();
    expect([new URL(first).pathname, await typeName(first)]).toEqual(['/first', 'Query']);
    const [[, graphiql = ''] = []] = await command.printed('stdout', /^GraphiQL: open (\S+)/gm);
    const page = await fetch(graphiql, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('<title>GraphiQL');
    const [[, insights = ''] = []] = await command.printed('stdout', /^Insights: open (\S+)/gm);
    // Also the page that says how to build it.
    expect(await (await fetch(insights)).text()).toMatch(/<title>.*insights/i);
    const preflight = async (origin: string) => {
      const headers = { origin, 'access-control-request-method': 'POST' };
      return (await fetch(first, { method: 'OPTIONS', headers })).headers.get('access-control-allow-origin');
    };
    const local = ['http://localhost:5173', 'https://shop.localhost', 'http://[::1]:3000'];
    expect(await Promise.all([...local, 'http://attacker.example:5173'].map(preflight))).toEqual([
      ...local,
      null,
    ]);
    await command.printed('stdout', /^Pages of localhost, on any port, may send requests/gm);
    const ofForeignPage = { path: '/first', headers: { host: 'attacker.example' } };
    expect((await exchange(first, ofForeignPage)).body).toContain('security.checkHost');
    writeConfig('prot: 1');
    await command.printed('stderr', /listen\.prot is not known; .*\nThe gateway continues with the last/g);
    expect(await typeName(first)).toBe('Query');
    writeConfig('port: 0, path: /second');
    const [, [, second = ''] = []] = await command.printed('stdout', /listens on (\S+)/g, 2);
    expect([new URL(second).pathname, await typeName(second)]).toEqual(['/second', 'Query']);
    await expect(fetch(first)).rejects.toThrow('fetch failed');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    writeConfig(`port: ${(taken.address() as AddressInfo).port}`);
    await command.printed(
      'stderr',
      /The gateway cannot run: .*\nIt starts again when its configuration or a file of its extensions changes\./g,
    );
    writeConfig('port: 0, path: /third');
    const [, , [, third = ''] = []] = await command.printed('stdout', /listens on (\S+)/g, 3);
    taken.close();
    expect([new URL(third).pathname, await typeName(third)]).toEqual(['/third', 'Query']);
    // In lines for people.
    await command.printed('stderr', /^\[[\d:.]+\] INFO: A new supergraph is in use \{/gm, 2);
    command.child.kill('SIGINT');
    expect((await command.ended).code).toBe(0);
  });

  test('starts again when a file of an extension changes, also one that could not be loaded or was missing, and survives errors of extensions', async () => {
    const writeGreeting = (text: string) => write('greeting.mts', text);
    const writeCount = (count: number) => write('count.cjs', `exports.count = ${count};\n`);
    writeCount(1);
    writeGreeting("export const greeting: string = 'first';\n");
    write(
      'greetings.mts',
      `import { count } from './count.cjs';
      import { greeting } from './greeting.mts';
      const handle = () => new Response(greeting + ' ' + count);
      export default { name: 'greetings', publicRoutes: [{ method: 'GET', path: '/greeting', handle }] };`,
    );
    const config = write(
      'greetings.yaml',
      `supergraph: { file: '${demoSupergraphFile}' }\nlisten: { port: 0 }\nadmin: { port: 0 }\nextensions: [{ module: ./greetings.mts }]\n`,
    );
    await using command = new RunningCommand(['dev', '--config', config], faults);
    const greet = async (start: number) => {
      const matches = await command.printed('stdout', /listens on (\S+)[\s\S]*?Admin listener/g, start);
      return (await fetch(new URL('/greeting', matches.at(-1)?.[1]))).text();
    };
    expect(await greet(1)).toBe('first 1');
    command.child.kill('SIGUSR2');
    await command.printed('stderr', /ERROR: An unhandled error belongs to no request/g);
    expect(await greet(1)).toBe('first 1');
    writeGreeting("export const greeting: string = 'second';\n");
    await command.printed('stdout', /^A file of an extension has changed: the gateway starts again\./gm);
    expect(await greet(2)).toBe('second 1');
    writeGreeting('export const greeting = ;\n');
    await command.printed('stderr', /The gateway cannot run: [\s\S]*It starts again when/g);
    command.child.kill('SIGUSR2');
    await command.printed('stderr', /^Error: fault/gm);
    writeGreeting("export const greeting: string = 'third';\n");
    expect(await greet(3)).toBe('third 1');
    writeCount(2);
    expect(await greet(4)).toBe('third 2');
    rmSync(join(folder, 'greeting.mts'));
    await command.printed('stderr', /The gateway cannot run: [\s\S]*?It starts again when/g, 2);
    writeGreeting("export const greeting: string = 'fourth';\n");
    expect(await greet(5)).toBe('fourth 2');
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
    expect(await run(['config', 'print', '--config', config])).toEqual({
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
      /^Warning: The supergraph does not have all configured subgraphs .*\{"absent":\["orders"\].*\n$/,
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

  test('names the options that do not fit the supergraph, with their lines', async () => {
    const config = write(
      'misfit.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\ncache: { rules: { Product.stok: { maxAge: 5s } } }`,
    );
    expect(await runInProcess(['config', 'check', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr: `The configuration is invalid:\n  cache.rules does not fit the supergraph: Product has no field stok (${config}:2:10)\n`,
    });
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
    // In a process of its own, which has to end by itself.
    expect(await run(['plan', '--supergraph', demoSupergraphFile, operation])).toEqual({
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
    ['no operation', 'fragment F on Query { me { id } }', ['Fragment "F" is never used.']],
    [
      'more than the limits allow',
      `{ ${'me { id } '.repeat(3_000)} }`,
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
      stderr: `The supergraph of ${file} cannot be used: ${notComposed}\n`,
    });
  });
});

describe('tributary serve', () => {
  const sdl = 'type Query { greeting: String }';
  let config: string;

  beforeAll(async () => {
    const composed = await composeSupergraph([{ name: 'greeter', url: 'http://greeter.invalid', sdl }]);
    if (!('sdl' in composed)) throw new Error('The supergraph does not compose.');
    write('greeter.graphql', composed.sdl);
    config = write(
      'serve.yaml',
      `
listen: { port: 0, shutdownDelay: '\${DELAY:-0s}', drainTimeout: '\${DRAIN:-10s}' }
admin: { port: 0 }
supergraph: { file: greeter.graphql, watch: false }
subgraphs:
  all: { timeouts: { attempt: 1h, deadline: 1h } }
  greeter: { url: '\${GREETER:-http://127.0.0.1:9}' }
telemetry: { logLevel: '\${LOG_LEVEL:-silent}' }
overload: { eventLoopDelay: 0s, memory: 1 }
`,
    );
  });

  const serve = (args: readonly string[] = [], env: Record<string, string> = {}) =>
    new RunningCommand(['serve', '--config', config, ...args], env);

  /** A configuration for tests about the process: without a supergraph, the gateway listens and starts no planner. */
  const bareConfig = () =>
    write(
      'bare.yaml',
      "listen: { port: 0, shutdownDelay: 0s }\nadmin: { port: '${ADMIN_PORT:-0}' }\nsupergraph: { file: missing.graphql }\ntelemetry: { logLevel: silent }\n",
    );

  const ask = async (url: string, query: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
    return response.json();
  };

  test('serves with a large young generation, one memory arena and the checks of production, and completes running requests before it exits', async () => {
    await using greeter = await startScriptedSubgraph();
    const gate = Promise.withResolvers<void>();
    greeter.setDefaultScript(runAfter(gate.promise, json({ data: { greeting: 'hello' } })));
    await using gateway = serve([], { GREETER: greeter.url, NODE_ENV: '', ...reportProcesses });
    const url = await gateway.url();
    const answer = ask(url, '{ greeting }');
    await greeter.waitForRequests(1);

    gateway.child.kill('SIGTERM');
    gate.resolve();

    expect(await answer).toEqual({ data: { greeting: 'hello' } });
    const { code, stderr } = await gateway.ended;
    expect(code).toBe(0);
    // The process restarted itself with the same process id.
    expect(stderr).toBe(
      `process ${gateway.child.pid}  undefined \nprocess ${gateway.child.pid} --max-semi-space-size=64 1 production\n`,
    );
  });

  test('plans in a thread without the large young generation', async () => {
    await using gateway = serve([], { GREETER: 'http://127.0.0.1:1/', ...reportPlanner });
    const [printed] = await gateway.printed('stderr', /young generation (\S+)\n/g);
    expect(printed?.[1]).toBe('48');
  });

  // npm starts a command in a shell and passes signals on to the shell only, which ends without the command.
  const npm = write.bind(
    null,
    'npm.cjs',
    `const shell = require('node:child_process').spawn('sh', ['-c', process.env.COMMAND], { stdio: 'inherit' });
     process.on('SIGTERM', () => shell.kill('SIGTERM'));`,
  );

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'stops when npm, which started it, ends by %s',
    async (signal) => {
      const command = `'${process.execPath}' '${launcher}' serve --config '${bareConfig()}'; exit $?`;
      await using started = new RunningCommand([], { COMMAND: command, npm_lifecycle_event: 'npx' }, npm());
      await started.url();
      started.child.kill(signal);
      // Settles when the last process with these pipes has exited.
      await started.ended;
    },
  );

  describe('launched by an old Node', () => {
    const oldNode = {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
        "if (process.argv[1]?.endsWith('launch.js')) Object.defineProperty(process, 'versions', " +
          "{ value: { ...process.versions, node: '20.20.2' } })",
      )}`,
    };
    const launch = () => new RunningCommand(['serve', '--config', bareConfig()], oldNode, launcher);

    test.each(['SIGTERM', 'SIGHUP'] as const)(
      'runs on the Node in node_modules, and exits with its code at %s',
      async (signal) => {
        await using launched = launch();
        await launched.url();
        launched.child.kill(signal);
        const { code, stderr } = await launched.ended;
        expect(code).toBe(0);
        expect(stderr).toContain('Tributary needs 22.19 or newer: continuing with ');
      },
    );

    test('stops when the launcher is killed', async () => {
      await using launched = launch();
      await launched.url();
      launched.child.kill('SIGKILL');
      expect((await launched.ended).code).toBe(null);
    });
  });

  /** Stops a gateway while an operation runs and `listen.shutdownDelay` and `listen.drainTimeout` do not end. */
  const stopWhileBusy = async (
    gateway: RunningCommand,
    url: string,
    greeter: ScriptedSubgraph,
    signal: NodeJS.Signals = 'SIGTERM',
  ) => {
    const running = ask(url, '{ greeting }').catch(() => 'cut off');
    await greeter.waitForRequests(1);
    gateway.child.kill(signal);
    while ((await exchange(url, { method: 'GET', path: '/health/ready' })).status !== 503);
    const responses: RawResponse[] = [];
    do {
      // Another worker may learn of the shutdown later.
      const headers = { 'content-type': 'application/json' };
      responses.push(await exchange(url, { headers, body: '{"query":"{ __typename }"}' }));
    } while (responses.at(-1)?.headers.get('connection') !== 'close');
    expect(new Set(responses.map(({ body }) => body))).toEqual(new Set(['{"data":{"__typename":"Query"}}']));
    // The next signal ends the delay, and the one after it the drain.
    const insisting = setInterval(() => gateway.child.kill('SIGTERM'), 50);
    const { code, stderr } = await gateway.ended;
    clearInterval(insisting);
    expect([code, stderr]).toEqual([1, expect.stringContaining('A further stop signal ends this process')]);
    expect(await running).toBe('cut off');
  };

  test('is not ready after SIGUSR2, serves until listen.shutdownDelay has passed, and exits when signals continue', async () => {
    await using greeter = await startScriptedSubgraph();
    await using gateway = serve([], { GREETER: greeter.url, DELAY: '1h', DRAIN: '1h', LOG_LEVEL: 'warn' });
    await stopWhileBusy(gateway, await gateway.url(), greeter, 'SIGUSR2');
  });

  // One test, because each worker takes a second of CPU time to start.
  test('shares the port among workers and replaces an exited one; all serve until listen.shutdownDelay has passed, and exit when signals continue', async () => {
    await using greeter = await startScriptedSubgraph();
    await using gateway = serve(['--workers', '2'], {
      GREETER: greeter.url,
      DELAY: '1h',
      DRAIN: '1h',
      LOG_LEVEL: 'warn',
      ...reportProcesses,
    });
    const url = await gateway.url();
    expect(await ask(url, '{ __typename }')).toEqual({ data: { __typename: 'Query' } });

    const flagged = /process (\d+) --max-semi-space-size=64 1 .*\n/g;
    const [first] = await gateway.printed('stderr', flagged, 2);
    process.kill(Number(first?.[1]), 'SIGKILL');
    await gateway.printed('stderr', /"signal":"SIGKILL",.*"msg":"A worker has exited, and is replaced"/g);
    await gateway.printed('stderr', flagged, 3);
    expect(await ask(url, '{ __typename }')).toEqual({ data: { __typename: 'Query' } });

    await stopWhileBusy(gateway, url, greeter);
  });

  test('ends only the request that causes an unhandled error, and stops at one that belongs to no request', async () => {
    await using greeter = await startScriptedSubgraph();
    const gate = Promise.withResolvers<void>();
    greeter.setDefaultScript(runAfter(gate.promise, json({ data: { greeting: 'hello' } })));
    await using gateway = serve([], { GREETER: greeter.url, ...faults });
    const url = await gateway.url();
    const running = ask(url, '{ greeting }');
    await greeter.waitForRequests(1);
    for (const fault of ['exception', 'rejection']) {
      const { status, body } = await exchange(url, {
        headers: { 'content-type': 'application/json', 'x-fault': fault },
        body: '{"query":"{ __typename }"}',
      });
      expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([500, 'INTERNAL_SERVER_ERROR']);
    }
    gateway.child.kill('SIGUSR2');
    while ((await exchange(url, { method: 'GET', path: '/health/ready' })).status !== 503);
    gate.resolve();
    expect(await running).toEqual({ data: { greeting: 'hello' } });
    expect((await gateway.ended).code).toBe(1);
  });

  const inUse = 'is in use. End the process that listens there, or choose another port with';

  test.each([
    ['listen.port', [], 'listen.port or --port.'],
    ['listen.port', ['--workers', '2'], 'listen.port or --port.'],
    ['admin.port', [], 'admin.port.'],
    ['admin.port', ['--workers', '2'], 'admin.port.'],
  ])('fails when %s is in use, and names the option: %p', async (option, args, remedy) => {
    // As a gateway does, which could then share the port.
    const holder = createServer().listen({
      port: 0,
      host: '127.0.0.1',
      reusePort: process.platform === 'linux',
    });
    await once(holder, 'listening');
    const address = holder.address();
    const port = typeof address === 'object' ? `${address?.port}` : '';
    const [publicPort, adminPort] = option === 'listen.port' ? [port, '0'] : ['0', port];
    const { code, stderr } = await run(['serve', '--config', bareConfig(), '--port', publicPort, ...args], {
      ADMIN_PORT: adminPort,
    });
    holder.close();
    expect(code).toBe(1);
    expect(new Set(stderr.trim().split('\n'))).toEqual(
      new Set([`The gateway cannot run: 127.0.0.1:${port} ${inUse} ${remedy}`]),
    );
  });

  test.each([
    [1, 'missing.graphql', 'supergraph file FILE does not exist'],
    [2, 'empty.graphql', 'supergraph file FILE is empty'],
    [1, 'plain.graphql', notComposed],
    [2, 'plain.graphql', notComposed],
  ])(
    'ends with %i workers when the supergraph file %s cannot be used and is not watched',
    async (workers, name, problem) => {
      write('empty.graphql', '\n');
      write('plain.graphql', 'type Query { greeting: String }');
      const once = write(
        'once.yaml',
        `listen: { port: 0 }\nadmin: { port: 0 }\nsupergraph: { file: ${name}, watch: false }\nworkers: ${workers}\ntelemetry: { logLevel: silent }\n`,
      );
      const { code, stdout, stderr } = await run(['serve', '--config', once]);
      const file = join(realpathSync(folder), name);
      const message = `The configuration is invalid:\n  supergraph.file cannot be used, and supergraph.watch is false: ${problem.replace('FILE', file)}\n`;
      expect([code, stdout, new Set(stderr.split(/(?=^The )/m))]).toEqual([2, '', new Set([message])]);
    },
  );

  testWithFullDevice.each([
    [1, 'output'],
    [2, 'log'],
  ])('serves and drains although its descriptor %i, for its %s, cannot be written', async (descriptor) => {
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    const full = openSync('/dev/full', 'w');
    stdio[descriptor] = full;
    const logging = write(
      'logging.yaml',
      'listen: { port: 0, shutdownDelay: 0s }\nadmin: { port: 0 }\nsupergraph: { file: missing.graphql }\n',
    );
    await using gateway = new RunningCommand(['serve', '--config', logging], {}, cli, stdio);
    closeSync(full);
    if (descriptor === 1) await gateway.printed('stderr', /The supergraph could not be read/g);
    else expect((await fetch(new URL('/health/live', await gateway.url()))).status).toBe(200);
    gateway.child.kill('SIGTERM');
    expect((await gateway.ended).code).toBe(0);
  });

  test('serves although the reader of its log reads nothing, and writes the lines when it reads again', async () => {
    await using greeter = await startScriptedSubgraph();
    await using gateway = serve([], { GREETER: greeter.url, LOG_LEVEL: 'info' });
    const url = await gateway.url();
    gateway.child.stderr?.pause();
    const requests = 2_000;
    // More lines than fit into the pipe.
    const headers = { 'content-type': 'application/json', 'apollographql-client-name': 'n'.repeat(128) };
    for (let sent = 0; sent < requests; sent += 50) {
      const responses = Array.from({ length: 50 }, async () => {
        const response = await fetch(url, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
        await response.text();
        return response.status;
      });
      expect(new Set(await Promise.all(responses))).toEqual(new Set([200]));
    }
    gateway.child.stderr?.resume();
    await gateway.printed('stderr', /"msg":"request"/g, requests);
  });

  test('does not start with an invalid configuration', async () => {
    expect(await serve(['--port', '99999', '--workers', 'many']).ended).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'The configuration is invalid:',
        '  listen.port is "99999"; expected: a whole number from 0 to 65535',
        '  workers is "many"; expected: a whole number from 1 to 1024, or auto',
        '',
      ].join('\n'),
    });
  });
});
