import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const here = import.meta.dirname;

/** The peers are a large installation of their own, which nobody but the benchmarks needs. */
export function installPeers(): void {
  const installed = `${here}/node_modules/.package-lock.json`;
  if (existsSync(installed)) return;
  console.error('Installing the peers in bench/ …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: here,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
