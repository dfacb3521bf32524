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
      if (flags.length === 2) resolve();
    },
  });
  try {
    expect(flags).toEqual(['--minor-gc-task-trigger=30']);
    collectYoungGeneration();
    await decided;
    expect(flags[1]).toBe(`--minor-gc-task-trigger=${expected}`);
  } finally {
    stop();
  }
});

test('this V8 knows the flag, and collects earlier because of it', () => {
  const collections = (code: string): number => {
    const script = `
      import { PerformanceObserver } from 'node:perf_hooks';
      import { adaptYoungCollections } from '${new URL('../../../gateway/cli/youngCollections.ts', import.meta.url).href}';
      ${code}
      let count = 0;
      new PerformanceObserver((list) => { count += list.getEntries().length; }).observe({ entryTypes: ['gc'] });
      for (let turn = 0; turn < 3000; turn += 1) {
        for (let i = 0; i < 100; i += 1) globalThis.last = new Array(500).fill(i);
        await new Promise(setImmediate);
      }
      console.log(count);
      process.exit();
    `;
    const flags = [
      '--min-semi-space-size=64',
      '--max-semi-space-size=64',
      '--input-type=module',
      '--eval',
      script,
    ];
    return Number(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  };
  expect(collections('adaptYoungCollections({ readUtilization: () => 0 });')).toBeGreaterThan(
    1.5 * collections(''),
  );
});

/** Allocates until the young generation has been collected. */
function collectYoungGeneration(): void {
  for (let i = 0; i < 1000; i += 1) new Array(50_000).fill(i);
}
