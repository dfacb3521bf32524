import { expect, test } from '@jest/globals';
import { resumeCursorOf } from '../../../gateway/admission/resumeCursorOf.ts';
import { isStreamId } from '../../../gateway/redis/streamIds.ts';

test('a cursor is in `extensions.tributary`', () => {
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
])('there is none in %j', (extensions) => {
  expect(resumeCursorOf(extensions)).toBeUndefined();
});

test.each([[5], [0], [false], [['5-0']], [{ id: '5-0' }]])('%j is one that is wrong', (cursor) => {
  const requested = resumeCursorOf({ tributary: { cursor } });
  expect(requested).toBeDefined();
  expect(isStreamId(requested ?? '')).toBe(false);
});
