import { expect, test } from '@jest/globals';
import { readPartialSuccess } from '../../../gateway/tracing/partialSuccess.ts';

/** A field of bytes. */
function field(number: number, content: readonly number[]): number[] {
  return [number * 8 + 2, content.length, ...content];
}

const quota = field(2, [...Buffer.from('quota')]);

test.each<[string, number[], ReturnType<typeof readPartialSuccess>]>([
  ['without content', [], undefined],
  ['that has an empty partial success', field(1, []), undefined],
  ['that has advice alone', field(1, quota), undefined],
  ['that has rejected spans', field(1, [8, 3, ...quota]), { rejected: 3, message: 'quota' }],
  ['that has many rejected spans', field(1, [8, 0x80, 0x20]), { rejected: 4_096, message: '' }],
  [
    'that has unknown fields too',
    [...field(5, [1]), 6 * 8 + 5, 1, 2, 3, 4, ...field(1, [3 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1])],
    { rejected: 1, message: '' },
  ],
])('A response %s is decoded', (_, bytes, expected) => {
  expect(readPartialSuccess(Buffer.from(bytes))).toEqual(expected);
});

test.each([
  ['truncated', [10, 9, 8]],
  ['not protobuf', [...Buffer.from('<html>')]],
])('A response that is %s is refused', (_, bytes) => {
  expect(() => readPartialSuccess(Buffer.from(bytes))).toThrow(RangeError);
});
