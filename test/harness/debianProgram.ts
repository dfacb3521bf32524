import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);
const cacheDirectory = join(import.meta.dirname, '../../node_modules/.cache');

export interface Program {
  readonly binary: string;
  /** The folder of its shared libraries, if they are not installed on the machine. */
  readonly libraryPath: string | undefined;
}

interface WantedProgram {
  readonly name: string;
  /** Debian's package that contains it. */
  readonly debianPackage: string;
  /** What to do if the program is nowhere. */
  readonly advice: string;
}

/** Finds a program on the path, else unpacks Debian's package below `node_modules/.cache`. A test that needs the program
 *  never skips itself. @throws {Error} with the advice if there is no program. */
export async function findProgram(wanted: WantedProgram): Promise<Program> {
  const binary = findOnPath(wanted.name);
  if (binary !== undefined) return { binary, libraryPath: undefined };
  return (
    findUnpacked(wanted) ??
    (await withAptLock(async () => findUnpacked(wanted) ?? (await unpackDebianPackages(wanted))))
  );
}

/** What `withAptLock` locks: a folder that every Debian has, so that no file is left behind. */
export const aptLock = '/var/lib/dpkg';

/** Runs a function that uses apt, one at a time on this machine. Suites of one run need programs at the same time, and a second
 *  `apt-get update` does not wait for the first one: it fails, also with `DPkg::Lock::Timeout`. The kernel releases the lock
 *  when the pipe to its holder closes, also if this process is killed. */
export async function withAptLock<Result>(run: () => Promise<Result>): Promise<Result> {
  // Without apt, nothing can be installed, and `flock` may be missing.
  if (findOnPath('apt-get') === undefined) return await run();
  const holder = spawn('flock', [aptLock, 'sh', '-c', 'echo locked && cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const locked = once(holder.stdout, 'data').then(() => true);
  if (!(await Promise.race([locked, ended.then(() => false)])))
    throw new Error(`flock could not lock ${aptLock}.`);
  try {
    return await run();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

/** The path of a program in the folders of `PATH`. */
export function findOnPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function folderOf({ debianPackage }: WantedProgram): string {
  return join(cacheDirectory, debianPackage);
}

function findUnpacked(wanted: WantedProgram): Program | undefined {
  const folder = folderOf(wanted);
  const binary = join(folder, 'usr/bin', wanted.name);
  if (!existsSync(binary)) return undefined;
  const triplets = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as Record<string, string>;
  const triplet = triplets[process.arch] ?? '';
  const libraryPath = [join(folder, 'usr/lib', triplet), join(folder, 'lib', triplet)].join(':');
  return { binary, libraryPath };
}

/** Downloads the package and its missing dependencies, and unpacks them without installing, which needs no root if apt's
 *  package lists exist. To be called with the lock. */
async function unpackDebianPackages(wanted: WantedProgram): Promise<Program> {
  const { name, debianPackage, advice } = wanted;
  await mkdir(cacheDirectory, { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, `${debianPackage}-unpack-`));
  try {
    // apt's package lists may be missing, or too old.
    await download(debianPackage, work).catch(async () => {
      await runFile('apt-get', ['update']);
      await download(debianPackage, work);
    });
    const root = join(work, 'root');
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb')) await runFile('dpkg', ['-x', join(work, file), root]);
    }
    await rename(root, folderOf(wanted));
  } catch (cause) {
    throw new Error(advice, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const program = findUnpacked(wanted);
  if (program === undefined) throw new Error(`Debian's packages do not contain ${name}.`);
  return program;
}

async function download(debianPackage: string, folder: string): Promise<void> {
  await runFile('apt-get', ['download', ...(await missingPackages(debianPackage))], { cwd: folder });
}

/** The packages that apt would install for this one on this machine. */
async function missingPackages(debianPackage: string): Promise<string[]> {
  const args = ['--simulate', '--no-install-recommends', 'install', debianPackage];
  const { stdout } = await runFile('apt-get', args, { env: { ...process.env, LC_ALL: 'C' } });
  return [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
}
