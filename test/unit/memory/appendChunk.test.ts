import { expect, test } from '@jest/globals';
import { appendChunk } from '../../../gateway/memory/appendChunk.ts';

function collect(chunks: readonly Buffer[]) {
  const collected: Buffer[] = [];
  let size = 0;
  let most = 0;
  for (const chunk of chunks) {
    size += chunk.length;
    appendChunk(collected, chunk, size);
    most = Math.max(most, collected.length);
  }
  return { collected, most };
}

test('A body that arrives in single bytes is complete, and never has many chunks', () => {
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
  const { collected, most } = collect(Array.from(body, (byte) => Buffer.of(byte)));
  expect(Buffer.concat(collected).equals(body)).toBe(true);
  expect(most).toBeLessThan(3_000);
});

test('A body that arrives in empty chunks never has many of them', () => {
  expect(collect(Array.from({ length: 5_000 }, () => Buffer.alloc(0))).most).toBe(1_000);
});

test('Chunks of a usual size are not copied', () => {
  const chunks = Array.from({ length: 2_000 }, () => Buffer.alloc(64));
  const { collected } = collect(chunks);
  expect(collected.length).toBe(chunks.length);
  expect(collected.every((chunk, index) => chunk === chunks[index])).toBe(true);
});
