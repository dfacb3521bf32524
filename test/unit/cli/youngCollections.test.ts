import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { adaptYoungCollections } from '../../../gateway/cli/youngCollections.ts';

const mib = 1024 ** 2;

test.each([
  ['is not busy', 0.49, 60 * mib, 30],
  ['is busy, and few objects survive', 0.5, 16 * mib - 1, 50],
  ['is busy, and many objects survive', 1, 16 * mib, 80],
])('when the event loop %s, the share is set', async (_situation, utilization, usedBytes, expected) => {
  const flags: string[] = [];
  const { promise: decided, resolve } = Promise.withResolvers<void>();
  const stop = adaptYoungCollections({
    readUtilization: () => utilization,
    readUsedBytes: () => usedBytes,
    setFlags: (flag) => {
      flags.push(flag);
      if (flags.length === 3) resolve();
    },
  });
  try {
    expect(flags).toEqual(['--semi-space-growth-factor=4', '--minor-gc-task-trigger=30']);
    collectYoungGeneration();
    await decided;
    expect(flags[2]).toBe(`--minor-gc-task-trigger=${expected}`);
  } finally {
    stop();
  }
});

test('this V8 knows the flag of the share, and collects earlier because of it', () => {
  const collections = (code: string): number =>
    printedBy(
      ['--min-semi-space-size=64', '--max-semi-space-size=64'],
      `
      import { PerformanceObserver } from 'node:perf_hooks';
      ${code}
      let count = 0;
      new PerformanceObserver((list) => { count += list.getEntries().length; }).observe({ entryTypes: ['gc'] });
      for (let turn = 0; turn < 3000; turn += 1) {
        for (let i = 0; i < 100; i += 1) globalThis.last = new Array(500).fill(i);
        await new Promise(setImmediate);
      }
      console.log(count);
      process.exit();
      `,
    );
  expect(collections('adaptYoungCollections({ readUtilization: () => 0 });')).toBeGreaterThan(
    1.5 * collections(''),
  );
});

test('this V8 knows the flag of the growth, and lets the young generation grow to four times its size at once', () => {
  const largestGrowth = (code: string): number =>
    printedBy(
      ['--max-semi-space-size=64'],
      `
      import { getHeapSpaceStatistics } from 'node:v8';
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
      process.exit();
      `,
    );
  expect(largestGrowth('')).toBeCloseTo(2, 0);
  expect(largestGrowth('adaptYoungCollections();')).toBeCloseTo(4, 0);
});

/** The number that a module prints in a process with these flags. */
function printedBy(flags: readonly string[], script: string): number {
  const module = new URL('../../../gateway/cli/youngCollections.ts', import.meta.url).href;
  const code = `import { adaptYoungCollections } from '${module}';\n${script}`;
  const args = [...flags, '--input-type=module', '--eval', code];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/** Allocates until the young generation has been collected. */
function collectYoungGeneration(): void {
  for (let i = 0; i < 1000; i += 1) new Array(50_000).fill(i);
}
