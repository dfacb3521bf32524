import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const here = import.meta.dirname;

/** Installs the peers: a large installation that only the benchmarks need. */
export function installPeers(): void {
  const installed = `${here}/node_modules/.package-lock.json`;
  if (existsSync(installed)) return;
  console.error('Installing the peers in bench/ …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: here,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
