import { expect, test } from '@jest/globals';
import { isStreamId } from '../../../gateway/redis/streamIds.ts';
import { requestedCursor } from '../../../gateway/transport/admission/requestedCursor.ts';

test('a cursor is in `extensions.tributary`', () => {
  expect(requestedCursor({ tributary: { cursor: '5-0' } })).toBe('5-0');
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
  expect(requestedCursor(extensions)).toBeUndefined();
});

test.each([[5], [0], [false], [['5-0']], [{ id: '5-0' }]])('%j is one that is wrong', (cursor) => {
  const requested = requestedCursor({ tributary: { cursor } });
  expect(requested).toBeDefined();
  expect(isStreamId(requested ?? '')).toBe(false);
});
