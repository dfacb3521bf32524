import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { keepIdleHeap } from '../../../gateway/cli/idleHeap.ts';

test('the heap is kept by flags that this V8 knows', () => {
  const flags = flagsOf(process.versions.v8);
  expect(flags).toEqual(['--memory-reducer-delay-ms=2147483647', '--no-scavenger-updates-allocation-limit']);
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(options).toContain('--memory-reducer-delay-ms');
  expect(options).toContain('--scavenger-updates-allocation-limit');
});

test.each([
  ['24', '13.6.233.17-node.53'],
  ['25', '14.1.146.11-node.25'],
])('V8 of Node %s gets no flag, because it does not know one of them', (_node, v8Version) => {
  expect(flagsOf(v8Version)).toEqual([]);
});

function flagsOf(v8Version: string): string[] {
  const flags: string[] = [];
  keepIdleHeap(v8Version, (flag) => flags.push(flag));
  return flags;
}
