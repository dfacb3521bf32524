import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Mercurius needs an older `graphql` than the other peers. */
const directories = [import.meta.dirname, join(import.meta.dirname, 'targets/mercurius')];

/** Installs the peers, at the versions of the lockfiles: a large installation that only the benchmarks need. */
export function installPeers(): void {
  for (const directory of directories) {
    if (existsSync(join(directory, 'node_modules/.package-lock.json'))) continue;
    console.error(`Installing the peers in ${directory} …`);
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
      cwd: directory,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }
}
