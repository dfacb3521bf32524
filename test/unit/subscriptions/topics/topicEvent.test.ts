import { expect, test } from '@jest/globals';
import { parseTopicEvent } from '../../../../gateway/subscriptions/topics/topicEvent.ts';

/** An event whose object has so many levels. */
const nested = (levels: number) =>
  `{"__typename":"A","a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

test('an event may have exactly the maximum size, in bytes', () => {
  const text = '{"__typename":"A","name":"\u00e9"}';
  const size = text.length + 1;
  expect(parseTopicEvent(text, '1-0', size)).toEqual({
    typename: 'A',
    value: { __typename: 'A', name: '\u00e9' },
    id: '1-0',
    size,
  });
  expect(parseTopicEvent(text, '1-0', size - 1)).toEqual({
    reason: `it is larger than ${size - 1} bytes (subscriptions.eventSize)`,
  });
});

test('an event may be nested a thousand levels deep', () => {
  expect(parseTopicEvent(nested(1000), undefined, 10_000)).toMatchObject({ typename: 'A' });
  expect(parseTopicEvent(nested(1001), undefined, 10_000)).toEqual({
    reason: 'it is nested deeper than 1000 levels',
  });
});

test.each([
  [undefined, 'it has no field `event`'],
  ['null', 'it is not an object'],
  ['5', 'it is not an object'],
  ['[]', 'it is not an object'],
  ['{"__typename":5}', 'it has no `__typename`'],
  ['{', expect.stringContaining('JSON')],
])('%p is not an event', (text, reason) => {
  expect(parseTopicEvent(text, undefined, 100)).toEqual({ reason });
});
