import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);
/** The headless shell first: the same engine in a smaller program, which takes a fifth less CPU time. */
const executableNames = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
];

/** The path of a Chromium for playwright-core's `executablePath`: that of `CHROMIUM_PATH`, one on the path, or
 *  Debian's, which is installed when running as root. A test that needs a browser never skips itself. @throws {Error}
 *  with instructions if there is none. */
export async function findChromium(): Promise<string> {
  const given = process.env.CHROMIUM_PATH;
  if (given !== undefined && given !== '') {
    if (existsSync(given)) return given;
    throw new Error(`CHROMIUM_PATH is ${given}, and there is no such file.`);
  }
  const found = findOnPath();
  if (found !== undefined) return found;
  const advice =
    'This test needs Chromium. Set CHROMIUM_PATH, or put it on the path (Debian: apt-get install chromium).';
  if (process.getuid?.() !== 0) throw new Error(advice);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const runApt = (...args: string[]) => runFile('apt-get', args, { env, maxBuffer: 64 * 1024 * 1024 });
  try {
    await runApt('update');
    const install = ['install', '--yes', '--no-install-recommends'];
    // Older releases of Debian have no package of the headless shell.
    await runApt(...install, 'chromium-headless-shell').catch(() => runApt(...install, 'chromium'));
  } catch (cause) {
    throw new Error(advice, { cause });
  }
  const installed = findOnPath();
  if (installed === undefined) throw new Error(advice);
  return installed;
}

function findOnPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of executableNames) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}
