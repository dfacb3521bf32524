import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { targetCore } from './childProcess.ts';
import type { Circumstances } from './results.ts';

export function currentCircumstances(): Circumstances {
  const [first, ...others] = cpus();
  const memory = /^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const isChanged = git('status', '--porcelain', '--', ':/gateway', ':/package-lock.json') !== '';
  return {
    cpu: `${first?.model.trim()} × ${others.length + 1}${targetCore === undefined ? ' (processes not pinned to cores)' : ''}`,
    memory: `${(Number(memory ?? 0) / 1024 / 1024).toFixed(0)} GiB`,
    node: `Node ${process.version}`,
    commit: `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`,
  };
}
