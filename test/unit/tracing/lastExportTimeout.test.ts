import { expect, test } from '@jest/globals';
import { lastExportTimeoutMs } from '../../../gateway/tracing/otlpExporter.ts';

test.each([
  [0, 1_000],
  [3_000, 3_000],
  [30_000, 5_000],
])('of %i ms that are left, the last export may take %i', (left, expected) => {
  expect(lastExportTimeoutMs(left)).toBe(expected);
});
