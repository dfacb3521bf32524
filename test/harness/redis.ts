import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';

const runFile = promisify(execFile);
const cacheDirectory = join(import.meta.dirname, '../../node_modules/.cache');

export interface RedisServer extends AsyncDisposable {
  /** `redis://…`, with nothing in it at the start unless it is the one of `REDIS_URL`. */
  readonly url: string;
}

/** A server that a test may stop as it likes. */
export interface DedicatedRedisServer extends RedisServer {
  readonly port: number;
  /** Hangs until `resume`: the system takes connections and bytes, and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>;
}

interface RedisProgram {
  readonly binary: string;
  /** Where its shared libraries are, when they are not installed on the machine. */
  readonly libraryPath: string | undefined;
}

/** A real Redis: the one of `REDIS_URL`, else a `redis-server` of its own on a free port that keeps nothing on
 *  disk. The program is the one on the path, else Debian's, unpacked below `node_modules/.cache`. Throws with
 *  what to do where none can be had: a test that needs Redis never skips itself. */
export async function startRedis(): Promise<RedisServer> {
  const given = process.env.REDIS_URL;
  if (given !== undefined && given !== '') {
    return { url: given, [Symbol.asyncDispose]: async () => {} };
  }
  return startDedicatedRedis();
}

/** The same, never the one of `REDIS_URL`. `options` as on the command line of `redis-server`. */
export async function startDedicatedRedis(options: readonly string[] = []): Promise<DedicatedRedisServer> {
  const server = new RedisProcess({ program: await findRedisProgram(), port: await freePort(), options });
  await server.restart();
  return server;
}

export interface RedisCluster extends AsyncDisposable {
  /** Masters, each with an equal part of the slots in their order. */
  readonly servers: readonly DedicatedRedisServer[];
  /** `host:port` of each. */
  readonly nodes: readonly string[];
}

/** A real Redis Cluster of three masters on loopback, without replicas. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const program = await findRedisProgram();
  const servers: RedisProcess[] = [];
  const dispose = async () => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  };
  try {
    for (let master = 0; master < 3; master++) {
      // The usual port of the bus, 10,000 above, may be none.
      const bus = await freePort();
      const options = [
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        `${bus}`,
        '--cluster-node-timeout',
        '60000',
      ];
      const server = new RedisProcess({ program, port: await freePort(), options, bus });
      servers.push(server);
      await server.restart();
    }
    const areReady = servers.map((server) => server.waitForOutput('Cluster state changed: ok'));
    for (const [master, server] of servers.entries()) {
      const redis = connectRedis(server.url);
      const slotAt = (part: number) => Math.ceil((part * 16_384) / servers.length);
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', slotAt(master), slotAt(master + 1) - 1);
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', master + 1);
      const [first] = servers;
      if (first !== undefined && first !== server) {
        await redis.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.bus ?? 0);
      }
      redis.disconnect();
    }
    await Promise.all(areReady);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    servers,
    nodes: servers.map(({ port }) => `127.0.0.1:${port}`),
    [Symbol.asyncDispose]: dispose,
  };
}

/** A real Sentinel that watches a server, which it calls `cache`. */
export async function startSentinel(watched: DedicatedRedisServer): Promise<DedicatedRedisServer> {
  const port = await freePort();
  const sentinel = new RedisProcess({ program: await findRedisProgram(), port, options: [], watched });
  await sentinel.restart();
  return sentinel;
}

interface RedisProcessOptions {
  readonly program: RedisProgram;
  readonly port: number;
  /** As on the command line. */
  readonly options: readonly string[];
  /** Port at which nodes of a Cluster talk with each other. */
  readonly bus?: number;
  /** It is a Sentinel, and watches this server. */
  readonly watched?: DedicatedRedisServer;
}

class RedisProcess implements DedicatedRedisServer {
  readonly port: number;
  readonly bus: number | undefined;
  readonly #options: RedisProcessOptions;
  readonly #watchers = new Set<() => void>();
  #child: ChildProcess | undefined;
  #output = '';
  #folder: string | undefined;

  constructor(options: RedisProcessOptions) {
    this.#options = options;
    this.port = options.port;
    this.bus = options.bus;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Resolves when its log has had this text since the last start; rejects when it ends before. */
  waitForOutput(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = () => {
        const isThere = this.#output.includes(text);
        if (!isThere && this.#child?.exitCode === null && this.#child.signalCode === null) return;
        this.#watchers.delete(watcher);
        if (isThere) resolve();
        else reject(new Error(`redis-server ended: ${this.#output}`));
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.#end('SIGKILL');
    this.#folder ??= await mkdtemp(join(tmpdir(), 'tributary-redis-'));
    const { program, options, watched } = this.#options;
    const { binary, libraryPath } = program;
    const env = { ...process.env, ...(libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath }) };
    const place = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#folder];
    const args = [...place, '--save', '', '--appendonly', 'no', ...options];
    if (watched !== undefined) {
      const file = join(this.#folder, 'sentinel.conf');
      await writeFile(file, `sentinel monitor cache 127.0.0.1 ${watched.port} 1\n`);
      args.splice(0, args.length, file, '--sentinel', ...place);
    }
    this.#output = '';
    const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const look = () => {
      for (const watcher of [...this.#watchers]) watcher();
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
        look();
      });
    }
    child.once('error', (error) => {
      this.#output += String(error);
      look();
    });
    child.once('exit', look);
    await this.waitForOutput(watched === undefined ? 'Ready to accept connections' : '+monitor master cache');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL');
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

async function findRedisProgram(): Promise<RedisProgram> {
  return findOnPath() ?? findUnpackedProgram() ?? (await unpackDebianPackages());
}

/** A client that gives up at once instead of retrying, so that a failure shows in the test that caused it. */
export function connectRedis(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
}

function findOnPath(): RedisProgram | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const binary = join(folder, 'redis-server');
    if (folder !== '' && existsSync(binary)) return { binary, libraryPath: undefined };
  }
  return undefined;
}

const unpackedFolder = join(cacheDirectory, 'redis');

function findUnpackedProgram(): RedisProgram | undefined {
  // Debian's redis-server is a link to redis-check-rdb, which is the whole server.
  const binary = join(unpackedFolder, 'usr/bin/redis-server');
  if (!existsSync(binary)) return undefined;
  const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as Record<string, string>;
  const triplet = triplets[process.arch] ?? '';
  const libraryPath = [join(unpackedFolder, 'usr/lib', triplet), join(unpackedFolder, 'lib', triplet)].join(
    ':',
  );
  return { binary, libraryPath };
}

/** Downloads redis-server and those of its dependencies that the machine lacks, and unpacks them without
 *  installing: no root needed as long as apt's lists are there. Several processes may do it at once. */
async function unpackDebianPackages(): Promise<RedisProgram> {
  await mkdir(cacheDirectory, { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, 'redis-unpack-'));
  try {
    // apt's lists may be absent, or so old that what they name is gone.
    await download(work).catch(async () => {
      await runFile('apt-get', ['update']);
      await download(work);
    });
    const root = join(work, 'root');
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb')) await runFile('dpkg', ['-x', join(work, file), root]);
    }
    // A folder that another process has put there meanwhile is as good as this one.
    await rename(root, unpackedFolder).catch((error: unknown) => {
      if (findUnpackedProgram() === undefined) throw error;
    });
  } catch (cause) {
    const advice =
      'This test needs a real Redis. Set REDIS_URL, or put redis-server on the path ' +
      '(Debian: apt-get install redis-server; macOS: brew install redis).';
    throw new Error(advice, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = findUnpackedProgram();
  if (program === undefined) throw new Error("Debian's packages hold no redis-server.");
  return program;
}

async function download(folder: string): Promise<void> {
  await runFile('apt-get', ['download', ...(await missingPackages())], { cwd: folder });
}

/** What apt would install for redis-server, on this machine. */
async function missingPackages(): Promise<string[]> {
  const args = ['--simulate', '--no-install-recommends', 'install', 'redis-server'];
  const { stdout } = await runFile('apt-get', args, { env: { ...process.env, LC_ALL: 'C' } });
  return [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
}

/** A port that nobody else gets before Redis has it, nor while Redis is killed: no system gives one of these to whoever
 *  asks for any, or connects, and each process of the tests has some of its own. */
async function freePort(): Promise<number> {
  const first = 10_000 + (Number(process.env.JEST_WORKER_ID ?? 0) % 20) * 1_000;
  for (;;) {
    const port = first + randomInt(1_000);
    if (!allocatedPorts.has(port) && (await isFree(port))) {
      allocatedPorts.add(port);
      return port;
    }
  }
}

const allocatedPorts = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
