import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';

const runFile = promisify(execFile);
const cache = join(import.meta.dirname, '../../node_modules/.cache');

export interface RedisServer extends AsyncDisposable {
  /** `redis://…`, with nothing in it at the start unless it is the one of `REDIS_URL`. */
  readonly url: string;
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
  const program = onPath() ?? unpackedProgram() ?? (await unpackDebianPackages());
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'tributary-redis-'));
  const { libraryPath } = program;
  const env = { ...process.env, ...(libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath }) };
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const child = spawn(program.binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk);
      if (Buffer.concat(output).includes('Ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`redis-server ended: ${Buffer.concat(output)}`)));
  });
  const url = `redis://127.0.0.1:${port}`;
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client that gives up at once instead of retrying, so that a failure shows in the test that caused it. */
export function connectRedis(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
}

function onPath(): RedisProgram | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const binary = join(folder, 'redis-server');
    if (folder !== '' && existsSync(binary)) return { binary, libraryPath: undefined };
  }
  return undefined;
}

const unpackedFolder = join(cache, 'redis');

function unpackedProgram(): RedisProgram | undefined {
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
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'redis-unpack-'));
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
      if (unpackedProgram() === undefined) throw error;
    });
  } catch (cause) {
    const advice =
      'This test needs a real Redis. Set REDIS_URL, or put redis-server on the path ' +
      '(Debian: apt-get install redis-server; macOS: brew install redis).';
    throw new Error(advice, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = unpackedProgram();
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}
