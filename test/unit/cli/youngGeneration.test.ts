import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import {
  createObjectsInYoungGeneration,
  flagsWithYoungGeneration,
} from '../../../gateway/cli/youngGeneration.ts';

test.each([
  [1, ['--concurrent-marking-max-worker-num=1']],
  [2, []],
])('with %p cores, the flag for the young generation and %p are added to the other flags', (cores, added) => {
  expect(flagsWithYoungGeneration(['--enable-source-maps'], '', cores)).toEqual([
    '--max-semi-space-size=64',
    ...added,
    '--enable-source-maps',
  ]);
});

test.each([
  [['--max-semi-space-size=32'], ''],
  [['--max_semi_space_size=32'], ''],
  [[], '--max-semi-space-size=16 --enable-source-maps'],
])('a configured size of the young generation is not changed: %p, NODE_OPTIONS %p', (flags, nodeOptions) => {
  expect(flagsWithYoungGeneration(flags, nodeOptions)).toEqual(flags);
});

test('objects are created in the young generation only, by a flag that this V8 knows', () => {
  const flags: string[] = [];
  createObjectsInYoungGeneration((flag) => flags.push(flag));
  expect(flags).toEqual(['--no-allocation-site-pretenuring']);
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(options).toContain('--allocation-site-pretenuring');
});

test('threads have the young generation of their resource limits, in a process with a larger one', () => {
  const heapLimitOfThread = (code: string): number => {
    const script = `
      import { Worker } from 'node:worker_threads';
      import { limitYoungGenerationOfThreads } from '${new URL('../../../gateway/cli/youngGeneration.ts', import.meta.url).href}';
      ${code}
      const print = "console.log(process.getBuiltinModule('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20)";
      new Worker(print, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 100, maxYoungGenerationSizeMb: 48 } });
    `;
    const flags = ['--max-semi-space-size=64', '--input-type=module', '--eval', script];
    return Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  };
  // V8 counts three semi-spaces.
  expect(heapLimitOfThread('')).toBe(100 + 3 * 64);
  expect(heapLimitOfThread('limitYoungGenerationOfThreads();')).toBe(100 + 48);
});

test('the young generation grows to four times its size at once, and not to twice its size', () => {
  const largestGrowth = (code: string): number => {
    const script = `
      import { getHeapSpaceStatistics } from 'node:v8';
      import { growYoungGenerationAtOnce } from '${new URL('../../../gateway/cli/youngGeneration.ts', import.meta.url).href}';
      ${code}
      const readSize = () => {
        const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
        return young.space_used_size + young.space_available_size;
      };
      let size = readSize();
      let largest = 0;
      const survivors = [];
      for (let i = 0; i < 20_000; i += 1) {
        survivors.push(new Array(1000).fill(i));
        const next = readSize();
        largest = Math.max(largest, next / size);
        size = next;
      }
      console.log(largest);
    `;
    const flags = ['--max-semi-space-size=64', '--input-type=module', '--eval', script];
    return Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  };
  expect(largestGrowth('')).toBeCloseTo(2, 0);
  expect(largestGrowth('growYoungGenerationAtOnce();')).toBeCloseTo(4, 0);
});
