import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Redis } from 'ioredis';
import { findProgram, type Program } from './debianProgram.ts';
import { freePort } from './freePort.ts';

/** For a hook that starts Redis: the first run on a machine may download it. */
export const downloadTimeoutMs = 300_000;

export interface RedisServer extends AsyncDisposable {
  /** `redis://…`. The server is empty at the start, unless it is the one of `REDIS_URL`. */
  readonly url: string;
}

/** A server of one test, which may stop it. */
export interface DedicatedRedisServer extends RedisServer {
  readonly port: number;
  /** Makes the server hang until `resume`: connections are accepted, but commands are not answered. */
  pause(): void;
  resume(): void;
  /** Makes saving the data fail or succeed, as on a disk that is full. While it fails, the server refuses writes and PING
   *  (MISCONF). */
  setDiskFull(isFull: boolean): Promise<void>;
  /** Ends the server like a crash. */
  kill(): Promise<void>;
  /** Starts an empty server again on the same port. */
  restart(): Promise<void>;
}

/** Starts a real Redis: the one of `REDIS_URL`, else a new `redis-server` on a free port, without persistence. The program
 *  is the one on the path, else Debian's, unpacked below `node_modules/.cache`. A test that needs Redis never skips itself.
 *  @throws {Error} with instructions if there is no program. */
export async function startRedis(): Promise<RedisServer> {
  const given = process.env.REDIS_URL;
  if (given !== undefined && given !== '') {
    return { url: given, [Symbol.asyncDispose]: async () => {} };
  }
  return startDedicatedRedis();
}

/** Like `startRedis`, but never uses `REDIS_URL`. `options`: command-line options of `redis-server`. */
export async function startDedicatedRedis(options: readonly string[] = []): Promise<DedicatedRedisServer> {
  const server = new RedisProcess({ program: await findRedisProgram(), port: await freePort(), options });
  await server.restart();
  return server;
}

export interface RedisCluster extends AsyncDisposable {
  /** The masters. Each has an equal range of slots, in order. */
  readonly servers: readonly DedicatedRedisServer[];
  /** `host:port` of each. */
  readonly nodes: readonly string[];
}

/** Starts a real Redis Cluster of three masters on loopback, without replicas. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const program = await findRedisProgram();
  const servers: RedisProcess[] = [];
  const dispose = async () => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  };
  try {
    for (let master = 0; master < 3; master++) {
      // The default port of the cluster bus, 10,000 above, may not be a valid port.
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

/** Starts a real Sentinel that monitors a server under the name `cache`. */
export async function startSentinel(watched: DedicatedRedisServer): Promise<DedicatedRedisServer> {
  const port = await freePort();
  const sentinel = new RedisProcess({ program: await findRedisProgram(), port, options: [], watched });
  await sentinel.restart();
  return sentinel;
}

interface RedisProcessOptions {
  readonly program: Program;
  readonly port: number;
  /** Command-line options. */
  readonly options: readonly string[];
  /** The port of the cluster bus. */
  readonly bus?: number;
  /** For a Sentinel: the server that it monitors. */
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

  /** Resolves when the log since the last start contains this text. Rejects if the server ends before. */
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

  async setDiskFull(isFull: boolean): Promise<void> {
    // No file can be renamed to the name of a directory.
    const target = join(this.#folder ?? '', 'dump.rdb');
    await (isFull ? mkdir(target) : rm(target, { recursive: true }));
    const redis = connectRedis(this.url);
    await redis.config('SET', 'save', '3600 1');
    await redis.call('BGSAVE');
    const status = `rdb_last_bgsave_status:${isFull ? 'err' : 'ok'}`;
    while (!(await redis.info('persistence')).includes(status));
    redis.disconnect();
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
    const location = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#folder];
    const args = [...location, '--save', '', '--appendonly', 'no', ...options];
    if (watched !== undefined) {
      const file = join(this.#folder, 'sentinel.conf');
      await writeFile(file, `sentinel monitor cache 127.0.0.1 ${watched.port} 1\n`);
      args.splice(0, args.length, file, '--sentinel', ...location);
    }
    this.#output = '';
    const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const notifyWatchers = () => {
      for (const watcher of [...this.#watchers]) watcher();
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
        notifyWatchers();
      });
    }
    child.once('error', (error) => {
      this.#output += String(error);
      notifyWatchers();
    });
    child.once('exit', notifyWatchers);
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

async function findRedisProgram(): Promise<Program> {
  return findProgram({
    name: 'redis-server',
    debianPackage: 'redis-server',
    advice:
      'This test needs a real Redis. Set REDIS_URL, or put redis-server on the path ' +
      '(Debian: apt-get install redis-server; macOS: brew install redis).',
  });
}

/** Creates a client that fails at once instead of retrying, so that a failure shows in the test that caused it. It closes at
 *  once, too: a socket that is shut down while its server is killed may never close. */
export function connectRedis(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null, disconnectTimeout: 0 });
}
