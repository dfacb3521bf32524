import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { developmentDefaults } from '../../gateway/cli/dev.ts';
import { loadConfig } from '../../gateway/config/loadConfig.ts';
import type { GatewayConfig } from '../../gateway/config/schema.ts';
import { createGateway, type Gateway } from '../../gateway/gateway.ts';
import { readSchemaAccess } from '../../gateway/subgraphs/schemaAccess.ts';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { closeServer } from './closeServer.ts';
import { runCommandInProcess } from './commandInProcess.ts';
import { type CodeBlock, fileNameOf } from './documentation.ts';
import { planInProcess } from './inProcessPlanner.ts';

const root = join(import.meta.dirname, '../..');
const packageName = 'tributary-gateway';

interface Gate {
  open(): void;
  close(): void;
}

interface PageRunnerOptions {
  /** An empty directory, in which the commands run. */
  readonly directory: string;
  /** Runs the scripts of the pages. The caller closes it. */
  readonly scripts: ScriptThread;
  /** What slow fields wait for: closed when a command begins, open when a stream is. Default: that of the scripts. */
  readonly gate?: Gate;
  /** Ports on this machine by the ports that pages name. */
  readonly ports?: ReadonlyMap<string, number>;
}

/** Does what a reader of a page does: saves the files, runs the commands in order with a shell and curl, and compares
 *  their output with that of the page.
 *
 *  - A block with a file name in its first line is saved, again for each run.
 *  - `sh` blocks are run and must succeed. One with `curl -N` continues while further blocks run.
 *  - `json` and `text` blocks are the output of one of the commands since the previous such block. White space does not
 *    count, and `…` stands for any text.
 *  - `npx tributary serve` and `dev` run the gateway in this process, on free ports, until the page ends or starts it
 *    again. Like `dev`, it starts again when its configuration has changed. Other commands of `tributary` run in this
 *    process, too.
 *  - `node FILE` runs a file in one thread for all files. Servers listen on free ports, and continue for the next run.
 *  - `npm install` makes the packages of this repository available, and no others.
 *
 *  Ports of a page stand for the real ones. What a script does after `setTimeout(1000)` happens when a `curl -N` has its
 *  headers, so that answers are late on every machine, and never by time. */
export class PageRunner implements AsyncDisposable {
  readonly #directory: string;
  readonly #ports: Map<string, number>;
  readonly #files = new Map<string, string>();
  readonly #scripts: ScriptThread;
  readonly #gate: Gate;
  readonly #givenPorts: ReadonlyMap<string, number>;
  readonly #npx: NpxServer;
  #gateway: RunningGateway | undefined;
  #outputs: Output[] = [];
  readonly #children = new Set<ChildProcess>();

  private constructor(
    { directory, scripts, gate = scripts, ports = new Map() }: PageRunnerOptions,
    npx: NpxServer,
  ) {
    this.#directory = directory;
    this.#scripts = scripts;
    this.#gate = gate;
    this.#givenPorts = ports;
    this.#ports = new Map(ports);
    this.#npx = npx;
  }

  static async start(options: PageRunnerOptions): Promise<PageRunner> {
    const npx = await NpxServer.start();
    await mkdir(join(options.directory, 'node_modules'), { recursive: true });
    await mkdir(join(options.directory, '.bin'), { recursive: true });
    await writeFile(join(options.directory, '.bin/npx'), npxScript, { mode: 0o755 });
    await writeFile(join(options.directory, '.bin/curl'), curlScript, { mode: 0o755 });
    return new PageRunner(options, npx);
  }

  /** Runs all blocks of a page in order. @throws {Error} that names the line of the page. */
  async run(blocks: readonly CodeBlock[]): Promise<void> {
    this.#outputs = [];
    for (const block of blocks) {
      await this.#runBlock(block).catch((cause: Error) => {
        throw new Error(`Line ${block.line}: ${cause.message}`, { cause });
      });
    }
    await this.endPage();
  }

  /** Saves a file for the commands that follow. */
  save(name: string, text: string): void {
    this.#files.set(name, text);
  }

  /** Runs commands until they end, and returns what they printed. `npx tributary serve` and `dev` continue. A status from
   *  400 on is a failure of curl. */
  async execute(commands: string): Promise<string> {
    this.#outputs = [];
    await this.#runCommands(commands, '--fail-with-body');
    const limit = timeLimit();
    for (const output of this.#outputs) {
      while (!output.isEnded) {
        if (!(await Promise.race([output.changed, limit])))
          throw new Error(`It does not end:\n${output.text}`);
      }
    }
    return this.#outputs.map((output) => output.text).join('');
  }

  /** Ends everything that the commands of a page have started, except for the servers of scripts. */
  async endPage(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#children.clear();
    await this.#gateway?.gateway.close();
    this.#gateway = undefined;
    for (const [port, actual] of this.#givenPorts) this.#ports.set(port, actual);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPage();
    await this.#npx.close();
  }

  async #runBlock(block: CodeBlock): Promise<void> {
    const file = fileNameOf(block);
    if (block.language === 'sh') await this.#runCommands(block.code);
    else if (file !== undefined) this.#files.set(file, block.code);
    else if (block.language === 'json' || block.language === 'text') await this.#expectOutput(block.code);
  }

  async #runCommands(code: string, curlOptions = ''): Promise<void> {
    const lines = code.replaceAll('\\\n', ' ').trimEnd().split('\n');
    if (!lines.some((line) => inProcessCommand.test(line))) return this.#runShell(code, curlOptions);
    for (const line of lines.map((each) => each.replace(/ +#.*$/, ''))) {
      const [, command, rest = ''] = inProcessCommand.exec(line) ?? [];
      const words = rest.split(/ +/).filter((word) => word !== '');
      if (command === undefined) await this.#runShell(line, curlOptions);
      else if (command === 'npm install') for (const name of words) await this.#install(name);
      else if (command === 'node') await this.#runScript(words[0] ?? '');
      else await this.#startGateway(command.endsWith('dev'), words);
    }
  }

  async #install(specifier: string): Promise<void> {
    // Without the version.
    const [, name = ''] = /^(.[^@]*)/.exec(specifier) ?? [];
    const target = join(this.#directory, 'node_modules', name);
    await mkdir(dirname(target), { recursive: true });
    if (name !== packageName) {
      await symlink(join(root, 'node_modules', name), target).catch(ignoreExisting);
      return;
    }
    await mkdir(target, { recursive: true });
    await writeFile(join(target, 'package.json'), JSON.stringify({ type: 'module', exports: './index.js' }));
    await writeFile(
      join(target, 'index.js'),
      `export * from ${JSON.stringify(pathToFileURL(join(root, 'gateway/gateway.ts')).href)};`,
    );
  }

  async #runScript(file: string): Promise<void> {
    const source = this.#files.get(file);
    if (source === undefined) throw new Error(`The page has no file ${file} before this command.`);
    await this.#saveFiles();
    const log = await this.#scripts.run(join(this.#directory, file), source);
    const output = new Output();
    output.add(log);
    output.end();
    this.#outputs.push(output);
    const ports = Array.from(source.matchAll(/\bport: (\d{4})/g), ([, port = '']) => port);
    const actual = Array.from(log.matchAll(/http:\/\/[^\s/:]+:(\d+)/g), ([, port]) => Number(port));
    if (actual.length < ports.length) throw new Error(`${file} does not print the addresses of its servers.`);
    for (const [index, port] of ports.entries()) this.#ports.set(port, actual[index] as number);
  }

  async #startGateway(isDevelopment: boolean, words: readonly string[]): Promise<void> {
    await this.#gateway?.gateway.close();
    this.#gateway = undefined;
    await this.#saveFiles();
    const { values } = parseArgs({
      args: [...words],
      options: { config: { type: 'string' }, supergraph: { type: 'string' } },
    });
    const file = values.config ?? 'tributary.yaml';
    const { supergraph } = values;
    const config = loadConfig({
      file: this.#files.has(file) ? join(this.#directory, file) : undefined,
      overrides: { supergraph: supergraph === undefined ? undefined : join(this.#directory, supergraph) },
      defaults: isDevelopment ? developmentDefaults : {},
      env: {},
    });
    const lines: string[] = [];
    const gateway = await createGateway(
      {
        ...config,
        supergraph: await this.#supergraphOf(config),
        // The repository has a store for the demo.
        contracts: { ...config.contracts, guard: 'off' },
        listen: { ...config.listen, port: 0 },
        admin: { ...config.admin, port: 0 },
      },
      {
        logger: pino({ level: 'info' }, { write: (line) => void lines.push(line) }),
        startPlannerThread: planInProcess,
      },
    );
    const { url, adminUrl } = await gateway.start();
    const isReady = await Promise.race([gateway.ready.then(() => true), timeLimit()]);
    if (!isReady) {
      await gateway.close();
      throw new Error(`The gateway is not ready:\n${lines.join('')}`);
    }
    this.#ports.set(`${config.listen.port}`, Number(new URL(url).port));
    this.#ports.set(`${config.admin.port}`, Number(new URL(adminUrl).port));
    this.#gateway = { gateway, file, source: this.#files.get(file), isDevelopment, words };
  }

  /** Composes running subgraphs like the gateway, but without a thread, which has to load the composer first. */
  async #supergraphOf(config: GatewayConfig): Promise<GatewayConfig['supergraph']> {
    const { supergraph } = config;
    if (!('subgraphs' in supergraph)) return supergraph;
    const result = await composeSupergraph(supergraph.subgraphs, await readSchemaAccess(config));
    if ('errors' in result) throw new Error(`The subgraphs do not compose: ${JSON.stringify(result.errors)}`);
    const file = join(this.#directory, '.composed.graphql');
    await writeFile(file, result.sdl);
    return { file, watch: false };
  }

  async #runShell(code: string, curlOptions: string): Promise<void> {
    const running = this.#gateway;
    if (running !== undefined && running.source !== this.#files.get(running.file)) {
      await this.#startGateway(running.isDevelopment, running.words);
    }
    await this.#saveFiles();
    this.#gate.close();
    const child = spawn('sh', ['-ec', this.#localise(code)], {
      cwd: this.#directory,
      env: {
        ...process.env,
        PATH: `${join(this.#directory, '.bin')}${delimiter}${process.env.PATH}`,
        NPX_URL: this.#npx.url,
        CURL: await curlPath(),
        CURL_OPTIONS: curlOptions,
        GIT_AUTHOR_NAME: 'Reader',
        GIT_AUTHOR_EMAIL: 'reader@example.com',
        GIT_COMMITTER_NAME: 'Reader',
        GIT_COMMITTER_EMAIL: 'reader@example.com',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = new Output();
    let errors = '';
    const isOpen = Promise.withResolvers<true>();
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => output.add(chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
      if (errors.includes(streamIsOpen)) isOpen.resolve(true);
    });
    this.#outputs.push(output);
    this.#children.add(child);
    const ended = once(child, 'close').then(([exitCode]) => {
      output.end();
      this.#children.delete(child);
      if (exitCode !== 0) throw new Error(`The command ended with ${exitCode}:\n${errors}${output.text}`);
      return true;
    });
    const isStream = /\bcurl -N\b/.test(code);
    const isDone = await Promise.race([ended, ...(isStream ? [isOpen.promise] : []), timeLimit()]);
    if (!isDone) throw new Error(`The command does not end:\n${errors}${output.text}`);
    ended.catch(() => {});
    if (isStream) this.#gate.open();
  }

  async #expectOutput(expected: string): Promise<void> {
    const outputs = this.#outputs;
    this.#outputs = [];
    const pattern = patternOf(expected);
    const isMatched = (): boolean =>
      outputs.some((output) => pattern.test(withoutSpace(this.#delocalise(output.text))));
    const limit = timeLimit();
    while (!isMatched()) {
      const open = outputs.filter(({ isEnded }) => !isEnded);
      const hasChanged =
        open.length > 0 && (await Promise.race([...open.map(({ changed }) => changed), limit]));
      if (!hasChanged && !isMatched()) {
        const actual = outputs.map((output) => this.#delocalise(output.text)).join('\n');
        throw new Error(`The page says:\n${expected}\nThe commands printed:\n${actual}`);
      }
    }
  }

  async #saveFiles(): Promise<void> {
    for (const [name, source] of this.#files) {
      const path = join(this.#directory, name);
      await mkdir(dirname(path), { recursive: true });
      const isScript = /\.m?js$/.test(name);
      await writeFile(path, isScript ? forTests(this.#localise(source)) : this.#localise(source));
    }
  }

  /** Replaces the ports of the page with the real ones. */
  #localise(code: string): string {
    return code.replaceAll(/\b(localhost|127\.0\.0\.1):(\d{4})\b/g, (address, host, port) => {
      const actual = this.#ports.get(port);
      return actual === undefined ? address : `${host}:${actual}`;
    });
  }

  #delocalise(output: string): string {
    let result = output;
    for (const [port, actual] of this.#ports) result = result.replaceAll(`:${actual}`, `:${port}`);
    return result;
  }
}

/** What a command has printed. */
class Output {
  text = '';
  isEnded = false;
  #changed = Promise.withResolvers<true>();

  /** Resolves at the next output, or at the end. */
  get changed(): Promise<true> {
    return this.#changed.promise;
  }

  add(chunk: string): void {
    this.text += chunk;
    this.#changed.resolve(true);
    this.#changed = Promise.withResolvers();
  }

  end(): void {
    this.isEnded = true;
    this.#changed.resolve(true);
  }
}

interface RunningGateway {
  readonly gateway: Gateway;
  /** The configuration file, and its text. */
  readonly file: string;
  readonly source: string | undefined;
  readonly isDevelopment: boolean;
  readonly words: readonly string[];
}

const inProcessCommand = /^(npm install|node|npx tributary (?:serve|dev))\b(.*)$/;

/** Servers listen on free ports, and slow resolvers wait for the gate. */
function forTests(source: string): string {
  return source.replaceAll(/\bport: \d{4}/g, 'port: 0').replaceAll('setTimeout(1000)', 'untilOpen()');
}

function withoutSpace(output: string): string {
  return output.replaceAll(/\s+/g, '');
}

function patternOf(expected: string): RegExp {
  const parts = withoutSpace(expected).split('…');
  return new RegExp(parts.map((part) => RegExp.escape(part)).join('[\\s\\S]*'));
}

/** Ends waiting for what never happens. */
/** Shorter than the timeout of a test, for a message that has the output. */
async function timeLimit(): Promise<false> {
  const signal = AbortSignal.timeout(120_000);
  await once(signal, 'abort');
  return false;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Runs the scripts of a page in one thread, so that they load their packages once. */
export class ScriptThread implements Gate, AsyncDisposable {
  #worker: Worker | undefined;
  readonly #running = new Map<string, { readonly source: string; readonly log: string }>();
  #runs = 0;

  /** Resolves with the output of the script when its module is evaluated. A script that started a server runs only once. */
  async run(file: string, source: string): Promise<string> {
    const running = this.#running.get(file);
    if (running?.source === source) return running.log;
    this.#worker ??= new Worker(threadSource, { eval: true, stdout: true, stderr: true });
    this.#runs += 1;
    this.#worker.postMessage(`${pathToFileURL(file)}?run=${this.#runs}`);
    const [{ error, log }] = await once(this.#worker, 'message');
    if (error !== undefined) throw new Error(error);
    if (/\bport: \d/.test(source)) this.#running.set(file, { source, log });
    return log;
  }

  /** Makes scripts wait at `setTimeout(1000)`. */
  close(): void {
    this.#worker?.postMessage('close');
  }

  /** Lets everything that waits in a script continue, and what would wait later. */
  open(): void {
    this.#worker?.postMessage('open');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }
}

const threadSource = `
const { parentPort } = require('node:worker_threads');
const { format } = require('node:util');
let log = '';
console.log = (...values) => { log += format(...values) + '\\n'; };
let gate = Promise.withResolvers();
globalThis.untilOpen = () => gate.promise;
parentPort.on('message', (url) => {
  if (url === 'open') return gate.resolve();
  if (url === 'close') {
    // What waits already continues when the gate opens again.
    const next = Promise.withResolvers();
    next.promise.then(gate.resolve);
    gate = next;
    return;
  }
  log = '';
  import(url).then(
    () => parentPort.postMessage({ log }),
    (error) => parentPort.postMessage({ error: error.stack }),
  );
});`;

/** Runs `npx tributary …` for the shell. */
const npxScript = `#!/bin/sh
for argument do set -- "$@" --data-urlencode "argument=$argument"; shift; done
response=$(curl -sS "$NPX_URL" --data-urlencode "directory=$PWD" "$@")
printf '%s\\n' "$response" | tail -n +2
exit "$(printf '%s\\n' "$response" | head -n 1)"
`;

const streamIsOpen = 'HTTP/1.1 200';

/** Adds the headers of a stream to standard error, where `#runShell` waits for them. */
const curlScript = `#!/bin/sh
if [ "$1" = -N ]; then exec "$CURL" -v "$@"; else exec "$CURL" $CURL_OPTIONS "$@"; fi
`;

let foundCurl: Promise<string> | undefined;

/** @throws {Error} if curl is not installed. */
function curlPath(): Promise<string> {
  foundCurl ??= promisify(execFile)('which', ['curl']).then(
    ({ stdout }) => stdout.trim(),
    () => {
      throw new Error(
        'The pages are run with curl, which is not installed. Install it: apt-get install curl',
      );
    },
  );
  return foundCurl;
}

class NpxServer {
  readonly url: string;
  readonly close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.close = close;
  }

  static async start(): Promise<NpxServer> {
    const server = createServer((request, response) => void answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return new NpxServer(`http://127.0.0.1:${port}`, () => closeServer(server));
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parameters = new URLSearchParams(await text(request));
  const [command, ...args] = parameters.getAll('argument');
  if (command !== 'tributary') {
    response.end(`127\nnpx ${command} is not known to the tests.`);
    return;
  }
  const { code, stdout, stderr } = await runCommandInProcess(args, parameters.get('directory') ?? root);
  response.end(`${code}\n${stderr}${stdout}`);
}
