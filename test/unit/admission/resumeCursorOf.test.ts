import { expect, test } from '@jest/globals';
import { resumeCursorOf } from '../../../gateway/admission/resumeCursorOf.ts';
import { isStreamId } from '../../../gateway/redis/streamIds.ts';

test('resumeCursorOf reads the cursor in extensions.tributary', () => {
  expect(resumeCursorOf({ tributary: { cursor: '5-0' } })).toBe('5-0');
});

test.each([
  [undefined],
  [null],
  ['x'],
  [{}],
  [{ tributary: null }],
  [{ tributary: { cursor: null } }],
  [{ tributary: { cursor: '' } }],
])('resumeCursorOf finds no cursor in %j', (extensions) => {
  expect(resumeCursorOf(extensions)).toBeUndefined();
});

/** `JSON.stringify` throws for it: it recurses below a key that is a number. */
const deeplyNested = JSON.parse(`{"1":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);

test('resumeCursorOf returns a cursor that is no stream id for a deeply nested value', () => {
  expect(isStreamId(resumeCursorOf({ tributary: { cursor: deeplyNested } }) ?? '')).toBe(false);
});

test.each([[5], [0], [false], [['5-0']], [{ id: '5-0' }]])(
  'resumeCursorOf returns a cursor that is no stream id for the value %j',
  (cursor) => {
    const requested = resumeCursorOf({ tributary: { cursor } });
    expect(requested).toBeDefined();
    expect(isStreamId(requested ?? '')).toBe(false);
  },
);
