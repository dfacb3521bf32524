import { expect, test } from '@jest/globals';
import { subscriptionUrlOf } from '../../../gateway/subscriptions/subscriptionUrlOf.ts';

test.each([
  ['http://a/graphql?key=1', '', 'http://a/graphql?key=1'],
  ['http://a:81/graphql', '/ws', 'http://a:81/ws'],
  ['https://a/graphql?key=1&b=2', '/ws', 'https://a/ws?key=1&b=2'],
  ['https://a/graphql?key=1', '/ws?key=2', 'https://a/ws?key=2'],
])('the address %s with the path %j is %s', (url, path, expected) => {
  expect(subscriptionUrlOf(url, path)).toBe(expected);
});
