import { afterAll, expect, test } from '@jest/globals';
import { shareSmallBlocks } from '../../../gateway/cli/bufferPool.ts';

const { poolSize } = Buffer;

afterAll(() => {
  Buffer.poolSize = poolSize;
});

test('buffers of 4 KiB share blocks of 16 KiB', () => {
  shareSmallBlocks();
  // What is left of the current block is used first.
  const buffers = Array.from({ length: 40 }, () => Buffer.allocUnsafe(4096));
  const blocks = buffers.map(({ buffer }) => buffer);
  // Node adds a few bytes for the alignment.
  expect(blocks.at(-1)?.byteLength).toBeLessThan(17 * 1024);
  expect(new Set(blocks.slice(-16)).size).toBeLessThanOrEqual(5);
});
