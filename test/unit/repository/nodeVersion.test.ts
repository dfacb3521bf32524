import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly engines?: { readonly node?: string };
}

/** The lowest version of the newest release line that the range accepts, as [major, minor]: of `^20.17.0 || >=22.9.0`,
 *  22.9. */
function lowestOfNewestLine(range: string): [number, number] {
  const lines = range.split('||').map((part): [number, number] => {
    const [major = '0', minor = '0'] = part.match(/\d+/g) ?? [];
    return [Number(major), Number(minor)];
  });
  return lines.sort(compare).at(-1) ?? [0, 0];
}

function compare([majorA, minorA]: [number, number], [majorB, minorB]: [number, number]): number {
  return majorA - majorB || minorA - minorB;
}

test('package.json requires the Node that the most demanding dependency requires', async () => {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const required = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([, { engines }]) => lowestOfNewestLine(engines?.node ?? ''));
  const [major, minor] = required.sort(compare).at(-1) ?? [0, 0];
  expect(engines).toEqual({ node: `>=${major}.${minor}` });
  expect(lock.packages['']?.engines).toEqual(engines);
});

/** Preloaded: pretends an old Node, and reports each module of a dependency that runs. */
const oldNode = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, nextLoad) {
      const result = nextLoad(url, context);
      if (!url.includes('/node_modules/') || result.source == null) return result;
      return { ...result, source: 'console.error("A dependency runs");' + result.source };
    },
  });
  Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });
  Object.defineProperty(process, 'version', { value: 'v20.20.2' });
`)}`;

test.each(['gateway/gateway.ts', 'gateway/cli.ts'])(
  '%s names the version found, the version needed and what to do, before a dependency runs',
  async (entry) => {
    const { stderr } = await promisify(execFile)(process.execPath, [
      '--import',
      oldNode,
      join(root, entry),
    ]).catch((error: { stderr: string }) => error);
    expect(stderr).toContain(
      'Error: Tributary needs Node 22.19 or newer, and this is v20.20.2. Install a newer Node, or run the ' +
        '`tributary` command in a clone, which brings its own.',
    );
    expect(stderr).not.toContain('A dependency runs');
  },
);
