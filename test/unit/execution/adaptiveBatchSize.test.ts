import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AdaptiveBatchSize } from '../../../gateway/execution/adaptiveBatchSize.ts';

test('a batch that times out halves the size', () => {
  const size = new AdaptiveBatchSize(200);
  size.onBatch(200, 'timeout');
  expect(size.current).toBe(100);
  size.onBatch(90, 'timeout');
  expect(size.current).toBe(45);
});

test('answered batches raise the size again, up to the maximum', () => {
  const size = new AdaptiveBatchSize(200);
  size.onBatch(200, 'timeout');
  size.onBatch(100, 'completed');
  expect(size.current).toBe(110);
  for (let n = 0; n < 20; n++) size.onBatch(size.current, 'completed');
  expect(size.current).toBe(200);
});

test('small batches change nothing', () => {
  const size = new AdaptiveBatchSize(200);
  size.onBatch(99, 'timeout');
  expect(size.current).toBe(200);
});

test('the size stays between its bounds with any outcomes of batches', () => {
  const batch = fc.record({
    representations: fc.nat(100_000),
    outcome: fc.constantFrom('completed' as const, 'timeout' as const),
  });
  fc.assert(
    fc.property(fc.array(batch), fc.integer({ min: 1, max: 500 }), (batches, max) => {
      const size = new AdaptiveBatchSize(max);
      for (const { representations, outcome } of batches) {
        size.onBatch(representations, outcome);
        expect(size.current).toBeLessThanOrEqual(max);
        expect(size.current).toBeGreaterThanOrEqual(Math.min(10, max));
        expect(Number.isInteger(size.current)).toBe(true);
      }
    }),
  );
});
