// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables
import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { folder, run, write } from '../harness/commandFolder.ts';
import { exchange, type RawResponse } from '../harness/rawHttp.ts';
import { launcher, RunningCommand } from '../harness/runningCommand.ts';
import { json, runAfter, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

/** Prints the id and the Node flags of each process of the command to standard error, without its threads. */
const reportProcesses = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    "import { isMainThread } from 'node:worker_threads';" +
      'if (isMainThread) console.error(`process ${process.pid} ${process.execArgv} ${process.env.MALLOC_ARENA_MAX} ${process.env.NODE_ENV}`)',
  )}`,
};

/** Prints the flags of V8 that the process sets to standard error. */
const reportFlags = `--import data:text/javascript,${encodeURIComponent(
  "import v8 from 'node:v8'; import { syncBuiltinESMExports } from 'node:module';" +
    'const { setFlagsFromString } = v8;' +
    'v8.setFlagsFromString = (flag) => { console.error(`flag ${flag}`); setFlagsFromString(flag); };' +
    'syncBuiltinESMExports();',
)}`;

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

/** A device that is full, like a file on a full disk. */
const testWithFullDevice = existsSync('/dev/full') ? test : test.skip;

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
    new RunningCommand(folder, ['serve', '--config', config, ...args], env);

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
    await using gateway = serve([], {
      GREETER: greeter.url,
      NODE_ENV: '',
      NODE_OPTIONS: `${reportProcesses.NODE_OPTIONS} ${reportFlags}`,
    });
    const url = await gateway.url();
    const answer = ask(url, '{ greeting }');
    await greeter.waitForRequests(1);

    gateway.child.kill('SIGTERM');
    gate.resolve();

    expect(await answer).toEqual({ data: { greeting: 'hello' } });
    const { code, stderr } = await gateway.ended;
    expect(code).toBe(0);
    const flags = Array.from(stderr.matchAll(/^flag (.+)$/gm), ([, flag]) => flag);
    // V8 gets further flags on a machine with one processor, and after collections of garbage.
    expect(flags).toEqual(
      expect.arrayContaining([
        '--no-allocation-site-pretenuring',
        '--semi-space-growth-factor=4',
        '--max-semi-space-size=0',
        '--memory-reducer-delay-ms=2147483647',
        '--no-scavenger-updates-allocation-limit',
        '--minor-gc-task-trigger=30',
      ]),
    );
    // The process restarted itself with the same process id.
    expect(stderr.replace(/^flag .+\n/gm, '').replace(/,--concurrent-marking\S+/, '')).toBe(
      `process ${gateway.child.pid}  undefined \nprocess ${gateway.child.pid} --max-semi-space-size=64 1 production\n`,
    );
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
      await using started = new RunningCommand(
        folder,
        [],
        { COMMAND: command, npm_lifecycle_event: 'npx' },
        npm(),
      );
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
    const launch = () => new RunningCommand(folder, ['serve', '--config', bareConfig()], oldNode, launcher);

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

  // One test, because a process takes a second of CPU time to start, as does its planner.
  test('plans in a thread without the large young generation; is not ready after SIGUSR2, serves until listen.shutdownDelay has passed, and exits when signals continue', async () => {
    await using greeter = await startScriptedSubgraph();
    await using gateway = serve([], {
      GREETER: greeter.url,
      DELAY: '1h',
      DRAIN: '1h',
      LOG_LEVEL: 'warn',
      ...reportPlanner,
    });
    const url = await gateway.url();
    const [printed] = await gateway.printed('stderr', /young generation (\S+)\n/g);
    expect(printed?.[1]).toBe('48');
    await stopWhileBusy(gateway, url, greeter, 'SIGUSR2');
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

    const flagged = /process (\d+) --max-semi-space-size=64\S* 1 .*\n/g;
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
    ['admin.port', [], 'admin.port or --admin-port.'],
    ['admin.port', ['--workers', '2'], 'admin.port or --admin-port.'],
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
    [
      1,
      'plain.graphql',
      'the schema has no enum join__Graph, so it is not a supergraph. The schemas of subgraphs are composed with `tributary compose`.',
    ],
    [2, 'empty.graphql', 'supergraph file FILE is empty'],
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
      const message = `The configuration is invalid:\n  supergraph.file cannot be used, and supergraph.watch is false: ${problem.replace('FILE', file)} (${once}:3:15)\n`;
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
    await using gateway = new RunningCommand(folder, ['serve', '--config', logging], {}, undefined, stdio);
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
    const requests = 1_000;
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

  test.each([
    ['a timer', 1, 'setTimeout(() => { throw new Error("no licence"); })'],
    ['a promise', 2, 'Promise.reject(new Error("no licence"))'],
  ])(
    'does not start with an error of %s of an extension that no code catches, with %i workers',
    async (_, workers, code) => {
      // The function never ends: the start does not wait for it.
      const module = write(
        'uncaught.mjs',
        `export default () => { ${code}; return new Promise(() => {}); };`,
      );
      const uncaught = write(
        'uncaught.yaml',
        `supergraph: { file: missing.graphql }\nlisten: { port: 0 }\nadmin: { port: 0 }\nworkers: ${workers}\nextensions: [{ module: ${module} }]\n`,
      );
      const { code: exitCode, stdout, stderr } = await run(['serve', '--config', uncaught]);
      expect([exitCode, stdout]).toEqual([2, '']);
      const message = `The configuration is invalid:\n  extensions have an error that no code catches: no licence (${module}:1:COLUMN); expected: an \`await\`, a \`catch\` or an \`error\` listener for it (${uncaught}:5:1)\n`;
      expect(new Set(stderr.replace(/:1:\d+/g, ':1:COLUMN').split(/(?=^The )/m))).toEqual(new Set([message]));
    },
  );

  test.each([
    ['serve', 1, 'process.exit(0); export default { name: "a" };'],
    ['serve', 2, 'export default () => process.exit(0);'],
    ['serve', 1, 'export default () => new Promise(() => setTimeout(() => process.exit(3)));'],
    ['serve', 2, 'export default { name: "a", admitSupergraph: () => process.exit(0) };'],
    ['dev', 1, 'export default () => process.exit(0);'],
    ['config check', 1, 'export default () => process.exit(0);'],
  ])(
    '%s reports that an extension has ended the process, with %i workers: %s',
    async (command, workers, code) => {
      const module = write('exit.mjs', code);
      const config = write(
        'exit.yaml',
        `supergraph: { file: ${demoSupergraphFile} }\nlisten: { port: 0 }\nadmin: { port: 0 }\nworkers: ${workers}\nextensions: [{ module: ${module} }]\n`,
      );
      const { code: exitCode, stdout, stderr } = await run([...command.split(' '), '--config', config]);
      expect([exitCode, stdout]).toEqual([code.includes('3') ? 3 : 2, '']);
      const message = `The configuration is invalid:\n  extensions have ended the process (${module}:1:COLUMN); expected: extensions without \`process.exit()\`\n`;
      expect(new Set(stderr.replace(/:1:\d+/g, ':1:COLUMN').split(/(?=^The )/m))).toEqual(new Set([message]));
    },
  );

  test('reports that an extension has ended the process while the gateway serves', async () => {
    const module = write(
      'exitLater.mjs',
      'export default { name: "a", requestContext: () => process.exit(0) };',
    );
    const config = write(
      'exitLater.yaml',
      `supergraph: { file: greeter.graphql }\nlisten: { port: 0 }\nadmin: { port: 0 }\nextensions: [{ module: ${module} }]\ntelemetry: { logLevel: silent }\n`,
    );
    await using gateway = new RunningCommand(folder, ['serve', '--config', config]);
    await expect(ask(await gateway.url(), '{ __typename }')).rejects.toThrow('fetch failed');
    const { code, stderr } = await gateway.ended;
    expect([code, stderr]).toEqual([
      2,
      `The configuration is invalid:\n  extensions have ended the process (${module}:1:59); expected: extensions without \`process.exit()\`\n`,
    ]);
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
